"""The members of a zip archive, by its directory, each held against its own header.

A zip archive says everything twice, and readers choose: by the directory at its end, or by the
headers on the way.  Here both must say the same, and the members must fill the file from its first
byte to the directory, each byte belonging to one of them.

Source: APPNOTE.TXT - .ZIP File Format Specification, version 6.3.10.
"""

from __future__ import annotations

import itertools
import stat
import struct
import zlib
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from zoo.errors import FormatError
from zoo.members import FILE, FOLDER, Member

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST, _CHUNK = 1 << 12, 1 << 20
"""Bytes that are read at once: few at first, for whoever looks only at the beginning."""
_LOCAL, _ENTRY = struct.Struct("<4s5H3I2H"), struct.Struct("<4s6H3I5H2I")
_END, _END_64, _LOCATOR = (
    struct.Struct("<4s4H2IH"), struct.Struct("<4sQ2H2I4Q"), struct.Struct("<4sIQI"),
)  # fmt: skip
_FULL, _FULL_SHORT = 0xFFFFFFFF, 0xFFFF
"""What stands where a number does not fit: it is in the field for large files."""
_LARGE_FILE, _OTHER_NAME = 0x0001, 0x7075
"""Extra fields: numbers of 8 bytes, and another name in Unicode."""
_ENCRYPTED, _SUMS_BEHIND = 0x2041, 0x0008
"""Flags: any kind of encryption; sum and sizes stand behind the data instead of before it."""
_TELLING = _ENCRYPTED | _SUMS_BEHIND
_STORED, _DEFLATED = 0, 8
_LONGEST_COMMENT, _LONGEST_SUMS = 0xFFFF, 24
_MOST_DIRECTORY = 16 << 20
"""Bytes of a directory that is usually read, which has 46 for a member and its name."""


class _Entry(NamedTuple):
    """What the directory says of a member: where its header is, and what must be there."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    start: int


def recognises(start: bytes) -> bool:
    """Tell whether a file that begins with `start` is a zip archive."""
    return start.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def members(file: BinaryIO, most: int = _MOST_DIRECTORY) -> Iterator[Member]:
    """Yield the members of the zip archive in `file`; its directory has `most` bytes at most.

    Raises
    ------
    FormatError
        It is damaged, encrypted, or could be read in two ways.
    """
    try:
        directory, start = _directory(file, most)
        entries = list(_entries(directory))
        starts = _data_starts(file, entries, start)
    except struct.error as error:
        raise _damaged("a record that ends early") from error
    for entry in entries:
        read = partial(_data, file, entry, starts[entry.start])
        yield Member(_name(entry), entry.size, _kind(entry), read, entry.packed)


def _directory(file: BinaryIO, most: int) -> tuple[bytes, int]:
    """Return the directory, and where it begins; the records at the end of the file say so."""
    length = file.seek(0, 2)
    tail = _at(file, max(0, length - _END.size - _LONGEST_COMMENT), length)
    place = tail.rfind(b"PK\x05\x06")
    if place < 0:
        raise _damaged("no directory at its end")
    end = length - len(tail) + place
    _, *numbers, comment = _END.unpack_from(tail, place)
    if end + _END.size + comment != length:
        raise _refused("bytes behind its end")
    end, (disk, first, here, count, size, start) = _large(file, end, numbers)
    if disk or first or here != count:
        raise _refused("a part of an archive of several files")
    if start + size != end:
        raise _refused("bytes before its beginning, or between its directory and its end")
    if size > most:
        raise _refused(f"a directory of {size} bytes")
    return _at(file, start, end), start


def _large(file: BinaryIO, end: int, numbers: list[int]) -> tuple[int, list[int]]:
    """Return where the end record begins, and its `numbers`, of 8 bytes where it has such."""
    locator = _at(file, max(0, end - _LOCATOR.size), end)
    if not locator.startswith(b"PK\x06\x07"):
        return end, numbers
    _, _, place, _ = _LOCATOR.unpack(locator)
    magic, length, _, _, *wide = _END_64.unpack(_at(file, place, place + _END_64.size))
    if magic != b"PK\x06\x06" or place + 12 + length != end - _LOCATOR.size:
        raise _damaged("no end record for large archives where it should be")
    for narrow, number in zip(numbers, wide, strict=True):
        if narrow not in (number, _FULL, _FULL_SHORT):
            raise _refused("two numbers for what is in it")
    return place, wide


def _entries(directory: bytes) -> Iterator[_Entry]:
    place = 0
    while place < len(directory):
        entry = _ENTRY.unpack_from(directory, place)
        if entry[0] != b"PK\x01\x02":
            raise _damaged("no member where the directory should have one")
        place += _ENTRY.size
        name, extra, comment = entry[10:13]
        end = place + name + extra + comment
        if end > len(directory):
            raise _damaged("a directory that ends early")
        given, more = directory[place : place + name], directory[place + name : end - comment]
        place = end
        crc, packed, size = entry[7:10]
        size, packed, start = _numbers(more, (size, packed, entry[16]))
        _refuse_other_name(given, more)
        yield _Entry(given, entry[3], entry[4], crc, packed, size, entry[15] >> 16, start)


def _numbers(extra: bytes, stated: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return size, packed size and offset, out of the field for large files where they are there.

    That has only those which do not fit, in this order.
    """
    wide = iter(())
    for kind, data in _fields(extra):
        if kind == _LARGE_FILE:
            wide = iter(struct.unpack(f"<{len(data) // 8}Q", data[: len(data) // 8 * 8]))
    size, packed, start = (next(wide, n) if n == _FULL else n for n in stated)
    return size, packed, start


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        yield kind, extra[place + 4 : place + 4 + length]
        place += 4 + length


def _refuse_other_name(name: bytes, extra: bytes) -> None:
    """Check that no extra field gives the member another name, which some readers take."""
    for kind, data in _fields(extra):
        if kind == _OTHER_NAME and data[5:] != name:
            raise _refused(f"two names for one member, {name[:100]!r} and {data[5:105]!r}")


def _data_starts(file: BinaryIO, entries: list[_Entry], directory: int) -> dict[int, int]:
    """Return where the bytes of each member begin, by where its header does.

    Headers and bytes must fill the file up to the `directory`, without gaps or overlaps.
    """
    ordered = sorted(entries, key=lambda entry: entry.start)
    starts, place = {}, 0
    for entry, following in itertools.zip_longest(ordered, ordered[1:]):
        if entry.start != place:
            raise _refused("bytes that belong to no member, or to two")
        starts[entry.start] = begin = _data_start(file, entry)
        end, place = begin + entry.packed, directory if following is None else following.start
        if not 0 <= place - end <= _LONGEST_SUMS:
            raise _refused("bytes that belong to no member, or to two")
        _refuse_gap(_at(file, end, place), entry)
    if not entries and directory:
        raise _refused("bytes that belong to no member")
    return starts


def _data_start(file: BinaryIO, entry: _Entry) -> int:
    """Return where the bytes of a member begin, whose header must say what the directory says."""
    local = _LOCAL.unpack(_at(file, entry.start, entry.start + _LOCAL.size))
    _, _, flags, method, _, _, crc, packed, size, name, extra = local
    begin: int = entry.start + _LOCAL.size
    rest = _at(file, begin, begin + name + extra)
    size, packed, _ = _numbers(rest[name:], (size, packed, 0))
    there = (local[0], rest[:name], flags & _TELLING, method)
    if there != (b"PK\x03\x04", entry.name, entry.flags & _TELLING, entry.method):
        raise _refused(f"a header that is not what the directory says of {entry.name[:200]!r}")
    sums = (crc, packed, size)
    if not flags & _SUMS_BEHIND and sums != (entry.crc, entry.packed, entry.size):
        raise _refused(f"two sizes or sums for {entry.name[:200]!r}")
    _refuse_other_name(entry.name, rest[name:])
    return begin + len(rest)


def _refuse_gap(gap: bytes, entry: _Entry) -> None:
    """Check that behind the bytes of a member there is nothing but what repeats sum and sizes."""
    wanted = {b""}
    if entry.flags & _SUMS_BEHIND:
        numbers = (entry.crc, entry.packed, entry.size)
        narrow = struct.pack("<3I", *(number & _FULL for number in numbers))
        wide = struct.pack("<I2Q", *numbers)
        wanted = {magic + one for magic in (b"", b"PK\x07\x08") for one in (narrow, wide)}
    if gap not in wanted:
        raise _refused(f"bytes behind {entry.name[:200]!r} that belong to no member, or to two")


def _name(entry: _Entry) -> str:
    try:
        return entry.name.decode()
    except UnicodeDecodeError as error:
        raise _refused(f"the name {entry.name[:200]!r}, which is no UTF-8") from error


def _kind(entry: _Entry) -> str:
    """Return what a member is, in words; where Unix wrote the archive its mode says so."""
    mode, ends = stat.S_IFMT(entry.mode), entry.name.endswith(b"/")
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a device, a pipe or a socket"
    if entry.flags & _ENCRYPTED:
        return "encrypted"
    if (ends and entry.size) or stat.S_ISDIR(mode) > ends or (ends and stat.S_ISREG(mode)):
        return "a file and a folder at once"
    return FOLDER if ends else FILE


def _data(file: BinaryIO, entry: _Entry, start: int) -> Iterator[bytes]:
    """Yield the bytes of a member, whose length and sum must be those that are stated."""
    size = crc = 0
    for chunk in _unpacked(file, entry, start):
        size += len(chunk)
        crc = zlib.crc32(chunk, crc)
        if size > entry.size:
            break
        yield chunk
    if (size, crc) != (entry.size, entry.crc):
        raise _damaged(f"{_name(entry)!r} is not what its length or sum says")


def _unpacked(file: BinaryIO, entry: _Entry, start: int) -> Iterator[bytes]:
    if entry.method == _STORED:
        yield from _pieces(file, start, start + entry.packed)
        return
    if entry.method != _DEFLATED:
        raise FormatError(
            f"{_name(entry)!r} is compressed in a way that is not read here",
            found=f"method {entry.method}",
            hint="zip archives are read that are stored or deflated",
        )
    decoder = zlib.decompressobj(wbits=-15)
    try:
        for piece in _pieces(file, start, start + entry.packed):
            data = piece
            while data and not decoder.eof:
                yield decoder.decompress(data, _CHUNK)
                data = decoder.unconsumed_tail
            if data or decoder.unused_data:
                raise _damaged(f"{_name(entry)!r} ends before its bytes do")
        yield decoder.flush()
    except zlib.error as error:
        raise _damaged(f"{_name(entry)!r}: {error}") from error
    if not decoder.eof:
        raise _damaged(f"{_name(entry)!r} ends early")


def _pieces(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    at_once = _FIRST
    while start < end:
        piece = _at(file, start, min(end, start + at_once))
        start, at_once = start + len(piece), _CHUNK
        yield piece


def _at(file: BinaryIO, start: int, end: int) -> bytes:
    """Return the bytes of the file from `start` to `end`."""
    file.seek(start)
    data = file.read(end - start)
    if len(data) != end - start:
        raise _damaged("it ends early")
    return data


def _damaged(found: str) -> FormatError:
    return FormatError("the archive is damaged", found=found)


def _refused(found: str) -> FormatError:
    return FormatError(
        "the archive is not one that every reader reads alike",
        found=found,
        hint="unpack it with the tool that made it, and pack it anew",
    )
