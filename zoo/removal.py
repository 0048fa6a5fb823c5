"""Take things out of the cache, so that a process that dies meanwhile leaves no half of one.

A folder is moved out of sight by one rename and then deleted; whoever deletes next finishes what a
dead process left.  What another process uses is left alone.
"""

from __future__ import annotations

import errno
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from zoo import disk, home, inventory, leases, owners, rooms, usage

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.inventory import Item

TRASH = "trash"


def remove(root: Path, item: Item) -> bool:
    """Delete `item` from the cache `root` unless a process uses it; tell whether it is gone.

    Raises
    ------
    DiskError, WriteError
        It cannot be deleted.
    """
    first, *others = item.paths
    if not _remove(root, item.key, first):
        return False
    for path in others:
        if _remove(root, path.name, path):  # not a part that is on its way into another model
            usage.forget(root, path.name)
    usage.forget(root, item.key)
    (root / inventory.PINNED / item.key).unlink(missing_ok=True)
    return True


def clear(root: Path) -> int:
    """Delete what dead processes left in the cache `root`; return how many things that were."""
    count = sum(rooms.sweep(root / name) for name in (TRASH, "drafts", "going"))
    present = {path.name for item in inventory.items(root) for path in item.paths}
    present |= {item.key for item in inventory.items(root)}
    for record in [*(root / usage.FOLDER).glob("[!.]*")]:
        if record.name not in present:
            usage.forget(root, record.name)
    return count


def _remove(root: Path, key: str, path: Path) -> bool:
    """Delete `path`, which is called `key`, unless a process uses it; tell whether it is gone."""
    gone: list[Path] = []
    try:
        with disk.written(path), leases.going(root, key, [path]) as free:
            if free:
                gone = _out_of_sight(root, path)
            return free
    finally:
        for trash in gone:
            shutil.rmtree(trash, ignore_errors=True)


def _out_of_sight(root: Path, path: Path) -> list[Path]:
    """Have nothing at `path` from one moment to the next; return what is still to be deleted."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return []
    target = root / TRASH / owners.name()
    try:
        home.made(target.parent, root)
        path.rename(target)
    except FileNotFoundError:
        return []
    except OSError as error:
        # layers of a container cannot rename a folder, a full disk cannot make one; what is left
        # of it if this process dies is seen to be incomplete by who looks for it
        if error.errno not in (errno.EXDEV, errno.ENOSPC, errno.EDQUOT):
            raise
        with suppress(FileNotFoundError):
            shutil.rmtree(path)
        return []
    return [target]
