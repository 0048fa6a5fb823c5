"""The objects of an HDF5 file: the messages that each consists of, and the texts they refer to.

Source: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.hdf5_messages import Damaged, Reader, Type

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONTINUATION = 16
_MOST_MESSAGES = 100_000
_LONGEST_TEXT = 1 << 28
_MESSAGE = _TEXT = 128
"""Bytes that a message, and a text with nothing in it, take in memory."""


def messages(reader: Reader, address: int) -> list[tuple[int, int]]:
    """Return the messages of the object at `address`: the kind of each, and its place."""
    new = reader.bytes_at(address, 4) == b"OHDR"
    todo = [_first_of_new(reader, address) if new else _first_of_old(reader, address)]
    found: list[tuple[int, int]] = []
    seen = set()
    while todo:
        at, end = todo.pop()
        if at in seen:
            raise Damaged(f"an object's parts at {at} go in a circle")
        seen.add(at)
        for kind, place in _within(reader, at, end, address if new else None):
            if kind == _CONTINUATION:
                todo.append(_continued(reader, place, new=new))
            found.append((kind, place))
            reader.spend(_MESSAGE)
        if len(found) > _MOST_MESSAGES:
            raise Damaged("an object of too many parts")
    return found


def _first_of_old(reader: Reader, address: int) -> tuple[int, int]:
    if reader.number(address, 1) != 1:
        raise Damaged(f"no object at {address}")
    return address + 16, address + 16 + reader.number(address + 8, 4)


def _first_of_new(reader: Reader, address: int) -> tuple[int, int]:
    flags = reader.number(address + 5, 1)
    at = address + 6 + (16 if flags & 32 else 0) + (4 if flags & 16 else 0)
    width = 1 << (flags & 3)
    size = reader.number(at, width)
    return at + width, at + width + size


def _continued(reader: Reader, place: int, *, new: bool) -> tuple[int, int]:
    at = reader.address(place)
    size = reader.length(place + reader.offset_size)
    if at is None:
        raise Damaged("an object goes on nowhere")
    return (at + 4, at + size - 4) if new else (at, at + size)


def _within(reader: Reader, at: int, end: int, new: int | None) -> Iterator[tuple[int, int]]:
    """Yield the messages between `at` and `end`.

    Parameters
    ----------
    new
        The address of the object if its header is of the new kind.
    """
    flags = 0 if new is None else reader.number(new + 5, 1)
    head = 8 if new is None else (6 if flags & 4 else 4)
    while at + head <= end:
        kind = reader.number(at, 2 if new is None else 1)
        size = reader.number(at + (2 if new is None else 1), 2)
        if at + head + size > end:
            raise Damaged(f"a part of {size} bytes at {at} is cut off")
        yield kind, at + head
        at += head + size


def text(reader: Reader, kind: Type, at: int) -> str:
    """Return the text at `at`, which may only say where the text lies."""
    if not kind.variable:
        reader.spend(_TEXT + kind.size)
        return reader.bytes_at(at, kind.size).partition(b"\0")[0].decode(errors="replace")
    length = reader.number(at, 4)
    heap = reader.address(at + 4)
    if not length or not heap:
        return ""
    found = _from_heap(reader, heap, reader.number(at + 4 + reader.offset_size, 4), length)
    return found.decode(errors="replace")


def _from_heap(reader: Reader, heap: int, wanted: int, length: int) -> bytes:
    """Return the first `length` bytes of the object number `wanted` of the global heap at `heap`.

    A heap is walked once, however many texts are in it.
    """
    if heap not in reader.heaps:
        reader.heaps[heap] = dict(_objects(reader, heap))
    if wanted not in reader.heaps[heap]:
        raise Damaged(f"no object {wanted} in the heap at {heap}")
    place, size = reader.heaps[heap][wanted]
    reader.spend(_TEXT + min(size, length))
    return reader.bytes_at(place, min(size, length))


def _objects(reader: Reader, heap: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield number, place and size of each object of the global heap at `heap`."""
    reader.expect(heap, b"GCOL")
    end = heap + reader.length(heap + 8)
    at = heap + 8 + reader.length_size
    head = 8 + reader.length_size
    while at + head <= end:
        number, size = reader.number(at, 2), reader.length(at + 8)
        if number == 0 or size > _LONGEST_TEXT:
            break
        reader.spend(_TEXT)
        yield number, (at + head, size)
        at += head + size + -size % 8
