"""The sorted table in which a checkpoint's index is kept: LevelDB's file format.

A table is blocks of sorted entries, each key stored as what it adds to the one before; an index
block that names the last key of each block; a footer that says where the index is.  Every block is
followed by one byte for its compression and a masked CRC-32C.  What `write` gives is byte for byte
what TensorFlow's own writer gives for the same entries.

Source: ``tensorflow/core/lib/io/format.cc``, ``block_builder.cc`` and ``table_builder.cc``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo import wire
from zoo.checksums import crc32c, masked, unmasked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_TRAILER = 5
_BLOCK_SIZE = 262144
_RESTART_EVERY = 16
_PLAIN, _SNAPPY = 0, 1
_EXPANSION = 22
"""Bytes of which snappy makes one at the best: a copy of 64 bytes takes three."""


def recognises(tail: bytes) -> bool:
    """Tell whether a file that ends with `tail` (8 bytes suffice) is a table."""
    return len(tail) >= 8 and struct.unpack("<Q", tail[-8:])[0] == _MAGIC


def entries(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of the table `data`, in order.

    Raises
    ------
    wire.Damaged
        `data` is cut off, or a block does not match its checksum.
    """
    for _, (start, size) in _blocks(data):
        yield from _block(data, start, size)


def value(data: bytes, key: bytes) -> bytes | None:
    """Return what the table `data` has under `key`; only the block with it is read.

    Raises
    ------
    wire.Damaged
        `data` is cut off, or a block does not match its checksum.
    """
    for last, (start, size) in _blocks(data):
        if key <= last:
            return next((held for found, held in _block(data, start, size) if found == key), None)
    return None


def _blocks(data: bytes) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield for each block a key that no key in it is greater than, and where it lies."""
    if len(data) < _FOOTER or not recognises(data[-_FOOTER:]):
        raise wire.Damaged("no table ends", len(data))
    at = len(data) - _FOOTER
    _, at = _handle(data, at, len(data))
    (start, size), _ = _handle(data, at, len(data))
    for last, handle in _block(data, start, size):
        yield last, _handle(handle, 0, len(handle))[0]


def _handle(data: bytes, at: int, end: int) -> tuple[tuple[int, int], int]:
    """Return where a block lies, (offset, size) in bytes, and the position behind the handle."""
    offset, at = wire.varint(data, at, end)
    size, at = wire.varint(data, at, end)
    return (offset, size), at


def _block(data: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    end = start + size
    if end + _TRAILER > len(data):
        raise wire.Damaged(f"a block of {size} bytes runs past the end", start)
    (stored,) = struct.unpack_from("<I", data, end + 1)
    if crc32c(data[start : end + 1]) != unmasked(stored):
        raise wire.Damaged("a block does not match its checksum, which begins", start)
    if data[end] == _SNAPPY:
        yield from _entries(_uncompressed(data[start:end], start))
    elif data[end] == _PLAIN:
        yield from _entries(data[start:end])
    else:
        raise wire.Damaged(f"a block has the compression {data[end]}, which ends", end)


def _uncompressed(block: bytes, start: int) -> bytes:
    """Return what a snappy `block` holds; some builds of TensorFlow write such ones."""
    import cramjam

    claimed, _ = wire.varint(block, 0, len(block))
    if claimed > _EXPANSION * len(block):
        raise wire.Damaged(f"a block of {len(block)} bytes claims to hold {claimed}", start)
    try:
        return bytes(cramjam.snappy.decompress_raw(block))
    except cramjam.DecompressionError as error:
        raise wire.Damaged(f"a block does not decompress ({error})", start) from error


def _entries(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of one block."""
    if len(data) < 4:
        raise wire.Damaged("a block is too short", 0)
    (restarts,) = struct.unpack_from("<I", data, len(data) - 4)
    stop = len(data) - 4 - 4 * restarts
    key, at = b"", 0
    while at < stop:
        shared, at = wire.varint(data, at, stop)
        added, at = wire.varint(data, at, stop)
        length, at = wire.varint(data, at, stop)
        if shared > len(key) or at + added + length > stop:
            raise wire.Damaged("an entry runs past its block", at)
        key = key[:shared] + data[at : at + added]
        at += added
        yield key, data[at : at + length]
        at += length


def write(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a table of `pairs`, whose keys must come sorted and only once each."""
    table = _Table()
    for key, value in pairs:
        table.add(key, value)
    return table.finished()


@dataclass
class _Builder:
    """One block in the making."""

    restart_every: int
    body: bytearray = field(default_factory=bytearray)
    restarts: list[int] = field(default_factory=lambda: [0])
    since: int = 0
    last: bytes = b""

    def add(self, key: bytes, value: bytes) -> None:
        """Append an entry, its key without what it shares with the one before."""
        shared = 0
        if self.since < self.restart_every:
            shared = _shared(self.last, key)
        else:
            self.restarts.append(len(self.body))
            self.since = 0
        for number in (shared, len(key) - shared, len(value)):
            self.body += wire.encode(number)
        self.body += key[shared:] + value
        self.last = key
        self.since += 1

    @property
    def estimate(self) -> int:
        """Bytes of the block if it were finished now."""
        return len(self.body) + 4 * len(self.restarts) + 4

    def finished(self) -> bytes:
        """Return the block, with the places where keys stand whole."""
        numbers = [*self.restarts, len(self.restarts)]
        return bytes(self.body) + struct.pack(f"<{len(numbers)}I", *numbers)


@dataclass
class _Table:
    """A table in the making: finished blocks, the open one, and the index."""

    out: bytearray = field(default_factory=bytearray)
    block: _Builder = field(default_factory=lambda: _Builder(_RESTART_EVERY))
    index: _Builder = field(default_factory=lambda: _Builder(1))
    pending: tuple[bytes, bytes] | None = None
    """Last key and handle of a finished block; its index key depends on the key that follows."""

    def add(self, key: bytes, value: bytes) -> None:
        """Append an entry, and close the block when it is full."""
        if self.pending:
            last, handle = self.pending
            self.index.add(_separator(last, key), handle)
            self.pending = None
        self.block.add(key, value)
        if self.block.estimate >= _BLOCK_SIZE:
            self._close_block()

    def finished(self) -> bytes:
        """Return the whole table: blocks, index, footer."""
        if self.block.body:
            self._close_block()
        meta = self._append(_Builder(_RESTART_EVERY).finished())
        if self.pending:
            last, handle = self.pending
            self.index.add(_successor(last), handle)
        footer = meta + self._append(self.index.finished())
        self.out += footer.ljust(_FOOTER - 8, b"\0") + struct.pack("<Q", _MAGIC)
        return bytes(self.out)

    def _close_block(self) -> None:
        self.pending = self.block.last, self._append(self.block.finished())
        self.block = _Builder(_RESTART_EVERY)

    def _append(self, block: bytes) -> bytes:
        handle = wire.encode(len(self.out)) + wire.encode(len(block))
        stored = block + bytes([_PLAIN])
        self.out += stored + struct.pack("<I", masked(crc32c(stored)))
        return handle


def _shared(first: bytes, second: bytes) -> int:
    limit = min(len(first), len(second))
    for position in range(limit):
        if first[position] != second[position]:
            return position
    return limit


def _separator(last: bytes, following: bytes) -> bytes:
    """Return a short key that is not before `last` and is before `following`."""
    at = _shared(last, following)
    if at < min(len(last), len(following)):
        raised = last[at] + 1
        if last[at] < 0xFF and raised < following[at]:
            return last[:at] + bytes([raised])
    return last


def _successor(last: bytes) -> bytes:
    """Return a short key that is not before `last`."""
    for position, byte in enumerate(last):
        if byte != 0xFF:
            return last[:position] + bytes([byte + 1])
    return last
