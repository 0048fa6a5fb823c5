"""Unpack an archive into a folder: regular files and folders, and nothing else.

Links are never made, nor is one followed: each folder is opened without that from the one above
it, and each file must be new.  Owners, times, modes and attributes stay in the archive.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import archives, budget, work
from zoo.compressed import too_large
from zoo.errors import FormatError
from zoo.members import FOLDER, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from zoo.members import Member

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Limits:
    """How much may come of an archive.

    Attributes
    ----------
    members
        Files and folders.
    ratio, spare
        Its files may be `ratio` times as long as the archive, and `spare` bytes more; what
        `zoo.budget` says where they are not given.
    """

    members: int = 10_000
    ratio: int = 20
    spare: int | None = None

    def most(self, packed: int) -> int:
        """Return the bytes that may come of an archive of `packed` bytes."""
        return self.ratio * packed + (budget.spare() if self.spare is None else self.spare)


USUAL = Limits()


@dataclass(frozen=True)
class Written:
    """A file that was unpacked: its path with slashes, its length in bytes, its digest."""

    path: str
    size: int
    sha256: str


def extract(archive: Path, folder: Path, limits: Limits = USUAL) -> list[Written]:
    """Unpack `archive` into `folder`, which is there and empty; return the files that were written.

    Files have the mode 0644 and folders 0755, as far as the umask lets them.  When it fails, what
    was written by then is still there: unpack into a folder that goes away.

    Raises
    ------
    FormatError
        The archive is damaged or larger than `limits`, or has a member that is no regular file or
        folder, or whose name is refused: see `zoo.members`.
    """
    budget = _Budget(limits.most(archive.stat().st_size))
    tree, files = Tree(), []
    with archives.opened(archive, budget.most) as members, _opened(folder) as root:
        for count, member in enumerate(members):
            if count >= limits.members:
                raise FormatError(f"the archive has more than {limits.members} members")
            parts = tree.add(member)
            if member.kind == FOLDER:
                _made(root, parts)
            else:
                files.append(_write(root, parts, member, budget))
    return files


class _Budget:
    """The bytes that may be written, `most` over all files."""

    def __init__(self, most: int) -> None:
        self.most, self._spent = most, 0

    def spend(self, size: int) -> None:
        """Note that `size` bytes more are to be written; too many are an error."""
        self._spent += size
        if self._spent > self.most:
            raise too_large(self.most)


def _write(root: int, parts: Sequence[str], member: Member, budget: _Budget) -> Written:
    """Write a file below the folder that is open as `root`."""
    sha256, size = hashlib.sha256(), 0
    with _folder(root, parts[:-1]) as inside:
        file = os.open(parts[-1], _NEW_FILE, 0o644, dir_fd=inside)
    try:
        for chunk in member.chunks():
            size += len(chunk)
            budget.spend(len(chunk))
            work.done(len(chunk))
            sha256.update(chunk)
            _write_all(file, chunk)
    finally:
        os.close(file)
    return Written("/".join(parts), size, sha256.hexdigest())


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _made(root: int, parts: Sequence[str]) -> None:
    with _folder(root, parts):
        pass


@contextmanager
def _folder(root: int, parts: Sequence[str]) -> Iterator[int]:
    """Yield the folder with this path below `root`, open; it and those above it are made."""
    inside = os.dup(root)
    try:
        for part in parts:
            with suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=inside)
            above, inside = inside, os.open(part, _FOLDER, dir_fd=inside)
            os.close(above)
        yield inside
    finally:
        os.close(inside)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    root = os.open(folder, _FOLDER)
    try:
        yield root
    finally:
        os.close(root)
