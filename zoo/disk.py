"""What the disk is asked for: bytes that last, two names that change places, errors of ours."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import DiskError, WriteError, ZooError

if TYPE_CHECKING:
    from collections.abc import Iterator

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}
_SPECIAL = {
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}
_CANNOT = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.ENOENT}
"""What an exchange fails with where there is none, or nothing to exchange with."""
_HERE, _EXCHANGE = -100, 2
"""``AT_FDCWD`` and ``RENAME_EXCHANGE`` of Linux."""


def exchange(one: Path, other: Path) -> bool:
    """Have what lies at `one` and at `other` change places, in one step of the file system.

    Either may be a file or a folder.  Where the system or the file system has no such step, nothing
    happens and False is returned.

    Source: the manual page ``renameat2(2)``.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(other))


def take_over_mode(draft: Path, path: Path) -> None:
    """Give `draft` the permissions of what is at `path`, if both are files or both folders."""
    with suppress(OSError):
        mode = path.stat().st_mode
        if stat.S_IFMT(mode) == stat.S_IFMT(draft.stat().st_mode):
            draft.chmod(stat.S_IMODE(mode))


def special(path: Path) -> str:
    """Return what `path` is, or leads to, where that is neither a file nor a folder."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""  # nothing is there, or whoever writes it will hear why not
    return _SPECIAL.get(stat.S_IFMT(mode), "")


def refuse_special(path: Path) -> None:
    """Check that a file may take the place of `path`: of a pipe or a device it must not."""
    if kind := special(path):
        hint = "name a file; programs that read it would lose what they read from"
        raise WriteError(f"{path} is {kind}, where a file should go", found=kind, hint=hint)


def refuse_folder(path: Path) -> None:
    """Check that a file may take the place of `path`: of a folder it must not."""
    if path.is_dir():
        raise WriteError(f"{path} is a folder, where a file should go", hint="name the file")


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
