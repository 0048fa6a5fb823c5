"""Write a file or a folder so that it is there whole or not at all.

A process that dies at any moment leaves the old or the new, never a part; and the new is on the
disk before it has its name, so that neither does a machine that dies.
"""

import errno
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from zoo import disk
from zoo.disk import written
from zoo.drafts import OLD, drafting
from zoo.errors import WriteError

_TAKEN = {errno.EEXIST, errno.ENOTDIR, errno.ENOTEMPTY}
"""What a rename of a folder fails with where something is."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to, which takes the place of `path` if the block succeeds.

    A file or a folder takes the place of a file, a folder that of a folder, each in one step;
    a folder's needs Linux and a file system that can do it, and else has a moment in which the old
    one lies aside.  It has the permissions of what it replaces.  The draft lies in the folder of
    `path`, so the last step is a rename within one file system.  If the block or that step raises,
    the draft is gone and `path` is as it was.

    Raises
    ------
    DiskError
        The disk is full or failed.
    WriteError
        The folder cannot be made or written to, or `path` is a pipe, a device or a socket.
    """
    disk.refuse_special(path)
    if path.is_symlink():  # the link stays, what it leads to is replaced
        path = _end_of(path)
    with drafting(path.parent, path.name) as new:
        draft = new / path.name
        yield draft
        with written(path):
            _publish(draft, path)


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
    if disk.special(path):
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


def _end_of(link: Path) -> Path:
    end = Path(os.path.realpath(link))
    if end.is_symlink():
        raise WriteError(f"{link} leads to itself", found="links in a circle")
    return end


def _publish(draft: Path, path: Path) -> None:
    """Move `draft`, which lies in a room, to `path`."""
    if not draft.is_dir():
        disk.refuse_folder(path)
    disk.refuse_special(path)  # it may have come while the draft was written
    disk.take_over_mode(draft, path)
    disk.sync(draft)
    if not (draft.is_dir() and os.path.lexists(path) and disk.exchange(draft, path)):
        _move(draft, path)
    disk.sync_folder(path.parent)


def _move(draft: Path, path: Path) -> None:
    """Rename `draft` to `path`; what no folder can be renamed over goes aside, back if it fails."""
    aside = draft.parent.parent / OLD / path.name
    try:
        if draft.is_dir() and os.path.lexists(path):
            aside.parent.mkdir()
            path.rename(aside)
        os.replace(draft, path)  # noqa: PTH105  (tests make this very call fail)
    except BaseException:
        if os.path.lexists(aside):
            aside.rename(path)
        raise


def add(folder: Path, write: Callable[[Path], None], place: Callable[[], Path]) -> Path:
    """Make a folder by `write`, move it to the path in `folder` that `place` names; return that.

    Nothing is replaced: where another process was faster the rename fails, and `place` is asked
    again, until it names a free one or raises.
    """
    with drafting(folder, place().name) as new:
        draft = new / "draft"
        draft.mkdir()
        write(draft)
        disk.sync(draft)
        while True:
            path = place()
            try:
                os.replace(draft, path)  # noqa: PTH105
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise
            else:
                disk.sync_folder(folder)
                return path
