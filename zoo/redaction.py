"""Take what is secret out of text that people read: the last guard, after all that is careful.

Addresses are shown without their secrets where they are put into a message (`addresses.shown`);
what other libraries say of them, and tracebacks, comes through here.
"""

from __future__ import annotations

import os
import re

_HIDDEN = "***"
_ADDRESS = re.compile(r"(?P<scheme>\b(?:https?|ftp|file):/+)(?P<rest>[^\s'\"<>]*)", re.IGNORECASE)
_HEADER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=:-]{6,}", re.IGNORECASE)
_REQUEST = re.compile(r"\b(GET|HEAD|POST) (/[^\s?\"]*)\?[^\s\"]*")
"""A request as `urllib3` and `http.client` write it: a path, without the host."""
_SHORTEST = 6
"""Letters of a token that is looked for anywhere; a shorter one would be found in any text."""


def redacted(text: str) -> str:
    """Return `text` without passwords and queries of addresses, headers and tokens.

    >>> redacted("GET https://me:pass@example.org/net.pb?sig=1#sha256=00 failed")
    'GET https://example.org/net.pb?...#sha256=00 failed'
    >>> redacted("Authorization: Bearer abcdef123")
    'Authorization: Bearer ***'
    """
    if ":/" in text:
        text = _ADDRESS.sub(_shown, text)
    text = _REQUEST.sub(r"\1 \2?...", text)
    text = _HEADER.sub(rf"\1 {_HIDDEN}", text)
    for token in tokens():
        text = text.replace(token, _HIDDEN)
    return text


def tokens() -> list[str]:
    """Return the tokens that the environment holds, those that can be told from other text."""
    stated = [one.partition("=")[2] for one in os.environ.get("ZOO_TOKEN", "").split()]
    stated.append(os.environ.get("HF_TOKEN", "").strip())
    return [token for token in stated if len(token) >= _SHORTEST]


def _shown(found: re.Match[str]) -> str:
    address, mark, fragment = found["rest"].partition("#")
    address, asks, _ = address.partition("?")
    host, slash, path = address.partition("/")
    host = host.rpartition("@")[2]
    return found["scheme"] + host + slash + path + "?..." * bool(asks) + mark + fragment
