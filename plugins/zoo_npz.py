"""NumPy archives: a zip of one ``.npy`` file for each array, which is a weight by its name.

The graph lies in arrays of bytes besides.  That of the archives of others is attached: from a file
beside of the same name, by an architecture, by ``--graph``.  Nothing is ever unpickled.

Source: ``numpy/lib/_npyio_impl.py``, ``savez``.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

from zoo import atomic, carried, dtypes, npy, zip_members
from zoo.errors import FormatError, UnsupportedError
from zoo.formats import Option, Saved, flag
from zoo.hookspecs import hookimpl
from zoo.mapped import MappedFile
from zoo.members import FILE, Member
from zoo.tensors import afford

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from zoo.checksums import Piece
    from zoo.formats import Format
    from zoo.model import Model
    from zoo.tensors import Tensor

zoo_api = 1

_SUFFIX, _OURS = ".npy", "__zoo__/"
_BYTE = dtypes.named("uint8")
_NAME_AT, _FIRST = 30, 1 << 16
_MOMENT = (1980, 1, 1, 0, 0, 0)
"""The first that a zip archive can state: the same model makes the same bytes."""
_OPTIONS = (
    Option("write_meta_graph", "whether the graph is written too (true)", save=True, kind=flag),
    Option("compressed", "whether the arrays are compressed (false)", save=True, kind=flag),
)


@hookimpl
def zoo_formats() -> Iterable[Format]:
    """Offer the ``npz`` format."""
    summary = "one .npz file: NumPy arrays, and the graph in it, beside it or attached"
    return [carried.weights_format("npz", summary, recognises, read, save, options=_OPTIONS)]


def recognises(path: Path) -> bool:
    """Tell whether the file at `path` is a zip archive of nothing but arrays."""
    try:
        with path.open("rb") as file:
            start = file.read(_FIRST)
    except OSError:
        return False
    end = _NAME_AT + int.from_bytes(start[26:28], "little")
    if not (start.startswith(b"PK\x03\x04") and start[_NAME_AT:end].endswith(_SUFFIX.encode())):
        return False
    try:
        return all(member.name.endswith(_SUFFIX) for member in _members(path))
    except FormatError:
        return True  # of arrays, and damaged


def read(path: Path) -> Model:
    """Return what is in the archive at `path` itself; its weights stay there.

    Raises
    ------
    AccessError
        An array is a pickle, which can run code.
    FormatError
        The archive is damaged.
    UnsupportedError
        TensorFlow has no such dtype.
    """
    tensors: dict[str, Tensor] = {}
    for member in _members(path):
        name = member.name.removesuffix(_SUFFIX)
        if member.kind != FILE or name == member.name or name in tensors:
            twice = "two arrays of that name" if name in tensors else "no array"
            raise FormatError(f"{path} is damaged", found=f"{twice}: {member.name[:200]!r}")
        with _naming(path):
            reading = partial(_bytes_of, path, member)
            tensors[name] = npy.tensor(reading, member.size, name, member.packed)
    parts = {name: tensors.pop(name) for name in [*tensors] if name.startswith(_OURS)}
    afford(parts.values(), f"what {path} says of its graph")
    carry = {name.removeprefix(_OURS): one.tobytes() for name, one in parts.items()}
    return carried.rebuilt(carry, tensors, path)


def save(
    model: Model, path: Path, *, write_meta_graph: bool = True, compressed: bool = False
) -> Saved:
    """Write `model` as an archive that ``numpy.load`` reads.

    Parameters
    ----------
    write_meta_graph
        Whether the graph is written too, as an array of bytes.
    compressed
        Whether the arrays are compressed, as ``numpy.savez_compressed`` does it.

    Raises
    ------
    UnsupportedError
        A weight is text or has a name that no archive takes, or the outputs need a file.
    """
    import zipfile

    model, notes = carried.without_files(model, "an npz file")
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    tensors = {name: model.weights.tensor(name) for name in sorted(model.weights)}
    afford(tensors.values(), "what is written")
    heads = {name: npy.head(one.dtype, one.shape, name) for name, one in tensors.items()}
    parts = carried.parts(model) if write_meta_graph else {}
    infos = {name: _info(zipfile.ZipInfo(f"{name}{_SUFFIX}", _MOMENT), method) for name in tensors}
    with atomic.replacing(path) as draft, zipfile.ZipFile(draft, "w") as archive:
        for name, data in parts.items():
            info = _info(zipfile.ZipInfo(f"{_OURS}{name}{_SUFFIX}", _MOMENT), method, ours=True)
            _add(archive, info, npy.head(_BYTE, (len(data),), name), [data], len(data))
        for name, one in tensors.items():
            _add(archive, infos[name], heads[name], one.chunks(), one.nbytes)
    return Saved(path, notes)


class _Reader(threading.local):
    """A file as `zip_members` reads it, with a place of its own for each thread."""

    def __init__(self, file: MappedFile) -> None:
        self._file, self._place = file, 0

    def __reduce__(self) -> tuple[type[_Reader], tuple[MappedFile]]:
        return _Reader, (self._file,)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, from the beginning or (2) from the end, and return it."""
        self._place = offset + (self._file.size if whence else 0)
        return self._place

    def read(self, length: int) -> bytes:
        """Return so many bytes, or those that are left."""
        left = max(min(length, self._file.size - self._place), 0)
        data = self._file.read(self._place, left) if left else b""
        self._place += left
        return data


def _members(path: Path) -> Iterator[Member]:
    """Yield the members of the archive at `path`, in the order of its directory."""
    file = MappedFile(path)
    with _naming(path):
        yield from zip_members.members(cast("BinaryIO", _Reader(file)), most=file.size)


def _bytes_of(path: Path, member: Member) -> Iterator[bytes]:
    """Yield the bytes of `member`, whose checksum is compared at the end."""
    with _naming(path):
        yield from member.chunks()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except FormatError as error:
        raise FormatError(f"{path}: {error.problem}", found=error.found, hint=error.hint) from error


def _info(info: zipfile.ZipInfo, method: int, *, ours: bool = False) -> zipfile.ZipInfo:
    """Return `info` with all else that an archive says of a member, always the same."""
    fits = info.filename == info.orig_filename and len(info.filename.encode()) < 1 << 16
    if not fits or (info.filename.startswith(_OURS) and not ours):
        raise UnsupportedError("an archive has no room for such a name", found=info.filename[:200])
    info.create_system, info.external_attr, info.compress_type = 3, 0o644 << 16, method
    return info


def _add(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, head: bytes, pieces: Iterable[Piece], size: int
) -> None:
    with archive.open(info, "w", force_zip64=size >= 1 << 31) as file:
        file.write(head)
        for piece in pieces:
            file.write(piece)  # type: ignore[arg-type]  # (an array is a buffer, too)
