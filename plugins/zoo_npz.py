"""NumPy archives: a zip of one ``.npy`` file for each array, which is a weight by its name.

The graph lies in arrays of bytes besides.  That of the archives of others is attached: from a file
beside of the same name, by an architecture, by ``--graph``.  Nothing is ever unpickled.

Source: ``numpy/lib/_format_impl.py``, "Format version 1.0" and those after it.
"""

from __future__ import annotations

import ast
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from zoo import atomic, carried, dtypes, zip_members
from zoo.errors import AccessError, FormatError, UnsupportedError
from zoo.formats import Option, Saved, flag
from zoo.hookspecs import hookimpl
from zoo.mapped import MappedFile
from zoo.members import FILE, Member
from zoo.tensors import Tensor, text_array

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy as np

    from zoo.checksums import Piece
    from zoo.dtypes import DType
    from zoo.formats import Format
    from zoo.model import Model
    from zoo.tensors import Shape

zoo_api = 1

_MAGIC, _SUFFIX, _OURS = b"\x93NUMPY", ".npy", "__zoo__/"
_NAME_AT, _FIRST = 30, 1 << 16
_LENGTHS = {1: (2, "latin1"), 2: (4, "latin1"), 3: (4, "utf-8")}
"""By version: bytes that state how long the header is, and how it is encoded."""
_MOST_HEADER = 10_000
_ALIGNED, _ROOM_TO_GROW = 64, 21
_CODES = {
    "bool": "b1", "uint8": "u1", "int8": "i1", "uint16": "u2", "int16": "i2", "float16": "f2",
    "uint32": "u4", "int32": "i4", "float32": "f4", "uint64": "u8", "int64": "i8",
    "float64": "f8", "complex64": "c8", "complex128": "c16",
}  # fmt: skip
_NAMES = {code: name for name, code in _CODES.items()}
_DESCR = re.compile(r"([<>|=])([biufcSUOV]\d*)")
_BRAIN = "<V2"
"""What numpy calls bfloat16 in files, which it does not know."""
_LONG = re.compile(r"(?<=\d)L")
"""How Python 2 ended whole numbers."""
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
        tensors[name] = _array(path, member)
    parts = {name: tensors.pop(name) for name in [*tensors] if name.startswith(_OURS)}
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
    heads = {name: _head(_stated(name, one.dtype), one.shape) for name, one in tensors.items()}
    parts = carried.parts(model) if write_meta_graph else {}
    infos = {name: _info(zipfile.ZipInfo(f"{name}{_SUFFIX}", _MOMENT), method) for name in tensors}
    with atomic.replacing(path) as draft, zipfile.ZipFile(draft, "w") as archive:
        for name, data in parts.items():
            info = _info(zipfile.ZipInfo(f"{_OURS}{name}{_SUFFIX}", _MOMENT), method, ours=True)
            _add(archive, info, _head("'|u1'", (len(data),)), [data], len(data))
        for name, one in tensors.items():
            _add(archive, infos[name], heads[name], one.chunks(), one.nbytes)
    return Saved(path, notes)


class _Reader(threading.local):
    """A file as `zip_members` reads it, with a place of its own for each thread."""

    def __init__(self, file: MappedFile) -> None:
        self._file, self._place = file, 0

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


@dataclass(frozen=True, eq=False)
class _ArrayTensor(Tensor):
    """An array in an archive, whose checksum is compared whenever it is read.

    `begin` is where the values begin in its member, `descr` what numpy calls an element there.
    """

    path: Path
    member: Member
    begin: int
    descr: str
    dtype: DType
    shape: Shape
    fortran: bool

    @property
    def nbytes(self) -> int:
        """Bytes of the values as stored."""
        return self.member.size - self.begin

    def read(self) -> np.ndarray:
        """Return the values; text as bytes."""
        import numpy as np

        data = b"".join(self._pieces())
        if not data:
            return np.full(self.shape, b"", object) if self._is_text else np.zeros(self.shape, self._numpy)
        order: Any = "F" if self.fortran else "C"
        array = np.frombuffer(data, self.descr).reshape(self.shape, order=order)
        if not self._is_text:
            return array.astype(array.dtype.newbyteorder("<"), copy=False).view(self._numpy)
        try:
            return text_array(array)
        except ValueError as error:
            raise FormatError(f"{self.path} is damaged", found=str(error)) from error

    def chunks(self) -> Iterator[Piece]:
        """Yield the bytes as they lie there, where that is the usual order."""
        usual = self.descr[0] != ">" and not self.fortran
        return self._pieces() if usual else super().chunks()

    @property
    def _is_text(self) -> bool:
        return self.dtype is dtypes.STRING

    @property
    def _numpy(self) -> np.dtype:
        return self.dtype.numpy

    def _pieces(self) -> Iterator[bytes]:
        skipped = 0
        with _naming(self.path):
            for piece in self.member.chunks():
                yield piece[max(self.begin - skipped, 0) :]
                skipped += len(piece)


def _members(path: Path) -> Iterator[Member]:
    """Yield the members of the archive at `path`, in the order of its directory."""
    file = MappedFile(path)
    with _naming(path):
        yield from zip_members.members(cast("BinaryIO", _Reader(file)), most=file.size)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except FormatError as error:
        raise FormatError(f"{path}: {error.problem}", found=error.found, hint=error.hint) from error


def _array(path: Path, member: Member) -> Tensor:
    """Return the array that `member` is, of which only the header is read."""
    try:
        begin, facts = _header(path, member)
        descr, dtype = _read_descr(facts["descr"], member.name)
        width = int(descr[2:]) * (4 if descr[1] == "U" else 1)
        shape, fortran = carried.sizes(facts["shape"], width), facts["fortran_order"]
        tensor = _ArrayTensor(path, member, begin, descr, dtype, shape, fortran is True)
        if tensor.nbytes != tensor.size * width or type(fortran) is not bool or len(facts) != 3:
            raise ValueError(f"{tensor.nbytes} bytes for {shape} of {descr}")
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError) as error:
        found = f"the header of {member.name[:200]!r}: {str(error)[:200]}"
        raise FormatError(f"{path} is damaged", found=found) from error
    return tensor


def _header(path: Path, member: Member) -> tuple[int, dict[str, Any]]:
    """Return where the values of `member` begin, and what stands before them."""
    start = _beginning(path, member, 12)
    if start[:6] != _MAGIC:
        raise ValueError("it is no .npy file")
    width, encoding = _LENGTHS[start[6]]
    length = int.from_bytes(start[8 : 8 + width], "little")
    text = _beginning(path, member, 8 + width + length)[8 + width :].decode(encoding)
    if length > _MOST_HEADER or "\\" in text:
        raise ValueError(text[:100])
    facts = ast.literal_eval(_LONG.sub("", text))
    if not isinstance(facts, dict):
        raise ValueError(text[:100])
    return 8 + width + length, facts


def _beginning(path: Path, member: Member, length: int) -> bytes:
    found = b""
    with _naming(path):
        for piece in member.chunks():
            found += piece
            if len(found) >= length:
                break
    return found[:length]


def _read_descr(stated: object, name: str) -> tuple[str, DType]:
    """Return as what elements are read that numpy calls `stated`, and their dtype."""
    named, descr = "", stated
    if isinstance(stated, list) and len(stated) == 1:
        named, descr = stated[0]  # as TensorFlow calls those that numpy lacks: [("qint8", "|i1")]
    found = _DESCR.fullmatch(descr) if isinstance(descr, str) else None
    order, code = found.groups() if found else ("", "")
    if code == "O":
        raise AccessError(
            "an array holds Python objects, which are a pickle, and can run code",
            found=name,
            hint="whoever trusts it can save it anew with numpy: as an array of numbers",
        )
    if code[:1] in ("S", "U") and not named:
        return str(descr), dtypes.STRING
    if descr == _BRAIN:
        return "<u2", dtypes.named("bfloat16")
    plain = _NAMES.get(code)
    if plain is None or (named and dtypes.named(named).itemsize != int(code[1:])):
        raise UnsupportedError(f"TensorFlow has no dtype for numpy's {stated}", found=name)
    return f"{order}{code}", dtypes.named(named or plain)


def _stated(name: str, dtype: DType) -> str:
    """Return what a header says of `dtype`; what numpy lacks is a field of that name."""
    if not dtype.itemsize:
        raise UnsupportedError(f"an npz file has no room for {dtype}", found=f"the weight {name!r}")
    order = "<" if dtype.itemsize > 1 else "|"
    if dtype.name in _CODES:
        return f"'{order}{_CODES[dtype.name]}'"
    return f"[('{dtype.name}', '{order}{_CODES.get(dtype.storage, f'u{dtype.itemsize}')}')]"


def _head(descr: str, shape: Shape) -> bytes:
    """Return the header of an array as numpy writes it."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    if shape:
        text += " " * (_ROOM_TO_GROW - len(str(shape[0])))
    text += " " * (-(len(_MAGIC) + 4 + len(text) + 1) % _ALIGNED) + "\n"
    return _MAGIC + b"\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


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
