"""Unpacked archives in the store: a folder each, published by one rename, whole or not at all.

``unpacked/<sha256 of the archive>/files`` holds what the archive holds, and ``manifest`` beside it
what that is: path, length and sha256 of each file, and the digest of these lines.  A folder whose
manifest is missing, torn or not about its files counts for nothing, and is made anew from the
archive.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from zoo import disk, home, leases, rooms, work
from zoo.digests import file_digest, folder_digest
from zoo.errors import IntegrityError
from zoo.extracting import extract

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from zoo.extracting import Written

FILES, MANIFEST = "files", "manifest"
_VERSION = 1


def unpacked(root: Path, archive: Path, sha256: str, *, rehash: bool = False) -> Path:
    """Return the folder with what `archive` holds, unpacked if it is not here yet.

    Parameters
    ----------
    root
        The root of the store.
    sha256
        The digest of `archive`.
    rehash
        Whether what is here already is read and compared with its digests; else the lengths of
        the files are.

    Raises
    ------
    FormatError
        It is damaged, or not to be unpacked: see `zoo.extracting`.
    IntegrityError
        Its bytes do not hash to `sha256`, or do not any more.
    DiskError
        The disk is full.
    """
    place = root / "unpacked" / sha256
    leases.hold(root, sha256, place)
    if not is_whole(place, rehash=rehash):
        with rooms.room(root / "drafts", root) as room:
            home.mark(root)
            _make(room / "new", archive, sha256)
            _publish(room / "new", place, rehash)
            leases.hold(root, sha256, place)
    return place / FILES


def is_whole(place: Path, *, rehash: bool = False) -> bool:
    """Tell whether the folder `place` of an archive has every file that its manifest names.

    Parameters
    ----------
    rehash
        Whether the bytes of each must hash to its digest; else its length must be right.
    """
    try:
        stated = json.loads((place / MANIFEST).read_bytes())
        files = [(path, size, sha256) for path, size, sha256 in stated["files"]]
        if stated["version"] != _VERSION or stated["digest"] != folder_digest(files):
            return False
        return all(_is_there(place / FILES / p, size, sha, rehash) for p, size, sha in files)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _is_there(path: Path, size: int, sha256: str, rehash: bool) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size != size:
        return False
    return not rehash or file_digest(path) == sha256


def _make(draft: Path, archive: Path, sha256: str) -> None:
    """Unpack `archive` into the folder `draft`, and bring all of it to the disk."""
    (draft / FILES).mkdir(parents=True)
    try:
        with work.counted("unpacking", None):
            files = extract(archive, draft / FILES)
    finally:  # a fault in it has another reason where it is not what was fetched any more
        _refuse_other(archive, sha256)
    (draft / MANIFEST).write_text(json.dumps(_manifest(files)), encoding="utf-8")
    disk.sync(draft)


def _refuse_other(archive: Path, sha256: str) -> None:
    """Check that `archive` is what it was called; after it was read, since it may have changed."""
    found = file_digest(archive.resolve())
    if found != sha256:
        raise IntegrityError(
            f"{archive} is not the archive that it was",
            found=f"sha256 {found[:16]}... where {sha256[:16]}... should be",
            hint="if zoo fetched it, delete this file: it is fetched again",
        )


def _manifest(files: Iterable[Written]) -> dict[str, Any]:
    lines = sorted((one.path, one.size, one.sha256) for one in files)
    return {"version": _VERSION, "files": lines, "digest": folder_digest(lines)}


def _publish(draft: Path, place: Path, rehash: bool) -> None:
    """Have `draft` at `place`, in one step; what is there was damaged, or is the same by now.

    A reader of what another process has just published keeps its path.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        draft.rename(place)
    except OSError:
        if is_whole(place, rehash=rehash):
            return
        if not disk.exchange(draft, place):
            place.rename(draft.with_name("damaged"))
            draft.rename(place)
    disk.sync_folder(place.parent)
