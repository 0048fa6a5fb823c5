"""Which processes use which files of the cache, so that nobody deletes them meanwhile.

A process that is about to look for a file writes the file's digest into a lease of its own, and
only then looks.  Who wants to delete a file announces that first, and only then reads the leases.
So at least one of the two sees the other: the reader waits until the announcement is gone, or the
other leaves the file alone.  That needs no locks; a lease is locked all the same, since a lock says
more than a name about processes of other machines.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo import home, owners
from zoo.drafts import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_LEASES, _GOING = "leases", "going"
_PATIENCE, _PAUSE = 10.0, 0.01
"""Seconds to wait for who deletes a file, in all and between two looks."""


@dataclass
class _Lease:
    """The lease of this process on files of one cache."""

    path: Path
    descriptor: int
    process: int
    digests: set[str] = field(default_factory=set)

    def is_there(self) -> bool:
        """Tell whether others can read it: the cache may have been deleted."""
        if self.process != os.getpid():
            return False
        with suppress(OSError):
            return os.path.samestat(self.path.stat(), os.fstat(self.descriptor))
        return False

    def add(self, digest: str) -> None:
        """Have it say that `digest` is in use."""
        os.write(self.descriptor, f"{digest}\n".encode())
        self.digests.add(digest)


_held: dict[Path, _Lease] = {}
_locked_down: dict[Path, int] = {}
_turn = threading.Lock()


def hold(root: Path, digest: str, path: Path) -> None:
    """Keep what is called `digest` in the cache `root`, at `path`, until this process ends.

    If another process is deleting it, it is gone when this returns.  In a cache that may only be
    read no lease can be written: the file itself is locked there.
    """
    if not os.path.isdir(root):  # noqa: PTH112  (Path.is_dir raises where one may not look)
        return
    with _turn:
        try:
            lease = _held.get(root)
            if lease is None or not lease.is_there():
                lease = _held[root] = _new(root, lease.digests if lease else set())
            if digest not in lease.digests:
                lease.add(digest)
        except OSError:
            _lock_down(path)
    _wait(lambda: not _is_going(root / _GOING, digest))


def in_use(root: Path) -> dict[str, list[str]]:
    """Return the digests that processes use, each with these processes, for people.

    Leases of dead processes are deleted.
    """
    found: dict[str, list[str]] = {}
    for path in _live(root):
        with suppress(OSError):
            for digest in path.read_text().split():
                found.setdefault(digest, []).append(owners.process(path))
    return found


@contextmanager
def going(root: Path, digest: str, paths: Iterable[Path]) -> Iterator[bool]:
    """Announce that `digest`, at `paths`, is about to be deleted; yield whether nobody uses it.

    On a full disk nothing can be announced, and what takes up the space must go all the same.
    """
    path = root / _GOING / f"{digest}.{owners.name()}"
    with suppress(OSError):
        home.made(path.parent, root)
        path.touch()
    descriptors = [one for at in paths if (one := _opened(at)) is not None]
    try:
        free = all(locked(descriptor) is not False for descriptor in descriptors)
        yield free and digest not in in_use(root)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _lock_down(path: Path) -> None:
    """Share the lock of the file or folder at `path` until this process ends, if it is there."""
    descriptor = None if path in _locked_down else _opened(path)
    if descriptor is not None and _wait(lambda: _is_shared(descriptor)):
        _locked_down[path] = descriptor


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None


def _is_shared(descriptor: int) -> bool:
    """Share the lock of an open file unless another has it alone; tell whether that is over."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # there are no locks here
    return True


def _new(root: Path, digests: set[str]) -> _Lease:
    """Return a new lease on `digests`; those of the dead go, else they would become many."""
    _live(root)
    path = home.made(root / _LEASES, root) / owners.name()
    # writable, since NFS locks nothing else
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW
    lease = _Lease(path, os.open(path, flags, 0o666), os.getpid())
    with suppress(OSError):
        path.chmod(home.writable(root))
        fcntl.flock(lease.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    for digest in digests:
        lease.add(digest)
    return lease


def _live(root: Path) -> list[Path]:
    """Return the leases of processes that may be alive, having deleted the others."""
    try:
        paths = [*(root / _LEASES).iterdir()]
    except OSError:
        return []
    live = []
    for path in paths:
        if owners.lives(path) or _is_locked(path):
            live.append(path)
        else:
            with suppress(OSError):
                path.unlink()
    return live


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return locked(descriptor) is False
    finally:
        os.close(descriptor)


def _wait(over: Callable[[], bool]) -> bool:
    """Wait until something is `over`, which takes others a moment; tell whether it is."""
    deadline = time.monotonic() + _PATIENCE
    while not over():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def _is_going(folder: Path, digest: str) -> bool:
    try:
        names = os.listdir(folder)  # noqa: PTH208  (called for each file that is looked for)
    except OSError:
        return False
    return any(n.startswith(f"{digest}.") and owners.lives(folder / n) for n in names)


def _give_back() -> None:
    """Delete the leases of this process, which ends."""
    for lease in _held.values():
        if lease.process == os.getpid():
            with suppress(OSError):
                lease.path.unlink()


def _renew() -> None:
    """Give a child that was forked leases of its own: its parent may end before it does."""
    global _turn  # noqa: PLW0603  (another thread may have held it, which the child has not)
    _turn = threading.Lock()
    for root, lease in _held.items():
        with suppress(OSError):
            _held[root] = _new(root, lease.digests)


atexit.register(_give_back)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
