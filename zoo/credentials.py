"""Which credentials go to whom: each belongs to one origin (scheme, host and port).

``ZOO_TOKEN`` is ``ORIGIN=TOKEN``, several with spaces between; ``HF_TOKEN`` belongs to the hub;
user and password in an address belong to its origin; ``.netrc`` is asked for the address that
somebody wrote, never for one that a server redirected to.  For each hop they are looked up anew.
"""

from __future__ import annotations

import base64
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from zoo.addresses import Origin, hub, origin
from zoo.errors import UnsupportedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

_OF_OTHERS = 0o077


@dataclass(frozen=True)
class Credential:
    """What goes into the header ``Authorization``, and where it was found."""

    header: str
    source: str


def credential(url: str, user: str | None, *, first: bool) -> Credential | None:
    """Return what `url` is asked with; None if there is nothing for its origin.

    Parameters
    ----------
    user
        ``name:password`` out of the address itself.
    first
        Whether the address was written by somebody, not taken from a redirect.

    Raises
    ------
    UsageError
        ``ZOO_TOKEN`` does not say to whom it belongs.
    """
    if user is not None:
        return Credential(_basic(user), "the address")
    asked = origin(url)
    for owner, token in _tokens():
        if owner == asked:
            return Credential(f"Bearer {token}", "ZOO_TOKEN")
    token = os.environ.get("HF_TOKEN", "").strip()
    if token and origin(hub()) == asked:
        return Credential(f"Bearer {token}", "HF_TOKEN")
    return _from_netrc(url) if first else None


def _tokens() -> list[tuple[Origin, str]]:
    """Return what ``ZOO_TOKEN`` says: tokens with their origins."""
    found = []
    for stated in os.environ.get("ZOO_TOKEN", "").split():
        place, equals, token = stated.partition("=")
        try:
            owner = origin(place) if equals and token else None
        except UnsupportedError:
            owner = None
        if owner is None or urlsplit(place).path.strip("/"):
            raise UsageError(
                "ZOO_TOKEN does not say to whom it belongs",
                hint="write ORIGIN=TOKEN, as in ZOO_TOKEN=https://models.example.org=...",
            )
        found.append((owner, token))
    return found


def _from_netrc(url: str) -> Credential | None:
    """Return what ``.netrc``, or the file ``$NETRC``, has for the host of `url`."""
    from requests.utils import NETRC_FILES, get_netrc_auth

    found = get_netrc_auth(url)
    if not found:
        return None
    _warn_of_readers(NETRC_FILES)
    return Credential(_basic(":".join(found)), ".netrc")


def _warn_of_readers(names: Iterable[str]) -> None:
    """Warn where others on this machine can read the passwords that were just used."""
    stated = os.environ.get("NETRC")
    for path in [Path(stated)] if stated else [Path.home() / name for name in names]:
        if path.exists():
            if os.name == "posix" and path.stat().st_mode & _OF_OTHERS:
                warnings.warn(f"others can read {path}: chmod 600 {path}", stacklevel=2)
            return


def _basic(user: str) -> str:
    return "Basic " + base64.b64encode(user.encode()).decode()
