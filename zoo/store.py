"""The content-addressed store: a file is kept under the digest of its bytes, or not at all.

``sha256/ab/abcd...`` holds one file.  ``folders/<digest>`` holds a model of several files, made
of files of the store and published by one rename.  A name in the store never points to bytes that
do not hash to it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import disk, home
from zoo.digests import folder_digest
from zoo.drafts import drafting
from zoo.errors import IntegrityError
from zoo.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
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


class Store:
    """The store below the folder `root`, which is made when something is first put into it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, pin: Pin) -> Kept | None:
        """Return the file that `pin` means, if it is here and pinned by its sha256."""
        if pin.sha256 is None:
            return None
        path = self._path(pin.sha256)
        try:
            size = path.stat().st_size
        except OSError:
            return None
        return Kept(path, pin.sha256, size) if pin.size in (None, size) else None

    def has(self, digest: str) -> bool:
        """Tell whether a file or a folder of this digest is here."""
        return self._path(digest).is_file() or self._folder(digest).is_dir()

    def put(self, chunks: Iterable[bytes], pin: Pin, source: str) -> Kept:
        """Take in the bytes of `chunks` if they are those that `pin` means.

        Nothing of them is kept otherwise, and no more is read than was pinned.

        Raises
        ------
        IntegrityError
            They are not; `source` is named as where they came from.
        DiskError
            The disk is full.
        """
        with drafting(self.root / "drafts", "fetch") as room:
            home.mark(self.root)
            draft = room / "bytes"
            found, size = _write(draft, chunks, pin, source)
            return self.take(draft, found, size, pin, source)

    def take(self, draft: Path, found: Mapping[str, str], size: int, pin: Pin, source: str) -> Kept:
        """Make the file `draft`, which lies below the root, part of the store.

        Parameters
        ----------
        found, size
            Its digests by algorithm, sha256 and all that are pinned, and its length in bytes.

        Raises
        ------
        IntegrityError
            It is not what `pin` means; the draft is left where it is.
        """
        _refuse_other(found, size, pin, source)
        disk.sync(draft)
        path = self._path(found["sha256"])
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.chmod(0o444)
        draft.replace(path)
        disk.sync_folder(path.parent)
        return Kept(path, found["sha256"], size)

    def folder(self, parts: Sequence[Part]) -> tuple[Path, str]:
        """Return a folder with `parts` in it, and its digest; made if it is not here yet."""
        digest = folder_digest((p.path, p.kept.size, p.kept.sha256) for p in parts)
        path = self._folder(digest)
        if not _is_whole(path, parts):
            with drafting(path.parent, digest) as room:
                if path.is_dir():
                    path.rename(room / "damaged")
                draft = room / "folder"
                for part in parts:
                    target = draft / part.path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    _link(part.kept.path, target)
                disk.sync(draft)
                try:
                    draft.rename(path)
                except OSError:
                    if not path.is_dir():  # else another process was first
                        raise
        return path, digest

    def _path(self, sha256: str) -> Path:
        return self.root / "sha256" / sha256[:2] / sha256

    def _folder(self, digest: str) -> Path:
        return self.root / "folders" / digest


def _is_whole(folder: Path, parts: Sequence[Part]) -> bool:
    """Tell whether `folder` has all of `parts`, each of its length."""
    try:
        return all((folder / part.path).stat().st_size == part.kept.size for part in parts)
    except OSError:
        return False


def _write(
    draft: Path, chunks: Iterable[bytes], pin: Pin, source: str
) -> tuple[dict[str, str], int]:
    """Write `chunks` to `draft`, no more of them than pinned; return their digests and length."""
    digests = {name: hashlib.new(name, usedforsecurity=False) for name in pin.algorithms}
    size = 0
    with Stream(draft) as file:
        for chunk in chunks:
            size += len(chunk)
            if pin.size is not None and size > pin.size:
                raise _differs(source, f"more than {pin.size} bytes", pin)
            for digest in digests.values():
                digest.update(chunk)
            file.write(chunk)
    return {name: digest.hexdigest() for name, digest in digests.items()}, size


def _refuse_other(found: Mapping[str, str], size: int, pin: Pin, source: str) -> None:
    """Raise `IntegrityError` unless these digests and this length are the pinned ones."""
    wanted = dict(pin.digests)
    if pin.size not in (None, size) or any(found[name] != wanted[name] for name in wanted):
        shown = ", ".join(f"{name} {found[name][:16]}..." for name in wanted)
        raise _differs(source, f"{size} bytes, {shown}", pin)


def _differs(source: str, found: str, pin: Pin) -> IntegrityError:
    pinned = ", ".join(f"{name} {digest[:16]}..." for name, digest in pin.digests)
    size = "" if pin.size is None else f"{pin.size} bytes, "
    return IntegrityError(
        f"{source} is not the file that was pinned",
        found=found,
        hint=f"the registry says {size}{pinned}; nothing was kept",
    )


def _link(source: Path, target: Path) -> None:
    """Give `target` the bytes of `source` without copying them where the disk can do that."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
