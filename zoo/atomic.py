"""Write a file or a folder so that it is there whole or not at all.

A process that dies at any moment leaves the old or the new, never a part; and the new is on the
disk before it has its name, so that neither does a machine that dies.
"""

import errno
import fcntl
import os
import shlex
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from zoo.errors import BusyError, DiskError, WriteError, ZooError

_PATIENCE, _PAUSE = 60.0, 0.01
"""Seconds to wait for another process, in all and between two looks."""
_TAKEN = {errno.EEXIST, errno.ENOTDIR, errno.ENOTEMPTY}
"""What a rename of a folder fails with where something is."""
_SPECIAL = {
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to, which takes the place of `path` if the block succeeds.

    The draft lies in the folder of `path`, so the last step is a rename within one file system.  If
    the block or that step raises, the draft is gone and `path` is as it was.

    Raises
    ------
    DiskError
        The disk is full or failed.
    WriteError
        The folder cannot be made or written to, or `path` is a pipe, a device or a socket.
    """
    _refuse_special(path)
    if path.is_symlink():  # the link stays, what it leads to is replaced
        path = _end_of(path)
    with drafting(path.parent, path.name) as room:
        draft = room / path.name
        yield draft
        with written(path):
            publish(draft, path, aside=room / "old")


@contextmanager
def receiving(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write to, whose bytes are at `path` if the block succeeds.

    A file there is replaced; a pipe or a device, which has readers or a meaning of its own, gets
    the bytes written into it.  No folder is made for it.

    Raises
    ------
    DiskError, WriteError
        As `replacing` has them; or there is no such folder.
    """
    if _special(path):
        with written(path), tempfile.TemporaryFile() as held:
            yield held
            held.seek(0)
            with os.fdopen(os.open(path, os.O_WRONLY), "wb") as target:
                shutil.copyfileobj(held, target)
        return
    require_folder(path)
    with replacing(path) as draft, draft.open("wb") as file:
        yield file


def require_folder(path: Path) -> None:
    """Check that the folder is there in which `path` is to be written."""
    folder = (_end_of(path) if path.is_symlink() else path).parent
    if not folder.is_dir():
        hint = f"make the folder first: mkdir -p {shlex.quote(str(folder))}"
        raise WriteError(f"{path} could not be written", found=f"no folder {folder}", hint=hint)


def _refuse_special(path: Path) -> None:
    """Check that a file may take the place of `path`: of a pipe or a device it must not."""
    if kind := _special(path):
        hint = "name a file; programs that read it would lose what they read from"
        raise WriteError(f"{path} is {kind}, where a file should go", found=kind, hint=hint)


def _special(path: Path) -> str:
    """Return what `path` is, or leads to, where that is neither a file nor a folder."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""  # nothing is there, or whoever writes it will hear why not
    return _SPECIAL.get(stat.S_IFMT(mode), "")


def _end_of(link: Path) -> Path:
    try:
        return link.resolve()
    except RuntimeError as error:  # so Python calls links in a circle
        raise WriteError(f"{link} leads to itself", found="links in a circle") from error


@contextmanager
def drafting(folder: Path, name: str) -> Iterator[Path]:
    """Yield an empty folder inside `folder`, gone when the block ends; disk errors become ours.

    If the block fails, folders that were made for it go too.
    """
    with written(folder / name):
        new = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        room = Path(tempfile.mkdtemp(prefix=f".{name[:60]}.", dir=folder))
    try:
        with written(folder / name):
            yield room
    except BaseException:
        shutil.rmtree(room, ignore_errors=True)
        with suppress(OSError):  # one that holds something by now stays
            for parent in new:
                parent.rmdir()
        raise
    finally:
        shutil.rmtree(room, ignore_errors=True)


def publish(draft: Path, path: Path, *, aside: Path) -> None:
    """Move `draft` to `path`; a folder there goes `aside` first, and back if that fails."""
    if path.is_dir() and not draft.is_dir():
        raise WriteError(f"{path} is a folder, where a file should go", hint="name the file")
    _refuse_special(path)  # it may have come while the draft was written
    sync(draft)
    try:
        if path.is_dir() and not path.is_symlink():  # a folder cannot be renamed over another
            path.rename(aside)
        os.replace(draft, path)  # noqa: PTH105  (tests make this very call fail)
    except BaseException:
        if aside.exists():
            aside.rename(path)
        raise
    sync_folder(path.parent)


def publish_all(
    room: Path, folder: Path, names: Sequence[str], pointer: str, stale: Sequence[str] = ()
) -> None:
    """Move the files `names` from `room` to `folder`, then `pointer`, which tells of them.

    Files that are there go aside first, the last one before all others: readers look for that
    one, and find no new files under an old one.  So do those called in `stale`, which have no
    successor.  `pointer` is replaced in one step.  If a step fails, everything is as it was.
    """
    for name in (*names, pointer):
        _refuse_special(folder / name)
    old = room / "old"
    old.mkdir()
    sync(room)
    there = [name for name in (*reversed(names), *stale) if (folder / name).exists()]
    moves = [(folder / name, old / name) for name in there]
    moves += [(room / name, folder / name) for name in names]
    done: list[tuple[Path, Path]] = []
    try:
        for move in moves:
            os.replace(*move)  # noqa: PTH105
            done.append(move)
        os.replace(room / pointer, folder / pointer)  # noqa: PTH105
    except BaseException:
        for start, end in reversed(done):
            end.rename(start)
        raise
    sync_folder(folder)


def add(folder: Path, write: Callable[[Path], None], place: Callable[[], Path]) -> Path:
    """Make a folder by `write`, move it to the path in `folder` that `place` names; return that.

    Nothing is replaced: where another process was faster the rename fails, and `place` is asked
    again, until it names a free one or raises.
    """
    with drafting(folder, folder.name) as room:
        draft = room / "draft"
        draft.mkdir()
        write(draft)
        sync(draft)
        while True:
            path = place()
            try:
                os.replace(draft, path)  # noqa: PTH105
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise
            else:
                sync_folder(folder)
                return path


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
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                raise BusyError(f"{folder} is in use", found="another process is writing there")
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Take the lock if it is free; a file system without locks has none to wait for."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def sync(path: Path) -> None:
    """Bring the file `path`, or the folder and everything in it, to the disk."""
    if path.is_dir():
        for folder, _, names in os.walk(path):
            for name in names:
                _sync_one(Path(folder, name))
            _sync_one(Path(folder))
    else:
        _sync_one(path)


def sync_folder(folder: Path) -> None:
    """Bring to the disk which files `folder` has, so that a rename in it lasts."""
    _sync_one(folder)


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the block, which writes `path`, into one of ours."""
    try:
        yield
    except ZooError:
        raise
    except OSError as error:
        what = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
        if error.errno in _DISK:
            hint = "free some space, or write to another disk; nothing was left half-written"
            raise DiskError(f"{path} could not be written", found=what, hint=hint) from error
        raise WriteError(f"{path} could not be written", found=what) from error
