"""Addresses of the network: their origin, what of them may be shown, where a redirect leads.

What lies before ``@`` and behind ``?`` may be a secret: a password, a signature.  No message and no
line of progress has more of an address than `shown` gives, and no file that is given to others
more than `shared` gives.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from zoo.errors import UnsupportedError, UsageError

NETWORK = ("http:", "https:", "hf:")
"""What the addresses begin with that need the network."""
_PORTS = {"http": 80, "https": 443}
_HUB = "https://huggingface.co"
_ON_A_HUB = re.compile(r"hf://([^/@]+/[^/@]+)/([^/@][^@]*)(?:@([^@]+))?")

_PLAIN = frozenset(
    {"", "alt", "dl", "download", "export", "file", "format", "id", "inline", "path", "raw"}
    | {"ref", "rev", "revision", "tag", "v", "version"}
)
"""What a query may say that is no secret; anything else may be a signature or a token."""


class Origin(NamedTuple):
    """Who answers at an address: credentials belong to one origin, and go to no other."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if _PORTS[self.scheme] == self.port else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def origin(url: str) -> Origin:
    """Return the origin of `url`, which is ``http:`` or ``https:``.

    >>> str(origin("https://me:secret@Example.org:443/net.pb?signature=1"))
    'https://example.org'

    Raises
    ------
    UnsupportedError
        It is neither, or names no host.
    """
    parts = split(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        found = f"the scheme {parts.scheme}:" if parts.scheme not in _PORTS else "no host"
        raise UnsupportedError(f"{shown(url)} cannot be asked", found=found)
    return Origin(parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme])


def shown(url: str) -> str:
    """Return `url` as it may be shown: without a password, a query or a fragment.

    >>> shown("https://me:secret@example.org/net.pb?signature=1#sha256=00")
    'https://example.org/net.pb?...'
    >>> shown("file:beside.pb")
    'file:beside.pb'
    """
    address, asks, _ = url.partition("#")[0].partition("?")
    scheme, slashes, rest = address.partition("://")
    if slashes:
        host, slash, path = rest.partition("/")
        address = f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
    return address + "?..." * bool(asks)


def shared(url: str) -> str:
    """Return `url` as a file may hold it that is given to others.

    A query stays where each name in it is one that says what is wanted, and none that could sign
    the request: a signature in a project's history is a password in it.

    >>> shared("https://zenodo.org/records/1/files/net.h5?download=1")
    'https://zenodo.org/records/1/files/net.h5?download=1'
    >>> shared("https://bucket.example.org/net.h5?X-Amz-Signature=00")
    'https://bucket.example.org/net.h5'
    """
    address, _, query = url.partition("?")
    names = {part.partition("=")[0].lower() for part in query.partition("#")[0].split("&")}
    return url if names <= _PLAIN else address


def split(url: str) -> SplitResult:
    """Return the parts of `url`.

    Raises
    ------
    UnsupportedError
        It is no address: its host or port can be none.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UnsupportedError(f"{shown(url)} is no address", found=str(error)) from error
    return parts


def bare(url: str) -> tuple[str, str | None]:
    """Return `url` without what lies before ``@`` and behind ``#``, and the user and password.

    >>> bare("https://me:a%20b@example.org/net.pb?x=1#sha256=00")
    ('https://example.org/net.pb?x=1', 'me:a b')
    """
    user, at, host = split(url).netloc.rpartition("@")
    address = url.partition("#")[0]
    return address.replace(f"{user}{at}{host}", host, 1), unquote(user) if at else None


def next_hop(url: str, location: str) -> str:
    """Return the address to which the answer of `url` redirects.

    Raises
    ------
    UnsupportedError
        Something else than ``http:`` or ``https:`` is behind it.
    """
    try:
        target = urljoin(url, location.strip())
    except ValueError:  # what is joined is split first
        target = location.strip()
    scheme = split(target).scheme
    if scheme not in _PORTS:
        raise UnsupportedError(
            f"{shown(url)} redirects to what is not asked", found=f"the scheme {scheme}:"
        )
    return target


def hub() -> str:
    """Return where ``hf:`` addresses lead: ``$HF_ENDPOINT``, read at each call, or the hub."""
    return (os.environ.get("HF_ENDPOINT") or _HUB).rstrip("/")


def resolved(url: str) -> str:
    """Return `url` as it is asked over HTTP: ``hf://org/name/path@revision`` as the hub has it.

    >>> resolved("hf://org/net/weights/net.h5@v1")
    'https://huggingface.co/org/net/resolve/v1/weights/net.h5'

    Raises
    ------
    UsageError
        It begins with ``hf:`` and has another form.
    """
    if not url.startswith("hf:"):
        return url
    found = _ON_A_HUB.fullmatch(url)
    if found is None:
        raise UsageError(f"{url} names no file", hint="write hf://org/name/path@revision")
    revision = quote(found[3] or "main", safe="")
    return f"{hub()}/{found[1]}/resolve/{revision}/{quote(found[2])}"
