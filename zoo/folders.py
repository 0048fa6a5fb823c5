"""Models of several files: a folder of links to files of the store, published by one rename."""

from __future__ import annotations

import os
import shutil
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

from zoo import disk, home, rooms, usage
from zoo.digests import file_digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zoo.kept import Part


def is_whole(root: Path, folder: Path, parts: Sequence[Part], *, rehash: bool = False) -> bool:
    """Tell whether `folder` has all of `parts` as they are in the store.

    A file there is the one of the store, or a copy that was not changed since it was made; of
    another one, and with `rehash` of any copy, the bytes are read.
    """
    stamps = {} if rehash else dict(usage.of(root, folder.name).stamps)
    try:
        return all(_is_same(folder / part.path, part, stamps.get(part.path)) for part in parts)
    except OSError:
        return False


def _is_same(path: Path, part: Part, known: usage.Stamp | None) -> bool:
    facts = path.lstat()
    if os.path.samestat(facts, part.kept.path.lstat()) or usage.stamp(path) == known:
        return True
    return facts.st_size == part.kept.size and file_digest(path) == part.kept.sha256


def publish(root: Path, folder: Path, parts: Sequence[Part]) -> None:
    """Have `parts` at `folder`, in place of what may be there.

    Where another process publishes the same, either's will do.
    """
    with rooms.room(root / "drafts", root) as room:
        draft = home.made(room / folder.name, root)
        copies = [part for part in parts if not _link(part, draft, root)]
        if copies:
            _say_copies(root)
        stamps = tuple((part.path, usage.stamp(draft / part.path)) for part in copies)
        disk.sync(draft)
        home.made(folder.parent, root)
        _move(draft, folder, room / "before")
        disk.sync_folder(folder.parent)
        source = usage.of(root, parts[0].kept.sha256).source
        names = tuple(sorted({part.kept.sha256 for part in parts}))
        usage.note(root, folder.name, parts=names, stamps=stamps, source=source)


def _say_copies(root: Path) -> None:
    """Say that files are there twice, and why; once in a process."""
    sentence = f"files of {root} cannot be linked: models of several files are there twice"
    warnings.warn(sentence, stacklevel=2)


def _move(draft: Path, folder: Path, aside: Path) -> None:
    """Rename `draft` to `folder`; what is there goes, in one step where the system has one."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    try:
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        if not disk.exchange(draft, folder):
            with suppress(FileNotFoundError):  # another process was first to do so
                folder.rename(aside)
            draft.rename(folder)


def _link(part: Part, draft: Path, root: Path) -> bool:
    """Have `part` in the folder `draft`, as a link where the disk has them; tell whether it is."""
    target = draft / part.path
    home.made(target.parent, root)
    try:
        os.link(part.kept.path, target, follow_symlinks=False)
    except OSError:
        shutil.copyfile(part.kept.path, target, follow_symlinks=False)
        target.chmod(home.readable(root))
        return False
    return True
