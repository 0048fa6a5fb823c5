"""What is in a tar or zip archive: listed, never unpacked."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from zoo.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST = 10_000
"""Members that are listed."""
_MOST_UNPACKED = 4 << 30
"""Bytes that a compressed archive may have when it is unpacked to be listed."""
_BLOCK = 512
_DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError,
    EOFError, NotImplementedError, RuntimeError, ValueError, OSError,
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """One member of an archive: its name as it stands there, and its bytes."""

    name: str
    size: int
    is_file: bool = True

    @property
    def escapes(self) -> bool:
        """Tell whether it would lie outside of the folder it is unpacked to, or is a link."""
        path = PurePosixPath(self.name.replace("\\", "/"))
        return path.is_absolute() or ".." in path.parts or not self.is_file


def recognises(path: Path) -> bool:
    """Tell whether the file at `path` is an archive that can be listed; never raises."""
    try:
        with path.open("rb") as file:
            start = file.read(_BLOCK)
            if _is_zip(start):
                return not is_arrays(path)
            return start[257:262] == b"ustar" or _is_packed_tar(start, file)
    except OSError:
        return False


def members(path: Path) -> list[Member]:
    """Return the files in the archive at `path`, at most `MOST`, sorted by name.

    Raises
    ------
    FormatError
        It is damaged, or much larger than a model when unpacked.
    """
    found = []
    try:
        for member in _listed(path):
            found.append(member)
            if len(found) >= MOST:
                break
    except _DAMAGED as error:
        raise FormatError(f"{path} is a damaged archive", found=str(error)) from error
    return sorted(found, key=lambda member: member.name)


def is_arrays(path: Path) -> bool:
    """Tell whether the zip archive at `path` is how NumPy saves several arrays."""
    try:
        with zipfile.ZipFile(path) as packed:
            names = packed.namelist()
    except _DAMAGED:
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def models_in(names: list[str]) -> list[str]:
    """Return what among the files `names` looks like models, by the names these have."""
    found = set()
    for name in names:
        path = PurePosixPath(name)
        if path.name in ("saved_model.pb", "saved_model.pbtxt"):
            found.add(f"{path.parent} (SavedModel)")
        elif path.suffix == ".index" and path.parent.name != "variables":
            found.add(f"{path.with_suffix('')} (checkpoint)")
        elif path.suffix in (".pb", ".pbtxt") and path.name not in _BESIDE:
            found.add(f"{path} (graph)")
        elif path.suffix in (".h5", ".hdf5", ".keras"):
            found.add(f"{path} (Keras)")
    return sorted(found)


_BESIDE = {"fingerprint.pb", "keras_metadata.pb", "tfhub_module.pb"}


def _is_zip(start: bytes) -> bool:
    return start.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def _is_packed_tar(start: bytes, file: BinaryIO) -> bool:
    """Tell whether a compressed file is a tar archive: its first block says so."""
    opened = _opener(start)
    if opened is None:
        return False
    file.seek(0)
    try:
        with opened(file) as unpacked:
            return bytes(unpacked.read(_BLOCK))[257:262] == b"ustar"
    except _DAMAGED:
        return False


def _opener(start: bytes) -> Callable[[BinaryIO], Any] | None:
    """Return what unpacks a file that begins with `start`."""
    if start.startswith(b"\x1f\x8b"):
        return lambda file: gzip.GzipFile(fileobj=file)
    if start.startswith(b"BZh"):
        return bz2.BZ2File
    return lzma.LZMAFile if start.startswith(b"\xfd7zXZ") else None


def _listed(path: Path) -> Iterator[Member]:
    with path.open("rb") as file:
        start = file.read(_BLOCK)
    if _is_zip(start):
        with zipfile.ZipFile(path) as packed:
            infos = [info for info in packed.infolist() if not info.is_dir()]
            yield from (Member(info.filename, info.file_size) for info in infos)
        return
    unpacked = 0
    with tarfile.open(path, "r:*") as whole:
        for inside in whole:
            unpacked += inside.size
            if unpacked > _MOST_UNPACKED:
                raise ValueError(f"more than {_MOST_UNPACKED} bytes when it is unpacked")
            if not inside.isdir():
                yield Member(inside.name, inside.size, inside.isfile())
