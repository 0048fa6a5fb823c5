"""Who works on a partial: one process, and others wait for it.

That nobody else writes into it never rests on the lock alone.  The name has this start of this
machine in it, so that who shares the folder over a network has partials of his own.  Where a lock
keeps nobody out, which is tried, the name is unique.  What others left is copied, never written to.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.disk import written
from zoo.drafts import locked
from zoo.mapped import CHUNK
from zoo.partials import Partial, is_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PAUSE = 0.05
"""Seconds between two looks at what another process holds."""
_STALE = 3600
"""Seconds after which what somebody else left is not likely to be worked on."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def claimed(
    folder: Path, key: str, patience: float, is_done: Callable[[], bool], *, copies: bool
) -> Iterator[Partial | None]:
    """Yield the partial of `key`, for this process alone; None once `is_done` while waiting.

    Parameters
    ----------
    patience
        Seconds to wait for another process that works on it; then one of our own is begun.
    is_done
        Tells whether the file is there: somebody else may have brought it.
    copies
        Whether what others left of it may be gone on with: a digest tells in the end.
    """
    with written(folder / key):
        folder.mkdir(parents=True, exist_ok=True)
        partial = _waited_for(folder, f"{key}-{_here()}", time.monotonic() + patience, is_done)
    try:
        if copies and partial is not None and partial.size == 0:
            _copy_from_others(partial, folder, key)
        yield partial
    finally:
        if partial is not None:
            partial.close()


def forget(folder: Path, key: str) -> None:
    """Remove what others left of the file `key`, which is in the store by now.

    What was touched lately somebody may still be at, on another machine.
    """
    for path in folder.glob(f"{key}-*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE:
                path.unlink()


def _waited_for(
    folder: Path, name: str, deadline: float, is_done: Callable[[], bool]
) -> Partial | None:
    while not is_done():
        partial = _own(folder / name)
        if partial is None and time.monotonic() > deadline:
            partial = _unique(folder, name)
        if partial is not None:
            if is_done():  # who held it before was through
                partial.close()
                return None
            return partial
        time.sleep(_PAUSE)
    return None


def _own(path: Path) -> Partial | None:
    """Return the partial at `path`, locked; a unique one where locks are none; else None."""
    descriptor = _opened(path, 0)
    held = locked(descriptor)
    if held and is_at(descriptor, path):
        if _keeps_out(path):
            return Partial(path, descriptor)
        held = None
        if not os.fstat(descriptor).st_size:
            path.unlink(missing_ok=True)
    os.close(descriptor)
    return _unique(path.parent, path.name) if held is None else None


def _keeps_out(path: Path) -> bool:
    """Tell whether a lock that is held on `path` keeps anybody out."""
    second = _opened(path, 0)
    try:
        return locked(second) is False
    finally:
        os.close(second)


def _unique(folder: Path, name: str) -> Partial:
    path = folder / f"{name}-{secrets.token_hex(4)}"
    return Partial(path, _opened(path, os.O_EXCL))


def _opened(path: Path, flags: int) -> int:
    """Open `path` for reading and writing, which locks over NFS ask for, and follow no link."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o666)


def _here() -> str:
    """Return a name of this start of this machine: only within it a lock means something."""
    try:
        return _BOOT.read_text()[:8]
    except OSError:
        return re.sub(r"\W", "", platform.node())[:32] or "here"


def _copy_from_others(partial: Partial, folder: Path, key: str) -> None:
    """Begin `partial` with what a process left that ended before, or runs elsewhere."""
    left = [
        path
        for path in folder.glob(f"{key}-*")
        if "." not in path.name and path != partial.path and path.is_file()
    ]
    longest = max(left, key=lambda path: path.stat().st_size, default=None)
    if longest is not None:
        with longest.open("rb") as file:
            while chunk := file.read(CHUNK):
                partial.append(chunk)
