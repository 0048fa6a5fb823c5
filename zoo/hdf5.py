"""HDF5 files, in which Keras keeps models: groups, attributes and where datasets lie.

Only what Keras writes is read: groups with symbol tables or with links in their headers, texts as
attributes, datasets in one piece.  The usual library is fast and complete, but on a damaged file
it hangs or ends the process, which nothing that inspects files may do.

Source: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from zoo.errors import FormatError
from zoo.hdf5_messages import Damaged, Layout, Reader, Type, attribute, dataspace, datatype, layout
from zoo.hdf5_objects import messages, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.mapped import MappedFile

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_DATASPACE, _DATATYPE, _LINK, _LAYOUT, _ATTRIBUTE = 1, 3, 6, 8, 12
_SYMBOL_TABLE, _LINK_INFO, _EXTERNAL = 17, 2, 7
_ENTRY_TAIL = 24
_HARD = 0
_MOST_OBJECTS = 500_000
_MOST_TEXTS = 1_000_000


@dataclass(frozen=True)
class Dataset:
    """An array: its type, its shape, and where its values lie."""

    type: Type
    shape: tuple[int, ...]
    layout: Layout

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.type.size


@dataclass
class Hdf5:
    """An HDF5 file, or one that lies in another file from `start` to `end`.

    Every method raises `FormatError` where the file is damaged, or holds what Keras never writes.
    """

    file: MappedFile
    start: int = 0
    end: int = -1
    opened: set[int] = field(default_factory=set)

    @cached_property
    def reader(self) -> Reader:
        """The file as it is read."""
        whole = self.file.view()
        return Reader(whole, self.start, len(whole) if self.end < 0 else self.end)

    @cached_property
    def root(self) -> Group:
        """The group that holds everything."""
        try:
            return Group(self, self._root())
        except Damaged as error:
            raise self.damaged(error) from error

    def _root(self) -> int:
        self.reader.expect(0, SIGNATURE)
        version = self.reader.number(8, 1)
        if version in (0, 1):
            self.reader.offset_size = self.reader.number(13, 1)
            self.reader.length_size = self.reader.number(14, 1)
            place, entry = (24 if version == 0 else 28), 5
        elif version in (2, 3):
            self.reader.offset_size = self.reader.number(9, 1)
            self.reader.length_size = self.reader.number(10, 1)
            place, entry = 12, 3
        else:
            raise Damaged(f"a superblock of version {version}")
        end = self.reader.address(place + 2 * self.reader.offset_size)
        found = self.reader.address(place + entry * self.reader.offset_size)
        if found is None or end is None:
            raise Damaged("no root, or no end")
        if end > self.reader.end - self.reader.start:
            raise Damaged(f"cut off: it should have {end} bytes")
        return found

    def damaged(self, error: Damaged) -> FormatError:
        """Return the error for what is wrong with the file."""
        return FormatError(f"{self.file.path} is a damaged HDF5 file", found=str(error))


class Group:
    """A group: texts about it, and groups and datasets in it."""

    def __init__(self, whole: Hdf5, address: int) -> None:
        self.whole = whole
        self._reader = whole.reader
        self._messages = messages(whole.reader, address)

    @cached_property
    def attributes(self) -> dict[str, str | list[str]]:
        """The texts and lists of texts that are noted of the group; numbers are passed over."""
        try:
            return dict(self._texts())
        except Damaged as error:
            raise self.whole.damaged(error) from error

    def _texts(self) -> Iterator[tuple[str, str | list[str]]]:
        for kind, place in self._messages:
            if kind != _ATTRIBUTE:
                continue
            name, of, shape, at = attribute(self._reader, place)
            count = math.prod(shape)
            if not of.text or count > _MOST_TEXTS:
                continue
            if not shape:
                yield name, text(self._reader, of, at)
            else:
                yield name, [text(self._reader, of, at + i * of.size) for i in range(count)]

    @cached_property
    def members(self) -> dict[str, Group | Dataset]:
        """What is in the group, by name.

        Links to other files, and to what is not there, are refused.
        """
        try:
            return {name: self._opened(address) for name, address in self._links()}
        except Damaged as error:
            raise self.whole.damaged(error) from error

    def _opened(self, address: int) -> Group | Dataset:
        if address in self.whole.opened or len(self.whole.opened) > _MOST_OBJECTS:
            raise Damaged(f"the object at {address} is in two groups")
        self.whole.opened.add(address)
        found = Group(self.whole, address)
        kinds = dict(found._messages)
        if _LAYOUT not in kinds:
            return found
        if not {_DATASPACE, _DATATYPE} <= set(kinds):
            raise Damaged(f"a dataset at {address} without type or shape")
        if _EXTERNAL in kinds:
            raise Damaged("values in another file, which is refused")
        return Dataset(
            datatype(self._reader, kinds[_DATATYPE]),
            dataspace(self._reader, kinds[_DATASPACE]),
            layout(self._reader, kinds[_LAYOUT]),
        )

    def _links(self) -> Iterator[tuple[str, int]]:
        for kind, place in self._messages:
            if kind == _SYMBOL_TABLE:
                yield from self._of_table(place)
            elif kind == _LINK:
                yield self._link(place)
            elif kind == _LINK_INFO:
                self._refuse_dense(place)

    def _refuse_dense(self, place: int) -> None:
        flags = self._reader.number(place + 1, 1)
        if self._reader.address(place + 2 + (8 if flags & 1 else 0)) is not None:
            raise Damaged("a group of the newest kind, whose members cannot be listed")

    def _link(self, place: int) -> tuple[str, int]:
        flags = self._reader.number(place + 1, 1)
        at = place + 2
        kind = self._reader.number(at, 1) if flags & 8 else _HARD
        at += (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
        width = 1 << (flags & 3)
        size = self._reader.number(at, width)
        name = self._reader.bytes_at(at + width, size).decode(errors="replace")
        address = self._reader.address(at + width + size) if kind == _HARD else None
        if address is None:
            raise Damaged(f"{name!r} is a link to somewhere else, which is refused")
        return name, address

    def _of_table(self, place: int) -> Iterator[tuple[str, int]]:
        """Yield the members that the symbol table at `place` lists."""
        tree = self._reader.address(place)
        heap = self._reader.address(place + self._reader.offset_size)
        if tree is None or heap is None:
            raise Damaged("a group without a table")
        self._reader.expect(heap, b"HEAP")
        names = self._reader.address(heap + 8 + 2 * self._reader.length_size)
        if names is None:
            raise Damaged("a group without names")
        todo, seen = [tree], set()
        while todo:
            at = todo.pop()
            if at in seen:
                raise Damaged(f"a group's table at {at} goes in a circle")
            seen.add(at)
            if self._reader.bytes_at(at, 4) == b"SNOD":
                yield from self._symbols(at, names)
            else:
                todo += reversed(self._children(at))

    def _children(self, at: int) -> list[int]:
        self._reader.expect(at, b"TREE")
        first = at + 8 + 2 * self._reader.offset_size + self._reader.length_size
        step = self._reader.offset_size + self._reader.length_size
        count = self._reader.number(at + 6, 2)
        found = [self._reader.address(first + number * step) for number in range(count)]
        return [address for address in found if address is not None]

    def _symbols(self, at: int, names: int) -> Iterator[tuple[str, int]]:
        size = 2 * self._reader.offset_size + _ENTRY_TAIL
        for number in range(self._reader.number(at + 6, 2)):
            entry = at + 8 + number * size
            start = names + self._reader.number(entry, self._reader.offset_size)
            room = min(1024, self._reader.end - self._reader.start - start)
            name = self._reader.bytes_at(start, room).partition(b"\0")[0].decode(errors="replace")
            address = self._reader.address(entry + self._reader.offset_size)
            if address is None:
                raise Damaged(f"{name!r} is a link to somewhere else, which is refused")
            yield name, address
