"""Tensors that lie somewhere: in memory, in a file, in a part of another, as one repeated value.

A `Tensor` knows its dtype and shape at once and gives its values only when asked: as a numpy
array (`read`), or as a stream of bytes for a writer (`chunks`), which never holds a large tensor
whole and needs no numpy.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import budget, checksums, dtypes
from zoo.errors import FormatError, InputError
from zoo.mapped import CHUNK, MappedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np

    from zoo.checksums import Piece
    from zoo.dtypes import DType

Shape = tuple[int, ...]


class Tensor(ABC):
    """Values of one `dtype` in row-major order, somewhere.

    Attributes
    ----------
    dtype
        Type of the elements.
    shape
        Sizes of the axes; ``()`` for a scalar.
    """

    dtype: DType
    shape: Shape

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the values as stored; for strings, 0 unless the place they lie in tells."""
        return self.size * self.dtype.itemsize

    @property
    def held(self) -> int:
        """Bytes that the values take where they lie, which may be far fewer than they are."""
        return self.nbytes

    @abstractmethod
    def read(self) -> np.ndarray:
        """Return the values; the array may be a read-only view of a file."""

    def chunks(self) -> Iterator[Piece]:
        """Yield the values' little-endian bytes in pieces of at most `CHUNK`; not for strings.

        A piece may be gone when the next one comes.
        """
        return _pieces(self.read())

    def tobytes(self) -> bytes:
        """Return the little-endian bytes of the values as one; not for strings."""
        return b"".join(bytes(piece) for piece in self.chunks())


@dataclass(frozen=True, eq=False)
class ArrayTensor(Tensor):
    """A tensor that is a numpy `array` already, under TensorFlow's `dtype`."""

    array: np.ndarray
    dtype: DType

    @staticmethod
    def of(values: object, dtype: DType | None = None) -> ArrayTensor:
        """Return `values` (an array or nested lists) as a tensor; text becomes UTF-8 bytes."""
        import numpy as np

        array = np.asarray(values)
        found = dtypes.of_array(array)
        if found is dtypes.STRING:
            array = text_array(values)
        return ArrayTensor(array, dtype or found)

    @property
    def shape(self) -> Shape:  # type: ignore[override]
        """Sizes of the axes."""
        return self.array.shape

    @property
    def nbytes(self) -> int:
        """Bytes of the values; for strings the sum of their lengths."""
        if self.dtype is dtypes.STRING:
            return sum(len(text) for text in self.array.flat)
        return self.array.nbytes

    def read(self) -> np.ndarray:
        """Return the array itself."""
        return self.array


@dataclass(frozen=True, eq=False)
class FileTensor(Tensor):
    """Plain values at an offset of a file, guarded by a checksum where the file has one.

    Attributes
    ----------
    label
        What the tensor is called in the file, for errors.
    crc
        CRC-32C of the bytes; None where the format has none.
    """

    file: MappedFile
    offset: int
    dtype: DType
    shape: Shape
    label: str
    crc: int | None = None

    def __post_init__(self) -> None:
        if self.offset + self.nbytes > self.file.size:
            raise self.file.cut_off(self.offset + self.nbytes)

    def read(self) -> np.ndarray:
        """Return a read-only view of the file, after comparing it with its checksum."""
        import numpy as np

        if not self.nbytes:
            self._compare(0 if self.crc is not None else None)
            return np.zeros(self.shape, self.dtype.numpy)
        values: np.ndarray = np.frombuffer(
            self.file.view(), np.uint8, count=self.nbytes, offset=self.offset
        )
        if self.crc is not None:
            self._compare(checksums.crc32c(values))
        return values.view(self.dtype.numpy).reshape(self.shape)

    def chunks(self) -> Iterator[Piece]:
        """Yield the bytes as they lie in the file; the checksum is compared at the end."""
        if self.crc is None:
            yield from self.file.chunks(self.offset, self.nbytes)
            return
        crc = 0
        for piece in self.file.chunks(self.offset, self.nbytes):
            crc = checksums.crc32c(piece, crc)
            yield piece
        self._compare(crc)

    def _compare(self, crc: int | None) -> None:
        if crc != self.crc:
            raise damaged(self.file, self.offset, self.label)


def damaged(file: MappedFile, offset: int, label: str) -> FormatError:
    """Return the error for a tensor whose bytes are not those that were written."""
    return FormatError(
        f"{file.path} is damaged",
        found=f"the bytes of {label!r} at offset {offset} do not match their checksum",
        hint="fetch or copy the file again",
    )


@dataclass(frozen=True, eq=False)
class FilledTensor(Tensor):
    """One value, as its little-endian bytes, in every place: as graphs spell zeros."""

    element: bytes
    dtype: DType
    shape: Shape

    def read(self) -> np.ndarray:
        """Return a read-only array that holds the value once, whatever its shape."""
        import numpy as np

        return np.broadcast_to(np.frombuffer(self.element, self.dtype.numpy)[0], self.shape)

    def chunks(self) -> Iterator[Piece]:
        """Yield the value again and again."""
        at_once = CHUNK // max(len(self.element), 1)
        for start in range(0, self.size, at_once):
            yield self.element * min(at_once, self.size - start)


@dataclass(frozen=True, eq=False)
class SpelledTensor(FilledTensor):
    """One value that a file holds once and claims to be in every place.

    Reading it is refused where that would take far more room than the file.
    """

    @property
    def held(self) -> int:
        """Bytes of the one value."""
        return len(self.element)

    def read(self) -> np.ndarray:
        """Return a read-only array that holds the value once, whatever its shape."""
        afford([self], "a value that is stated once")
        return super().read()

    def chunks(self) -> Iterator[Piece]:
        """Yield the value again and again."""
        afford([self], "a value that is stated once")
        yield from super().chunks()


def afford(tensors: Iterable[Tensor], what: str) -> None:
    """Refuse to give `tensors` all the room that they claim, if they hold far less.

    Parameters
    ----------
    what
        What they are together, for the error.

    Raises
    ------
    LimitError
        It would be more than `zoo.budget` allows.
    """
    there = list(tensors)
    budget.refuse(sum(t.nbytes for t in there), sum(t.held for t in there), what)


@dataclass(frozen=True, eq=False)
class MissingTensor(Tensor):
    """A tensor that a file speaks of, while its values are somewhere else; `where` tells."""

    dtype: DType
    shape: Shape
    where: str

    def read(self) -> np.ndarray:
        """Say that there are no values.

        Raises
        ------
        FormatError
            Always.
        """
        raise FormatError("a weight has no values", found=self.where)


@dataclass(frozen=True, eq=False)
class LazyTensor(Tensor):
    """A tensor whose values `compute` gives, each time they are asked for."""

    dtype: DType
    shape: Shape
    compute: Callable[[], np.ndarray]

    def read(self) -> np.ndarray:
        """Return what `compute` gives."""
        return self.compute()


def _pieces(array: np.ndarray) -> Iterator[Piece]:
    """Yield `array` as little-endian bytes, gathered piece by piece where it is scattered."""
    import numpy as np

    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    at_once = max(CHUNK // array.dtype.itemsize, 1)
    if array.flags.c_contiguous:
        flat = array.reshape(-1).view(np.uint8)
        for start in range(0, flat.size, CHUNK):
            yield flat[start : start + CHUNK]
    elif array.size:
        bits = array.view(f"V{array.dtype.itemsize}")
        blocks = np.nditer(bits, ["external_loop", "buffered"], order="C", buffersize=at_once)
        yield from (np.asarray(block).tobytes() for block in blocks)


def text_array(values: object) -> np.ndarray:
    """Return `values`, text or bytes in an array or nested lists, as an array of bytes objects.

    Lists are not made an array of fixed-length strings on the way: that takes NULs off their ends.

    Raises
    ------
    InputError
        A value is neither text nor bytes.
    """
    import numpy as np

    array = values if isinstance(values, np.ndarray) else np.array(values, object)
    flat = np.empty(array.size, object)
    for position, item in enumerate(array.reshape(-1).tolist()):
        if not isinstance(item, str | bytes):
            raise InputError("text is wanted", found=f"{type(item).__name__} {item!r}")
        flat[position] = item.encode() if isinstance(item, str) else item
    return flat.reshape(array.shape)
