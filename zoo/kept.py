"""What a registry pins, and what the store has of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Pin:
    """What bytes must be: their length, and their digests by algorithm (``sha256``, ``md5``...)."""

    digests: tuple[tuple[str, str], ...]
    size: int | None = None

    @property
    def sha256(self) -> str | None:
        """The sha256, where it is pinned."""
        return dict(self.digests).get("sha256")

    @property
    def algorithms(self) -> set[str]:
        """The digests to compute: sha256, under which a file is kept, and all that are pinned."""
        return {"sha256", *dict(self.digests)}


@dataclass(frozen=True)
class Kept:
    """A file in the store: where, its digest, and its length in bytes."""

    path: Path
    sha256: str
    size: int


@dataclass(frozen=True)
class Part:
    """A file of a model that has several: its path there, and the file in the store."""

    path: str
    kept: Kept
