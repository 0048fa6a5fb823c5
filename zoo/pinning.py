"""What the bytes behind a name or a URL must be: what its registry says, a lock, or the first look.

A registry may state less than a sha256, and a URL nothing at all.  What came first then is what
must come ever after (`zoo.known`); and what a project has locked (`zoo.lockfile`) must be it.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import fetching, known, sources
from zoo.addresses import shown
from zoo.digests import folder_digest
from zoo.errors import FetchError, IntegrityError, UsageError, counted
from zoo.fetching import Wanted
from zoo.store import Pin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zoo.entries import Weights
    from zoo.fetching import Fetched
    from zoo.lockfile import Lock, Locked
    from zoo.names import Reference
    from zoo.sources import Others
    from zoo.store import Store


def of_url(url: str, *, trust_first: bool = False) -> Wanted:
    """Return the file that a bare URL means, which carries its digest as ``#sha256=...``.

    Parameters
    ----------
    trust_first
        Whether it may carry none: what comes the first time is what must come ever after.

    Raises
    ------
    UsageError
        It carries none, and was never fetched; or something else.
    """
    address, _, fragment = url.partition("#")
    name, _, digest = fragment.partition("=")
    if name == "sha256" and len(digest) == 64 and not set(digest) - set("0123456789abcdef"):
        return Wanted((address,), Pin((("sha256", digest),)))
    seen = None if fragment else known.find(_key(address))
    if seen is not None:
        return Wanted((address,), Pin((("sha256", seen.sha256),), seen.size))
    if fragment or not trust_first:
        raise UsageError(
            f"{shown(address)} is not pinned",
            found=f"#{fragment[:80]}" if fragment else "no digest",
            hint="append #sha256=... with the 64 digits of its sha256"
            + ("" if fragment else "; or --trust-first takes what comes now for what it is"),
        )
    return Wanted((address,), Pin(()))


def of_weights(
    name: Reference, weights: Weights, place: Path | str, lock: Lock | None
) -> list[Wanted]:
    """Return the files of the model `name` and what they must be.

    Parameters
    ----------
    weights
        What the registry at `place` says.
    lock
        What the project has locked, if it has.

    Raises
    ------
    IntegrityError
        The registry has other bytes under that name than were locked: it was published again.
    """
    files = fetching.wanted(weights)
    locked = lock.find(name) if lock else None
    if lock and locked:
        refuse_other(name, files, str(place), locked, lock.path)
        return [_with(files[0], locked.sha256, locked.size)] if not weights.files else files
    if files[0].pin.sha256 is None:
        seen = known.find(known.key_of_digest(files[0].pin))
        return [_with(files[0], seen.sha256, seen.size)] if seen else files
    return files


def refuse_other(
    name: Reference, files: Sequence[Wanted], place: str, locked: Locked, path: Path
) -> None:
    """Raise `IntegrityError` if a registry's `files` are not those that were `locked`."""
    pinned = {"sha256": locked.sha256, **dict(locked.stated)}
    stated = dict(files[0].pin.digests) if _is_alone(files) else {"sha256": _digest(files)}
    sizes = [file.pin.size for file in files if file.pin.size is not None]
    other = {kind: digest for kind, digest in stated.items() if digest != pinned.get(kind, digest)}
    if other or (sizes and sum(sizes) != locked.size):
        raise IntegrityError(
            f"{name} was published again: it is not what {path} pins",
            found=f"{_spelled(stated)}, {sum(sizes):,} bytes in {place}",
            hint=f"pinned are {_spelled(pinned)}, {locked.size:,} bytes;"
            f" if the change is meant: zoo lock --update {name}",
        )


def _is_alone(files: Sequence[Wanted]) -> bool:
    return len(files) == 1 and not files[0].path


def _digest(files: Sequence[Wanted]) -> str:
    """Return the digest of the model of several `files`, each of which is pinned."""
    return folder_digest((f.path, f.pin.size or 0, f.pin.sha256 or "") for f in files)


def _spelled(digests: Mapping[str, str]) -> str:
    return ", ".join(f"{kind} {digest}" for kind, digest in digests.items())


def remember(name: Reference | None, file: Wanted, found: Fetched) -> None:
    """Keep what `file` is now that it was `found`, and say so, where nobody had stated its sha256.

    Parameters
    ----------
    name
        What it is called, None for a bare URL.
    """
    if file.pin.sha256 is not None:
        return
    seen = known.Seen(found.sha256, found.size)
    if name is None:
        known.record(_key(file.urls[0]), seen)
        what = f"{shown(file.urls[0])} stated no digest"
    else:
        known.record(known.key_of_digest(file.pin), seen)
        what = f"upstream states only the {file.pin.digests[0][0]} of {name}"
    warnings.warn(
        f"{what}; from now on it must be sha256 {seen.sha256}, {counted(seen.size, 'byte')}"
        f" ({known.path()})",
        stacklevel=2,
    )


@contextmanager
def explaining(name: Reference | None, file: Wanted) -> Iterator[None]:
    """Have an error of the block say so if `file` is not what it was when it was seen first."""
    try:
        yield
    except IntegrityError as error:
        upstream = Pin(tuple(pair for pair in file.pin.digests if pair[0] != "sha256"))
        key = _key(file.urls[0]) if name is None else known.key_of_digest(upstream)
        seen = known.find(key) if key else None
        if seen is not None and seen.sha256 == file.pin.sha256:
            error.hint = (
                f"when it was seen first it was sha256 {seen.sha256}, {seen.size:,} bytes;"
                f" if the change is meant, take its line out of {known.path()}"
            )
        raise


def refuse_missing(
    wanted: Sequence[tuple[str, Wanted]], store: Store, others: Others = dict
) -> None:
    """Raise `FetchError` if files are neither in the store nor on this machine; list all of them.

    Parameters
    ----------
    wanted
        The files, each with the name of its model.
    others
        What opens the URLs that zoo does not open itself.
    """
    missing = [
        f"{name}: {_told(file)}"
        for name, file in wanted
        if store.find(file.pin) is None
        and all(sources.needs_network(url, others) for url in file.urls)
    ]
    if missing:
        raise FetchError(
            f"{counted(len(missing), 'file is', 'files are')} not on this machine",
            found="\n         ".join(missing),
            hint="no server is asked: fetch them without --offline and ZOO_OFFLINE first",
        )


def _told(file: Wanted) -> str:
    """Return where `file` would come from and what it would be."""
    path = f"{file.path} from " if file.path else ""
    size = "" if file.pin.size is None else f"{file.pin.size:,} bytes, "
    digests = ", ".join(f"{kind} {digest}" for kind, digest in file.pin.digests) or "no digest"
    return f"{path}{shown(file.urls[0])} ({size}{digests})"


def _with(file: Wanted, sha256: str, size: int) -> Wanted:
    """Return `file` with what is known of it besides what its registry states."""
    stated = tuple(pair for pair in file.pin.digests if pair[0] != "sha256")
    return replace(file, pin=Pin((("sha256", sha256), *stated), size))


def _key(address: str) -> str:
    """Return what a bare address is known by; a relative path is another file in each folder."""
    path = address.removeprefix("file:")
    if path != address and not path.startswith("/"):
        address = (Path.cwd() / path).as_uri()
    return known.key_of_address(address)
