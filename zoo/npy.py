"""Arrays as NumPy writes them, ``.npy``: a header in Python's own words, then the values.

Read from a stream and written to one, without numpy, and never unpickled.

Source: ``numpy/lib/_format_impl.py``, "Format version 1.0" and those after it.
"""

from __future__ import annotations

import ast
import math
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import budget, dtypes
from zoo.errors import AccessError, FormatError, UnsupportedError
from zoo.tensors import Tensor, text_array

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from zoo.checksums import Piece
    from zoo.dtypes import DType
    from zoo.tensors import Shape

    Reading = Callable[[], Iterator[bytes]]
    """Yields the bytes of a file from its beginning, each time it is asked."""

_MAGIC = b"\x93NUMPY"
_LENGTHS = {1: (2, "latin1"), 2: (4, "latin1"), 3: (4, "utf-8")}
"""By version: bytes that state how long the header is, and how it is encoded."""
_LENGTH_AT, _LEAST = 8, 12
_MOST_HEADER = 10_000
_LARGEST = 1 << 63
_ALIGNED, _ROOM_TO_GROW = 64, 21
_TEXT, _POINTER = 48, 8
"""Bytes that a text takes in memory, were it empty, and those that say where it lies."""
_CODES = {
    "bool": "b1", "uint8": "u1", "int8": "i1", "uint16": "u2", "int16": "i2", "float16": "f2",
    "uint32": "u4", "int32": "i4", "float32": "f4", "uint64": "u8", "int64": "i8",
    "float64": "f8", "complex64": "c8", "complex128": "c16",
}  # fmt: skip
_NAMES = {code: name for name, code in _CODES.items()}
_DESCR = re.compile(r"([<>|=])([biufcSUOV])(\d*)")
_BRAIN = "<V2"
"""What numpy, which has no bfloat16, writes for an array of it."""
_LONG = re.compile(r"(?<=\d)L")
"""How Python 2 ended whole numbers."""


def tensor(reading: Reading, size: int, label: str, packed: int = -1) -> Tensor:
    """Return the array in a file of `size` bytes, of which only the header is read.

    Parameters
    ----------
    label
        What the array is called, for errors.
    packed
        The bytes that the file takes where it is compressed.

    Raises
    ------
    AccessError
        It is a pickle, which can run code.
    FormatError
        The file is damaged.
    UnsupportedError
        TensorFlow has no such dtype.
    """
    try:
        begin, facts = _header(reading)
        descr, dtype = _element(facts.pop("descr"), label)
        width = int(descr[2:]) * (4 if descr[1] == "U" else 1)
        room = max(width, _POINTER) if dtype is dtypes.STRING else width
        fortran, shape = facts.pop("fortran_order"), sizes(facts.pop("shape"), room)
        if facts or type(fortran) is not bool or size != begin + math.prod(shape) * width:
            raise ValueError(f"{size - begin} bytes for {shape} of {descr}")
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError) as error:
        raise FormatError(f"the array {label!r} is damaged", found=str(error)[:200]) from error
    length = size - begin
    stored = length if packed < 0 else min(packed, length)
    return _StreamTensor(reading, begin, length, label, descr, dtype, shape, fortran, stored)


def head(dtype: DType, shape: Shape, label: str) -> bytes:
    """Return what stands before the values of an array, as numpy writes it.

    A dtype that numpy lacks is a field of that name, as TensorFlow has it: ``[("qint8", "|i1")]``.

    Raises
    ------
    UnsupportedError
        It has no values of one size.
    """
    if not dtype.itemsize:
        raise UnsupportedError(f"NumPy's files have no room for {dtype}", found=label)
    order = "<" if dtype.itemsize > 1 else "|"
    code = _CODES.get(dtype.storage.rstrip("_"), f"u{dtype.itemsize}")
    plain = f"'{order}{code}'"
    descr = plain if dtype.name in _CODES else f"[('{dtype.name}', {plain})]"
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    if shape:
        text += " " * (_ROOM_TO_GROW - len(str(shape[0])))
    text += " " * (-(len(_MAGIC) + 4 + len(text) + 1) % _ALIGNED) + "\n"
    return _MAGIC + b"\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def sizes(shape: object, itemsize: int) -> Shape:
    """Return what a file states as the shape of an array of elements of `itemsize` bytes.

    Raises
    ------
    ValueError
        No array has it.
    """
    if not isinstance(shape, list | tuple) or len(shape) > budget.MOST_AXES:
        raise ValueError(f"no shape: {str(shape)[:100]}")
    most = max(itemsize, 1)
    for size in shape:
        if type(size) is not int or size < 0:
            raise ValueError(f"no size of an axis: {str(size)[:100]}")
        most *= max(size, 1)
    if most >= _LARGEST:
        raise ValueError(f"more elements than there are addresses: {str(shape)[:100]}")
    return tuple(shape)


@dataclass(frozen=True, eq=False)
class _StreamTensor(Tensor):
    """An array in a stream: where its `length` bytes begin, and what numpy calls an element."""

    reading: Reading
    begin: int
    length: int
    label: str
    descr: str
    dtype: DType
    shape: Shape
    fortran: bool
    packed: int

    @property
    def held(self) -> int:
        """Bytes that the values take where they lie."""
        return self.packed

    @property
    def nbytes(self) -> int:
        """Bytes of the values as stored."""
        return self.length

    def read(self) -> np.ndarray:
        """Return the values; text as bytes."""
        import numpy as np

        claimed = self.size * _TEXT if self.dtype is dtypes.STRING else self.nbytes
        budget.refuse(claimed, self.packed, f"the array {self.label!r}")
        data = b"".join(self._pieces())
        if not data:
            return np.full(self.shape, b"" if self.dtype is dtypes.STRING else 0, self.dtype.numpy)
        if (
            self.descr[1] == "U"
            and np.frombuffer(data, f"{self.descr[0]}u4").max() > sys.maxunicode
        ):
            raise self._no_text("a number that is no letter")
        order: Any = "F" if self.fortran else "C"
        array = np.frombuffer(data, self.descr).reshape(self.shape, order=order)
        if self.dtype is not dtypes.STRING:
            return array.astype(array.dtype.newbyteorder("<"), copy=False).view(self.dtype.numpy)
        try:
            return text_array(array)
        except ValueError as error:
            raise self._no_text(str(error)) from error

    def chunks(self) -> Iterator[Piece]:
        """Yield the bytes as they lie there, where that is the usual order."""
        usual = self.descr[0] != ">" and not self.fortran
        return self._pieces() if usual else super().chunks()

    def _no_text(self, found: str) -> FormatError:
        return FormatError(f"the text {self.label!r} is damaged", found=found)

    def _pieces(self) -> Iterator[bytes]:
        skipped = 0
        for piece in self.reading():
            yield piece[max(self.begin - skipped, 0) :]
            skipped += len(piece)


def _header(reading: Reading) -> tuple[int, dict[str, Any]]:
    """Return where the values begin, and what is said of them before."""
    start = _beginning(reading, _LEAST)
    if start[: len(_MAGIC)] != _MAGIC or len(start) < _LEAST:
        raise ValueError("it does not begin as an array does")
    width, encoding = _LENGTHS[start[len(_MAGIC)]]
    at = _LENGTH_AT + width
    end = at + int.from_bytes(start[_LENGTH_AT:at], "little")
    text = _beginning(reading, min(end, at + _MOST_HEADER))[at:].decode(encoding)
    if end > at + _MOST_HEADER or "\\" in text:
        raise ValueError(f"a header of {end - at} bytes: {text[:100]}")
    facts = ast.literal_eval(_LONG.sub("", text))
    if not isinstance(facts, dict):
        raise TypeError(text[:100])
    return end, facts


def _beginning(reading: Reading, length: int) -> bytes:
    found = b""
    for piece in reading():
        found += piece
        if len(found) >= length:
            break
    return found[:length]


def _element(stated: object, label: str) -> tuple[str, DType]:
    """Return as what numpy reads an element that a header has `stated`, and its dtype."""
    named, descr = "", stated
    if isinstance(stated, list) and len(stated) == 1:
        named, descr = stated[0]
    found = _DESCR.fullmatch(descr) if isinstance(descr, str) else None
    order, kind, width = found.groups() if found else ("", "", "")
    if kind == "O":
        raise AccessError(
            f"the array {label!r} is a pickle of Python objects, which can run code",
            hint="whoever trusts it can save it anew with numpy, as an array of numbers",
        )
    if kind in ("S", "U") and width and not named:
        return str(descr), dtypes.STRING
    if descr == _BRAIN:
        return "<u2", dtypes.named("bfloat16")
    plain = _NAMES.get(kind + width)
    if plain is None or (named and dtypes.named(named).itemsize != int(width)):
        raise UnsupportedError(f"TensorFlow has no dtype for numpy's {stated}", found=label)
    return f"{order}{kind}{width}", dtypes.named(named or plain)
