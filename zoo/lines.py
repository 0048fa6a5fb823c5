"""Lines to servers: connections whose other end is looked at before a byte is sent.

`requests` does the protocol.  What it knows of redirects, ``.netrc`` and cookies is left out: of
those there are rules of our own (`zoo.asking`).  Proxies and certificates are the user's, from the
environment: ``HTTPS_PROXY``, ``NO_PROXY``, ``REQUESTS_CA_BUNDLE``, ``SSL_CERT_FILE``.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from zoo.errors import RefusedError
from zoo.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from zoo.patience import Patience

_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class _Redacting(logging.Filter):
    """Keeps tokens and signed queries out of what `urllib3` logs for who debugs a connection."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace what `record` says by the same without secrets; it is written in any case."""
        record.msg, record.args = redacted(record.getMessage()), ()
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_Redacting())


class Line:
    """Connections that are kept from one question to the next, for one thread.

    Parameters
    ----------
    public
        Whether none may lead to a private address.
    trusted
        Hosts to which it may nevertheless: the user named them.
    """

    def __init__(
        self, patience: Patience, *, public: bool = False, trusted: frozenset[str] = frozenset()
    ) -> None:
        self._patience = patience
        self._public, self._trusted = public, trusted
        self.private = False
        """Whether a server was private, by now."""
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._session = _Session()
        self._session.trust_env = False
        adapter = _Adapter(self._met, self._keep)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)

    def get(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        """Return the answer of `url` as soon as its headers are here; redirects are not followed.

        Raises
        ------
        requests.RequestException
            Nobody answered.
        RefusedError
            The address is a private one.
        """
        proxies = get_environ_proxies(url)
        if self._public and not _proxied(url, proxies):
            self._refuse_private_host(url)
        request = requests.Request("GET", url, headers=dict(headers)).prepare()
        with self._hurried():
            return self._session.send(
                request,
                stream=True,
                allow_redirects=False,
                proxies=proxies,
                verify=_bundle(),
                timeout=(self._patience.connect, self._patience.silence),
            )

    def cut(self) -> None:
        """End every connection at once, from whichever thread: who reads from one gets an error."""
        for open_one in list(self._sockets):
            with suppress(OSError):
                socket.socket.shutdown(open_one, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close every connection."""
        self._session.close()

    @contextmanager
    def _hurried(self) -> Iterator[None]:
        """End what the block waits for when it takes too long, byte by byte as it may come."""
        timer = threading.Timer(self._patience.header, self.cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _keep(self, opened: socket.socket) -> None:
        self._sockets.add(opened)

    def _met(self, host: str, opened: socket.socket) -> None:
        """Refuse a connection to a private address, whatever name led there."""
        self._keep(opened)
        address = opened.getpeername()[0]
        if not _is_private(address):
            return
        self.private = True
        if self._public and host not in self._trusted:
            opened.close()
            raise _private(host, address)

    def _refuse_private_host(self, url: str) -> None:
        host = urlsplit(url).hostname or ""
        if host not in self._trusted and _is_private(host):
            raise _private(host, host)


class _Session(requests.Session):
    """Looks at no redirect: it would read all of its body, however much, to see where it leads."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return none."""


class _Adapter(HTTPAdapter):
    """Has `met` look at each new connection; one to a proxy is only noted by `kept`."""

    def __init__(
        self, met: Callable[[str, socket.socket], None], kept: Callable[[socket.socket], None]
    ) -> None:
        self._met, self._kept = met, kept
        super().__init__(pool_connections=4, pool_maxsize=1)

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = _pools(self._met)

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        """Return the pools of connections by way of `proxy`."""
        manager = super().proxy_manager_for(proxy, **named)
        manager.pool_classes_by_scheme = _pools(lambda _, opened: self._kept(opened))
        return manager


def _pools(met: Callable[[str, socket.socket], None]) -> dict[str, type[HTTPConnectionPool]]:
    """Return pools by scheme whose connections `met` looks at before they are used."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            opened = super()._new_conn()
            met(self.host, opened)
            return opened

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            opened = super()._new_conn()
            met(self.host, opened)
            return opened

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _bundle() -> str | bool:
    """Return the file of certificates that the environment names; True for the usual ones."""
    return next((os.environ[name] for name in _BUNDLES if os.environ.get(name)), True)


def _proxied(url: str, proxies: Mapping[str, str]) -> bool:
    return requests.utils.select_proxy(url, dict(proxies)) is not None


def _is_private(host: str) -> bool:
    """Tell whether `host` is an address that only some network reaches; a name is none."""
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return not (mapped or found).is_global


def _private(host: str, address: str) -> RefusedError:
    return RefusedError(
        f"{host} is not asked, on the word of a registry from the network",
        found=f"the private address {address}",
        hint="a registry in a file of this machine may name it",
    )
