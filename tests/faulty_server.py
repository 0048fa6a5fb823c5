"""An HTTP server on loopback that lies, stalls and breaks off as a test tells it to.

``server.files[path]`` is what lies at a path: a `Served`, or any function that is given the
request and answers it.  ``server.requests`` is what was asked, in order.
"""

import hashlib
import re
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Asked:
    """One request: its path with the query, and its headers."""

    path: str
    headers: dict[str, str]
    sent: int = 0

    @property
    def range(self):
        """The first byte that was asked for; None where all were."""
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        return int(found[1]) if found else None


class Request(BaseHTTPRequestHandler):
    """A request that is being answered."""

    protocol_version = "HTTP/1.1"
    pause = 0
    """Seconds after each 64 KiB that are sent."""

    def do_GET(self):
        """Let what lies at the path answer."""
        asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()})
        with self.server.lock:
            self.server.requests.append(asked)
            self.number = self.server.counts[self.bare] = self.server.counts[self.bare] + 1
        self.asked = asked
        answer = self.server.files.get(self.bare)
        try:
            if answer is None:
                self.status(404)
            else:
                answer(self)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    @property
    def bare(self):
        """The path without its query, whole where the request came to a proxy."""
        return self.path.partition("?")[0]

    def status(self, number, body=b"", **headers):
        """Answer with a status, and with headers whose names have ``_`` for ``-``."""
        self.head(number, Content_Length=len(body), **headers)
        self.send(body)

    def head(self, number, **headers):
        """Send the status line and the headers; those that are None are left out."""
        self.send_response_only(number)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def send(self, data):
        """Send a part of the body."""
        step = 1 << 16
        for start in range(0, len(data), step):
            self.wfile.write(data[start : start + step])
            self.asked.sent += len(data[start : start + step])
            if self.pause:
                time.sleep(self.pause)

    def reset(self):
        """Break the connection off: the other end gets "connection reset by peer"."""
        linger = struct.pack("ii", 1, 0)
        self.wfile.flush()
        time.sleep(0.05)  # what was sent before shall arrive
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        self.close_connection = True

    def finish(self):
        """Forgive a connection that is gone."""
        try:
            super().finish()
        except (OSError, ValueError):
            self.close_connection = True

    def log_message(self, *_):
        """Say nothing."""


@dataclass
class Served:
    """A file as a good server has it; the attributes make it worse.

    Attributes
    ----------
    etag
        Its validator, in quotes; None for none.
    ranges
        Whether parts of it can be asked for.
    cuts
        For each request in turn the bytes after which the connection breaks; None for no break.
    length
        Whether the length is said.
    """

    data: bytes
    etag: str | None = None
    ranges: bool = True
    cuts: tuple = ()
    length: bool = True
    headers: dict = field(default_factory=dict)
    count: int = 0

    def __post_init__(self):
        self.etag = self.etag or f'"{hashlib.sha256(self.data).hexdigest()}"'

    def __call__(self, request):
        start, end = self.part(request) or (0, len(self.data))
        whole = self.part(request) is None
        cut = self.cuts[self.count] if self.count < len(self.cuts) else None
        self.count += 1
        if not whole and start >= len(self.data):
            total = f"bytes */{len(self.data)}"
            request.status(416, Content_Range=total)
            return
        span = f"bytes {start}-{end - 1}/{len(self.data)}"
        request.head(
            200 if whole else 206,
            Content_Length=end - start if self.length else None,
            Connection=None if self.length else "close",
            Content_Range=None if whole else span,
            ETag=self.etag or None,
            **self.headers,
        )
        if cut is None:
            request.send(self.data[start:end])
            request.close_connection = request.close_connection or not self.length
        else:
            request.send(self.data[start : min(end, start + cut)])
            request.reset()

    def part(self, request):
        """Return the first byte of a part, and the one behind the last; None for the whole."""
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.asked.headers.get("range", ""))
        condition = request.asked.headers.get("if-range")
        if not self.ranges or not asked or condition not in (None, self.etag):
            return None
        end = int(asked[2]) + 1 if asked[2] else len(self.data)
        return int(asked[1]), min(end, len(self.data))


class FaultyServer(ThreadingHTTPServer):
    """The server; a context in which it runs, on a port that the system chose."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, certificate=None):
        super().__init__(("127.0.0.1", 0), Request)
        self.files, self.requests = {}, []
        self.counts, self.lock = Counter(), threading.Lock()
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"

    @property
    def url(self):
        """What its addresses begin with."""
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    @property
    def ranges(self):
        """The first byte that each request asked for, None for all."""
        return [asked.range for asked in self.requests]

    @property
    def sent(self):
        """The bytes of bodies that were sent."""
        return sum(asked.sent for asked in self.requests)

    def handle_error(self, *_):
        """Say nothing of connections that broke."""

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
