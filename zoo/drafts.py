"""Rooms: hidden folders beside a target, in which what shall take its place is made.

A process that was killed leaves its room behind.  The next one that writes to the same target
clears it away: who lives holds a lock on the room, and the system takes that from who dies.
Where the file system has no locks, nobody can tell, and rooms stay.

What is in a room:

``new``
    The folder in which the drafts are made.
``old``
    What was at the target, under its names.
``now``
    A link to what the target's names lead to while they change together: see `zoo.together`.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.disk import written
from zoo.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Iterator

NEW, OLD, NOW, _GONE = "new", "old", "now", "gone"
_MARK, _LONGEST = ".zoo-", 60
_ROOM = re.compile(r"\..*\.zoo-\w{8}")
_PATIENCE, _PAUSE = 60.0, 0.01
"""Seconds to wait for another process, in all and between two looks."""


@contextmanager
def drafting(folder: Path, name: str) -> Iterator[Path]:
    """Yield an empty folder in a room inside `folder`, gone when the block ends.

    Disk errors become ours.  If the block fails, folders that were made for it go too.  Rooms for
    the same `name` that dead processes left go first, so that their space is there for this one.
    """
    with written(folder / name):
        new = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder, name)
        room, descriptor = _moved_in(folder, name)
    try:
        with written(folder / name):
            (room / NEW).mkdir()
            yield room / NEW
    except BaseException:
        _clear(room)
        with suppress(OSError):  # one that holds something by now stays
            for parent in new:
                parent.rmdir()
        raise
    finally:
        _clear(room)
        os.close(descriptor)


def _beginning(name: str) -> str:
    return f".{name[:_LONGEST]}{_MARK}"


def _moved_in(folder: Path, name: str) -> tuple[Path, int]:
    """Return a new room in `folder`, and the open file that holds its lock.

    Between the making of a room and its lock another process may take it for one of the dead.
    """
    while True:
        room = Path(tempfile.mkdtemp(prefix=_beginning(name), dir=folder))
        with suppress(FileNotFoundError):
            descriptor = os.open(room, os.O_RDONLY)
            if locked(descriptor) is not False and _is_at(descriptor, room):
                return room, descriptor
            os.close(descriptor)


def _is_at(descriptor: int, room: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), room.stat())
    except FileNotFoundError:
        return False


def _sweep(folder: Path, name: str) -> None:
    """Clear the rooms for `name` in `folder` whose processes are dead."""
    with suppress(OSError):
        for room in folder.iterdir():
            if room.name.startswith(_beginning(name)) and _ROOM.fullmatch(room.name):
                with suppress(OSError, BusyError):
                    _sweep_one(folder, room)


def _sweep_one(folder: Path, room: Path) -> None:
    descriptor = os.open(room, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        if not _is_ours(room) or not locked(descriptor):
            return
        if (room / NOW).is_symlink():
            with alone(folder, patience=0):
                settle(folder, room)
        else:
            _bring_back(folder, room / OLD)
        _clear(room)
    finally:
        os.close(descriptor)


def _bring_back(folder: Path, old: Path) -> None:
    """Have a folder that was set aside in `old` back in `folder` where nothing took its place."""
    for aside in old.iterdir() if old.is_dir() else ():
        if aside.is_dir() and not os.path.lexists(folder / aside.name):
            aside.rename(folder / aside.name)


def _clear(room: Path) -> None:
    """Delete `room`, unless something in it is nowhere else."""
    if not any(_needed(room)):
        give_up_old(room)  # in one step: a part of it would look needed
        shutil.rmtree(room, ignore_errors=True)


def give_up_old(room: Path) -> None:
    """Say that what was set aside in `room`, if anything was, need not come back."""
    with suppress(FileNotFoundError):
        (room / OLD).rename(room / _GONE)


def _needed(room: Path) -> Iterator[Path]:
    """Yield what leads into `room`, or what was set aside there and has no successor."""
    if (room / NOW).is_symlink():
        yield from (path for path, end in _leading(room.parent) if end.parent.parent == room)
    elif (room / OLD).is_dir():
        for aside in (room / OLD).iterdir():
            if not os.path.lexists(room.parent / aside.name):
                yield aside


def settle(folder: Path, room: Path | None = None) -> None:
    """Have the names of `folder` that lead into `room` be what they lead to.

    Each is replaced in one step by what it led to already, so that readers notice nothing; one that
    leads to nothing goes.  This is done where a process is alone with `folder`, see `alone`.

    Parameters
    ----------
    room
        The room; by default any that is this user's: their processes are dead then.
    """
    for path, end in [*_leading(folder)]:
        inside = end.parent.parent
        if inside == room or (room is None and _is_ours(inside)):
            if os.path.lexists(end):
                os.replace(end, path)  # noqa: PTH105  (tests make this very call fail)
            else:
                path.unlink()


def _leading(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield what in `folder` leads into a room, and the path in there to which it leads."""
    with os.scandir(folder) as inside:
        names = [entry.name for entry in inside if entry.is_symlink()]
    for name in names:
        link = (folder / name).readlink()
        if link.parts[1:] == (NOW, name) and _ROOM.fullmatch(link.parts[0]):
            yield folder / name, folder / link


def _is_ours(room: Path) -> bool:
    """Tell whether `room` is this user's; what others put there is not to be trusted."""
    try:
        return room.lstat().st_uid == os.geteuid()
    except FileNotFoundError:
        return False


@contextmanager
def alone(folder: Path, patience: float = _PATIENCE) -> Iterator[None]:
    """Keep other processes out of such a block on `folder`, where the file system can do that.

    What the folder says of itself is read, changed and written in one such block.

    Parameters
    ----------
    patience
        Seconds to wait for another process.

    Raises
    ------
    BusyError
        It took longer.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        deadline = time.monotonic() + patience
        while locked(descriptor) is False:
            if time.monotonic() > deadline:
                raise BusyError(f"{folder} is in use", found="another process is writing there")
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


def locked(descriptor: int) -> bool | None:
    """Take the lock of an open file if it is free; None where the file system has none to take."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
