"""``zoo lock`` and ``zoo sync``: pin the models of a project, and have exactly these."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from zoo import bringing, drafts, fetching, lockfile, pinning, pruning
from zoo.addresses import shared
from zoo.errors import UnknownNameError, UsageError, did_you_mean, some
from zoo.fetching import Wanted
from zoo.lockfile import Lock, Locked, LockedFile
from zoo.names import Reference, reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.bringing import Pinned
    from zoo.fetching import Fetched
    from zoo.library import Library
    from zoo.store import Pin

_PATIENCE = 10.0
"""Seconds to wait for another process that locks in the same folder."""


@dataclass(frozen=True)
class Change:
    """What `lock` did to one model: its pin now, and the one before, None if it is new."""

    now: Locked
    before: Locked | None


def lock(
    library: Library, refs: Sequence[str], path: Path, *, update: bool = False
) -> list[Change]:
    """Pin the models `refs` in the lock at `path`, or check those that it has if there are none.

    What a registry pins by its sha256 is not fetched; other models are, to see what they are.

    Parameters
    ----------
    update
        Whether a model that was published again is pinned anew.

    Raises
    ------
    IntegrityError
        A model is not what is locked, and `update` does not allow it.
    UsageError
        There is nothing to pin.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder} for a lock")
    with drafts.alone(folder, _PATIENCE):
        old = lockfile.here(path) or Lock(path)
        names = refs or [str(locked.name) for locked in old.models]
        if not names:
            raise UsageError(f"{path} pins nothing yet", hint="name models: zoo lock NAME...")
        library.lock = None if update else old
        changes = [_change(library, ref, old, folder, update) for ref in names]
        new = old.with_models(change.now for change in changes)
        if new != old:
            lockfile.write(new)
    return changes


def remove(refs: Sequence[str], path: Path) -> list[Locked]:
    """Take the pins of the models `refs` out of the lock at `path`, and return them.

    Raises
    ------
    UnknownNameError
        It has no such pin.
    """
    with drafts.alone(path.absolute().parent, _PATIENCE):
        old = lockfile.here(path) or Lock(path)
        gone = [_in_lock(old, ref) for ref in refs]
        lockfile.write(replace(old, models=tuple(m for m in old.models if m not in gone)))
    return gone


def sync(library: Library, path: Path, refs: Sequence[str] = ()) -> list[tuple[Locked, Fetched]]:
    """Have in the store what the lock at `path` pins, all of it or `refs`, and return it.

    No registry is asked.  Offline, everything that is missing is listed in one error.

    Raises
    ------
    FetchError
        No source gave a file.
    IntegrityError
        What came is not what is pinned.
    UnknownNameError
        There is no lock, or it has no such pin.
    """
    found = lockfile.here(path)
    if found is None:
        raise UnknownNameError(f"there is no {path}", hint="zoo lock NAME... writes one")
    chosen = [_in_lock(found, ref) for ref in refs] or [*found.models]
    if library.offline:
        wanted = [(str(one.name), file) for one in chosen for file in _wanted(one)]
        pinning.refuse_missing(wanted, library.store, library.sources)
    base = path.absolute().parent
    how: dict[str, Any] = {"offline": library.offline, "manner": library.manner}
    how["others"] = library.sources
    pruning.budget()  # what it says wrongly is said before anything is fetched
    brought = []
    for one in chosen:
        fetched = fetching.fetch(_wanted(one), library.store, base, **how)
        bringing.used(fetched, str(one.name), library.store)
        brought.append((one, fetched))
    return brought


def _in_lock(found: Lock, ref: str) -> Locked:
    name = reference(ref)
    locked = found.find(name) if name is not None else None
    if locked is None:
        known = [str(one.name) for one in found.models]
        raise UnknownNameError(
            f"{found.path} does not pin {ref!r}",
            found=some(known) or "nothing",
            hint=did_you_mean(ref, known),
        )
    return locked


def _wanted(locked: Locked) -> list[Wanted]:
    return [Wanted(file.urls, file.pin, file.path) for file in locked.files]


def _change(library: Library, ref: str, old: Lock, folder: Path, update: bool) -> Change:
    pinned = library.pinned(ref)
    if pinned.registry is None:
        raise UsageError(f"{ref} has no name", hint="zoo add gives one; a lock pins names")
    entry, alone = pinned.registry.entry(pinned.name.name), Reference(pinned.name.name)
    weights = entry.weights[str(pinned.name.tag)]
    before = None if update else old.find(alone)
    now = Locked(
        pinned.name,
        default=pinned.name.tag == (before.name.tag if before else entry.tag(alone)),
        format=weights.format,
        files=tuple(_files(library, pinned, folder)),
        member=weights.member,
        stated=tuple(fetching.wanted(weights)[0].pin.digests) if not weights.files else (),
    )
    return Change(now, next((one for one in old.models if one.name == now.name), None))


def _files(library: Library, pinned: Pinned, folder: Path) -> list[LockedFile]:
    """Return the files of a model as a lock in `folder` has them."""
    base = pinned.registry.base if pinned.registry else folder
    return [
        LockedFile(
            tuple(_seen_from(folder, base, url) for url in file.urls),
            *_sha256_and_size(library, pinned, file.pin),
            file.path,
        )
        for file in pinned.files
    ]


def _sha256_and_size(library: Library, pinned: Pinned, pin: Pin) -> tuple[str, int]:
    """Return what `pin` says, or what comes now where it does not say it."""
    if pin.sha256 is not None and pin.size is not None:
        return pin.sha256, pin.size
    found = library.bring(pinned)
    return found.sha256, found.size


def _seen_from(folder: Path, base: Path, url: str) -> str:
    """Return `url`, of a registry in `base`, as a lock in `folder` has it.

    A file beside the lock stays beside it, wherever both go; another has an absolute address.
    """
    path = unquote(urlsplit(url).path)
    if not url.startswith("file:") or path.startswith("/"):
        return shared(url)
    inside = os.path.relpath((base / path).resolve(), folder.resolve())
    if inside.startswith(".."):
        return (base / path).resolve().as_uri()
    return f"file:{urlsplit(Path('/', inside).as_uri()).path[1:]}"
