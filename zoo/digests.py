"""Digests of files: of one by its bytes, of a model of several by a sha256 over what each is.

A line ``path NUL size NUL sha256 LF`` for each file, sorted; so a registry that pins every file has
pinned the whole.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from zoo import work

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_CHUNK = 1 << 18


def folder_digest(files: Iterable[tuple[str, int, str]]) -> str:
    """Return the digest of a model that consists of `files`: path, size in bytes, sha256.

    >>> folder_digest([("b", 1, "00"), ("a", 2, "11")])[:16]
    'b03bc8147734e512'
    """
    lines = sorted(f"{path}\0{size}\0{sha256}\n" for path, size, sha256 in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 of the file at `path`, which must be no link."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    found, room = hashlib.sha256(), memoryview(bytearray(_CHUNK))
    with open(os.open(path, flags), "rb", buffering=0) as file:  # noqa: PTH123  (opened already)
        while count := file.readinto(room):
            found.update(room[:count])
            work.done(count)
    return found.hexdigest()
