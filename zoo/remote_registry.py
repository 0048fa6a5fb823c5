"""A registry that a server gives, by its URL: asked at each use, kept for when there is no network.

``registries/remote`` in the cache has each edition under its digest, and for each URL a note on the
edition that came last.  An edition that is older than the last one is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import atomic, documents, expiry
from zoo.addresses import bare, origin, shown
from zoo.errors import FetchError, IntegrityError, RegistryError, UsageError, ZooError
from zoo.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST = 64 << 20
"""Bytes that a registry from the network may have."""
_DIGEST = re.compile("[0-9a-f]{64}")
_ON_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class _Note:
    """What is known of a URL: the edition that came last, and what the server called it."""

    sha256: str
    etag: str | None
    serial: str | None
    private: bool


def opened(url: str, cache: Path, *, offline: bool = False) -> Registry:
    """Return the registry at `url`, which may carry its digest as ``#sha256=...``.

    Parameters
    ----------
    cache
        The folder of the cache.
    offline
        Whether no server is asked: the edition that came last counts.

    Raises
    ------
    FetchError
        It cannot be had, and never was.
    IntegrityError
        It is not the one that was pinned.
    RegistryError
        It is wrong, or older than the one that came last.
    """
    address, pin = _split(url)
    room = cache / "registries" / "remote"
    note = _note(room, address)
    if pin is not None or offline:
        data = _edition(room, pin or (note.sha256 if note else None))
        if data is not None:
            return _registry(address, cache, data, private=note.private if note else False)
    if offline:
        raise FetchError(
            f"the registry {shown(address)} is not on this machine",
            found="it was never read here" if note is None else "its copy is gone",
            hint="no server is asked: read it without --offline and ZOO_OFFLINE first",
        )
    return _asked(address, pin, cache, note)


def _asked(address: str, pin: str | None, cache: Path, note: _Note | None) -> Registry:
    """Return what the server gives now; what it gave last if it does not answer."""
    room = cache / "registries" / "remote"
    data = _edition(room, note.sha256) if note else None
    etag = note.etag if note and data is not None and pin is None else None
    _warn_of_plain(address, pin)
    try:
        found = documents.read(address, limit=LARGEST, etag=etag, pinned=pin)
    except IntegrityError:
        raise
    except FetchError as error:
        if data is None or note is None or pin is not None:
            raise
        warnings.warn(
            f"the copy of {shown(address)} that is here counts: {error.problem}", stacklevel=2
        )
        return _registry(address, cache, data, private=note.private)
    if not found.changed and data is not None and note is not None:
        return _registry(address, cache, data, private=note.private)
    registry = _registry(address, cache, found.bytes, private=found.private)
    serial = registry.fact("serial")
    if pin is None:
        _refuse_older(address, serial, note)
    sha256 = hashlib.sha256(found.bytes).hexdigest()
    _keep(room, address, found.bytes, _Note(sha256, found.etag, serial, found.private))
    return registry


def _split(url: str) -> tuple[str, str | None]:
    address, _, fragment = url.partition("#")
    name, _, digest = fragment.partition("=")
    if fragment and (name != "sha256" or not _DIGEST.fullmatch(digest)):
        raise UsageError(
            f"{shown(address)} is not pinned",
            found=f"#{fragment[:80]}",
            hint="append #sha256=... with the 64 digits of its sha256, or nothing",
        )
    return address, digest or None


def _registry(address: str, cache: Path, data: bytes, *, private: bool) -> Registry:
    registry = Registry(Path(), cache, url=_place(address), data=data)
    registry.private = private
    if expiry.is_over(registry.fact("expires")):
        warnings.warn(
            f"the registry {shown(address)} expired on {registry.fact('expires')}: it may be old",
            stacklevel=2,
        )
    return registry


def _place(address: str) -> str:
    """Return what a registry is called, and what addresses beside it begin with: no secrets."""
    return bare(address)[0].partition("?")[0]


def _warn_of_plain(address: str, pin: str | None) -> None:
    asked = origin(address)
    if asked.scheme == "http" and pin is None and asked.host not in _ON_THIS_MACHINE:
        warnings.warn(
            f"whoever is on the way to {shown(address)} can change it:"
            " use https, or pin it by #sha256=...",
            stacklevel=2,
        )


def _refuse_older(address: str, serial: str | None, note: _Note | None) -> None:
    if note is not None and expiry.is_older(serial, note.serial):
        raise RegistryError(
            f"the registry {shown(address)} is older than the one that came last",
            found=f"serial {serial or 'is missing'}, after {note.serial}",
            hint="if that is meant, pin it by #sha256=...",
        )


def _note(room: Path, address: str) -> _Note | None:
    """Return what is known of `address`; nothing where the note is damaged."""
    try:
        facts = json.loads(_place_of_note(room, address).read_text(encoding="utf-8"))
        note = _Note(**facts)
        return note if _DIGEST.fullmatch(note.sha256) else None
    except (OSError, ValueError, TypeError):
        return None


def _place_of_note(room: Path, address: str) -> Path:
    return room / f"{hashlib.sha256(address.encode()).hexdigest()}.json"


def _edition(room: Path, sha256: str | None) -> bytes | None:
    """Return the edition of this digest if it is here, and is what it was."""
    if sha256 is None:
        return None
    try:
        data = (room / f"{sha256}.yaml").read_bytes()
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == sha256 else None


def _keep(room: Path, address: str, data: bytes, note: _Note) -> None:
    """Keep an edition, then the note on it; where that cannot be, the server is asked again."""

    def write(path: Path, content: bytes) -> None:
        """Have `content` at `path` in one step."""
        with atomic.replacing(path) as draft:
            draft.write_bytes(content)

    _tried(lambda: write(room / f"{note.sha256}.yaml", data))
    facts = json.dumps(asdict(note)).encode()
    _tried(lambda: write(_place_of_note(room, address), facts))


def _tried(work: Callable[[], None]) -> None:
    try:
        work()
    except (OSError, ZooError) as error:
        warnings.warn(f"the registry is not kept: {error}", stacklevel=3)
