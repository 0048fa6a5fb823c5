"""What the parts of an HDF5 object say: its shape, its type, where its values lie, attributes.

Everything is read off a buffer whose bounds are checked at each step: a damaged file ends in
`Damaged`, where the usual library may end the process.

Source: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import budget, dtypes

if TYPE_CHECKING:
    import mmap

    from zoo.dtypes import DType

_FIXED_POINT, _FLOAT, _STRING, _OPAQUE, _ENUM, _VARIABLE = 0, 1, 3, 5, 8, 9
_HALF = 2
_MOST_AXES = 32
_NAMED = {"bfloat16", "bool", "float16", "float32", "float64"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
_WIDTHS = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
_BFLOAT_EXPONENT = 8
_COMPACT, _CONTIGUOUS, _CHUNKED = 0, 1, 2


class Damaged(ValueError):  # noqa: N818  (a state of the bytes; callers turn it into a FormatError)
    """Bytes that are no HDF5."""


class Reader:
    """A buffer read at places that the buffer itself names, which may be lies.

    Attributes
    ----------
    heaps
        The objects of each heap that was looked into: places and sizes by number.
    """

    def __init__(self, data: mmap.mmap | bytes, start: int, end: int) -> None:
        self.data = data
        self.start, self.end = start, end
        self.offset_size = self.length_size = 8
        self.heaps: dict[int, dict[int, tuple[int, int]]] = {}
        self._left = budget.most(end - start)

    def spend(self, size: int) -> None:
        """Note that `size` bytes more are held of the file; it may say the same again and again."""
        self._left -= size
        if self._left < 0:
            held = self.end - self.start
            raise budget.beyond(budget.most(held), held, "an HDF5 file")

    def bytes_at(self, at: int, count: int) -> bytes:
        """Return `count` bytes from `at` on, counted from where the HDF5 begins."""
        first = self.start + at
        if at < 0 or count < 0 or first + count > self.end:
            raise Damaged(f"{count} bytes at {at} lie outside of the file")
        return self.data[first : first + count]

    def number(self, at: int, width: int) -> int:
        """Return the unsigned number of `width` bytes at `at`."""
        if width not in _WIDTHS:
            raise Damaged(f"numbers of {width} bytes")
        return int(struct.unpack(_WIDTHS[width], self.bytes_at(at, width))[0])

    def address(self, at: int) -> int | None:
        """Return the address at `at`, None where it says that there is nothing."""
        found = self.number(at, self.offset_size)
        return None if found == (1 << 8 * self.offset_size) - 1 else found

    def length(self, at: int) -> int:
        """Return the size at `at`."""
        return self.number(at, self.length_size)

    def expect(self, at: int, magic: bytes) -> None:
        """Check that `magic` stands at `at`."""
        found = self.bytes_at(at, len(magic))
        if found != magic:
            raise Damaged(f"{magic!r} should stand at {at}, not {found!r}")


@dataclass(frozen=True)
class Type:
    """The type of a value: a number's dtype, or a text of fixed or any length.

    Attributes
    ----------
    dtype
        None for what no tensor holds.
    size
        Bytes of one element.
    text
        Whether it is text.
    variable
        Whether the text lies elsewhere, in a global heap.
    swapped
        Whether the bytes of a number stand with the highest first.
    """

    dtype: DType | None
    size: int
    text: bool = False
    variable: bool = False
    swapped: bool = False


@dataclass(frozen=True)
class Layout:
    """Where the values of a dataset lie.

    Attributes
    ----------
    kind
        ``"compact"``, ``"contiguous"`` or ``"chunked"``.
    address, size
        The bytes, for the first two; no address where nothing was ever written.
    """

    kind: str
    address: int | None
    size: int


def dataspace(reader: Reader, at: int) -> tuple[int, ...]:
    """Return the shape that the message at `at` states."""
    version, axes = reader.number(at, 1), reader.number(at + 1, 1)
    if version not in (1, 2) or axes > _MOST_AXES:
        raise Damaged(f"a dataspace of version {version} with {axes} axes")
    first = at + (8 if version == 1 else 4)
    return tuple(reader.length(first + axis * reader.length_size) for axis in range(axes))


def datatype(reader: Reader, at: int) -> Type:
    """Return the type that the message at `at` states."""
    head = reader.number(at, 1)
    kind, bits = head & 15, reader.number(at + 1, 1)
    size = reader.number(at + 4, 4)
    swapped = bool(bits & 1)
    if kind == _FIXED_POINT:
        name = f"{'int' if bits & 8 else 'uint'}{size * 8}"
        return Type(_named(name), size, swapped=swapped)
    if kind == _FLOAT:
        wide = size == 2 and reader.number(at + 13, 1) == _BFLOAT_EXPONENT
        return Type(_named("bfloat16" if wide else f"float{size * 8}"), size, swapped=swapped)
    if kind == _STRING:
        return Type(None, size, text=True)
    if kind == _VARIABLE and bits & 15 == 1:
        return Type(None, size, text=True, variable=True)
    if kind == _OPAQUE and size == _HALF:  # how Keras keeps what numpy has no name for
        return Type(_named("bfloat16"), size)
    if kind == _ENUM and size == 1:
        return Type(_named("bool"), size)
    return Type(None, size)


def _named(name: str) -> DType | None:
    return dtypes.named(name) if name in _NAMED else None


def layout(reader: Reader, at: int) -> Layout:
    """Return where the message at `at` says that values lie."""
    version = reader.number(at, 1)
    if version in (1, 2):
        axes, kind = reader.number(at + 1, 1), reader.number(at + 2, 1)
        if kind == _CONTIGUOUS and axes <= _MOST_AXES:
            return Layout("contiguous", reader.address(at + 8), -1)
        return Layout("chunked", None, -1)
    if version not in (3, 4):
        raise Damaged(f"a layout of version {version}")
    kind = reader.number(at + 1, 1)
    if kind == _COMPACT:
        return Layout("compact", at + 4, reader.number(at + 2, 2))
    if kind == _CONTIGUOUS:
        size = reader.length(at + 2 + reader.offset_size)
        return Layout("contiguous", reader.address(at + 2), size)
    return Layout("chunked", None, -1)


def attribute(reader: Reader, at: int) -> tuple[str, Type, tuple[int, ...], int]:
    """Return name, type, shape and the place of the value of the attribute at `at`."""
    version = reader.number(at, 1)
    if version not in (1, 2, 3):
        raise Damaged(f"an attribute of version {version}")
    sizes = [reader.number(at + 2 + 2 * part, 2) for part in range(3)]
    place = at + (9 if version == 3 else 8)
    steps = [_padded(size) if version == 1 else size for size in sizes]
    name = reader.bytes_at(place, sizes[0]).partition(b"\0")[0].decode(errors="replace")
    kind = datatype(reader, place + steps[0])
    shape = dataspace(reader, place + steps[0] + steps[1]) if sizes[2] else ()
    return name, kind, shape, place + sum(steps)


def _padded(size: int) -> int:
    return size + -size % 8
