"""The digest of a model of several files: one sha256 over what each of them is.

A line ``path NUL size NUL sha256 LF`` for each file, sorted; so a registry that pins every file has
pinned the whole.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def folder_digest(files: Iterable[tuple[str, int, str]]) -> str:
    """Return the digest of a model that consists of `files`: path, size in bytes, sha256.

    >>> folder_digest([("b", 1, "00"), ("a", 2, "11")])[:16]
    'b03bc8147734e512'
    """
    lines = sorted(f"{path}\0{size}\0{sha256}\n" for path, size, sha256 in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
