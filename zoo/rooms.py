"""Folders of the cache in which one process works, cleared by others when it is dead.

Unlike `zoo.drafts` these need no lock to be told from those that were left behind: their names say
whose they are.  So that what is made in them is safe where locks are granted to everyone.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from zoo import home, owners
from zoo.disk import written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def room(folder: Path, root: Path) -> Iterator[Path]:
    """Yield a new folder in `folder`, a part of the cache `root`; it is gone when the block ends.

    Disk errors become ours.  What dead processes left in `folder` goes first, so that its space is
    there for this one.
    """
    with written(folder):
        sweep(folder)
        path = home.made(folder / owners.name(), root)
    try:
        with written(folder):
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def sweep(folder: Path) -> int:
    """Delete what dead processes left in `folder`; return how many things that were."""
    count = 0
    with suppress(FileNotFoundError):
        for path in [*folder.iterdir()]:
            if not owners.lives(path):
                count += 1
                _delete(path)
    return count


def _delete(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
