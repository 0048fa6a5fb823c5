"""Several files of a folder that change together: a checkpoint is read by names, not as one file.

One rename changes one name, and a reader wants all of them old or all of them new.  So each name
first becomes a link to what it was, by way of one folder; then that folder is changed for another
one, by one rename; then each name becomes what it leads to.  Only the rename in the middle changes
what a reader finds, and it changes all of it.

A process that is killed in between leaves links that lead to the old or to the new, all of them,
and the room to which they lead; the next one that writes there settles that (`zoo.drafts`).  What
is not promised: a reader that opened one file before that rename and the next one after it.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from zoo import disk, drafts
from zoo.drafts import NOW, OLD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_NO_LINKS = {errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP, errno.EINVAL}
"""What the making of a link fails with where the file system has none."""
_READABLE = 0o755


def publish_all(
    draft: Path, folder: Path, names: Sequence[str], pointer: str, stale: Sequence[str] = ()
) -> None:
    """Move the files `names` and `pointer` from the folder `draft` to `folder`, in one step.

    Parameters
    ----------
    draft
        What `zoo.drafts.drafting` gave for `folder`, with the files in it.
    names
        Files, new ones or such as replace others, which keep their permissions.  The one that
        readers look for is the last.
    pointer
        A file that tells of the others.
    stale
        Files of `folder` that are gone after that step.

    Raises
    ------
    WriteError
        Where a file should go there is a folder, a pipe, a device or a socket.
    OSError
        A step failed; everything is as it was.
    """
    room, changing = draft.parent, [*names, pointer, *stale]
    for name in changing:
        disk.refuse_special(folder / name)
        disk.refuse_folder(folder / name)
        disk.take_over_mode(draft / name, folder / name)
    drafts.settle(folder)
    disk.sync(draft)
    (room / OLD).mkdir()
    room.chmod(stat.S_IMODE(folder.stat().st_mode) & _READABLE | stat.S_IRWXU)
    if _has_links(room):
        _switch(draft, folder, changing)
    else:
        _move(draft, folder, names, pointer, stale)
    disk.sync_folder(folder)


def _has_links(room: Path) -> bool:
    """Have the link in `room` lead to what is old, if the file system has links."""
    try:
        _lead(room, NOW, OLD)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return False
    return True


def _switch(draft: Path, folder: Path, names: Sequence[str]) -> None:
    """Have readers find under `names` what is in `draft`, or nothing, by one rename."""
    room = draft.parent
    try:
        for name in names:
            _keep(folder / name, room / OLD / name)
        for name in names:
            _lead(room, name, f"{room.name}/{NOW}/{name}", into=folder)
        disk.sync_folder(room)
        disk.sync_folder(folder)
        _lead(room, NOW, draft.name)
    except BaseException:
        if (room / NOW).readlink().name != OLD:
            _lead(room, NOW, OLD)
        drafts.settle(folder, room)
        raise
    with suppress(OSError):  # it is published, though by way of links
        disk.sync_folder(room)
        drafts.settle(folder, room)


def _lead(room: Path, name: str, end: str, into: Path | None = None) -> None:
    """Have `name` in the folder `into`, by default `room`, be a link to `end`, in one step."""
    link = room / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(end)
    os.replace(link, (into or room) / name)  # noqa: PTH105  (tests make this very call fail)


def _keep(path: Path, old: Path) -> None:
    """Have the file at `path`, if there is one, at `old` too; of a link its end counts."""
    if path.is_symlink():
        old.symlink_to(path.parent.resolve() / path.readlink())
    elif path.exists():
        try:
            os.link(path, old)
        except OSError:
            shutil.copy2(path, old)
            disk.sync(old)


def _move(
    draft: Path, folder: Path, names: Sequence[str], pointer: str, stale: Sequence[str]
) -> None:
    """Move files where there are no links: no reader finds new ones under an old index.

    The last one goes aside before all others.  A process that is killed in between leaves the old
    files in the room, which nobody clears away then.
    """
    old = draft.parent / OLD
    there = [name for name in (*reversed(names), *stale) if (folder / name).exists()]
    moves = [(folder / name, old / name) for name in there]
    moves += [(draft / name, folder / name) for name in names]
    done: list[tuple[Path, Path]] = []
    try:
        for move in moves:
            os.replace(*move)  # noqa: PTH105
            done.append(move)
        os.replace(draft / pointer, folder / pointer)  # noqa: PTH105
    except BaseException:
        for start, end in reversed(done):
            end.rename(start)
        raise
    drafts.give_up_old(draft.parent)
