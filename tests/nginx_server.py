"""nginx on a loopback port, started for a test or a measurement and stopped after it."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import closing, contextmanager
from pathlib import Path

_CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {room}/pid;
error_log {room}/error.log;
events {{ worker_connections 256; }}
http {{
  log_format asked '$status $body_bytes_sent "$http_range" "$http_if_range" $uri';
  access_log {room}/access.log asked;
  default_type application/octet-stream;
  sendfile on;
  client_body_temp_path {room}/body;
  proxy_temp_path {room}/proxy;
  fastcgi_temp_path {room}/fastcgi;
  uwsgi_temp_path {room}/uwsgi;
  scgi_temp_path {room}/scgi;
  limit_conn_zone $binary_remote_addr zone=one:1m;
  server {{
    listen 127.0.0.1:{port};
    root {files};
    location /slow/ {{ alias {files}/; limit_rate {rate}; }}
    location /whole/ {{ alias {files}/; max_ranges 0; }}
    location /gzip/ {{ alias {files}/; gzip on; gzip_types *; gzip_min_length 1; }}
    location /moved/ {{ rewrite ^/moved/(.*)$ /$1 redirect; }}
    location /gone/ {{ return 404; }}
    location /locked/ {{ alias {files}/; auth_basic zoo; auth_basic_user_file {room}/users; }}
    location /few/ {{ alias {files}/; limit_conn one 1; limit_rate {rate}; }}
    location /page/ {{ default_type text/html; return 200 '<html>log in</html>'; }}
    {locations}
  }}
}}
"""
_PATIENCE = 10


def why_not():
    """Return why there is no nginx here; nothing where there is."""
    return "" if shutil.which("nginx", path=_path()) else "nginx is not installed"


@contextmanager
def running(room, rate="20m", locations=""):
    """Yield the address of an nginx that serves the folder ``room / "files"``.

    Parameters
    ----------
    rate
        Bytes a second for each connection below ``/slow/``.
    locations
        What else it serves, in nginx's own words.
    """
    room, files = Path(room), Path(room) / "files"
    files.mkdir(exist_ok=True)
    port = _free_port()
    (room / "users").write_text("me:{PLAIN}secret\n")
    user = "user root;" if os.geteuid() == 0 else ""  # the folders of tests are private
    text = _CONFIGURATION.format(
        user=user, room=room, port=port, files=files, rate=rate, locations=locations
    )
    (room / "nginx.conf").write_text(text)
    command = [shutil.which("nginx", path=_path()), "-p", str(room), "-c", str(room / "nginx.conf")]
    with (room / "error.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        _wait_for(process, port, room / "error.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def asked(room):
    """Return what was asked: status, bytes, Range and If-Range of each request, and its path."""
    lines = (Path(room) / "access.log").read_text().splitlines()
    return [line.split(" ", 2) for line in lines]


def _path():
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def _free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(process, port, log):
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    said = log.read_text() if log.exists() else ""
    raise RuntimeError(f"nginx did not start: {said}")
