"""The members of a tar archive, read from its beginning to its end.

Readers of tar forgive much, each something else, so that one archive can be two: what one takes
for the bytes of a member is a member for another.  This one takes what GNU tar, bsdtar and Python
write, in the formats v7, ustar, GNU and pax, and refuses whatever could be read in two ways.

Source: POSIX.1-2017, ``pax``, "ustar Interchange Format" and "pax Extended Header"; GNU tar
manual, "Basic Tar Format".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

from zoo.errors import FormatError
from zoo.members import FILE, FOLDER, Member

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 512
_CHUNK = 1 << 20
_MOST_HEADER = 1 << 16
"""Bytes of a long name, or of the records that a pax header has."""
_OCTAL_ENDS = 1 << 33
"""Sizes from here on do not fit into a header, whose field has eleven octal digits."""
_LINKS = {"1": "a hard link", "2": "a symbolic link"}
_KINDS = _LINKS | {"3": "a device", "4": "a device", "6": "a pipe"}
_GNU_NAME, _GNU_LINK, _PAX, _PAX_FOR_ALL = "L", "K", "x", "g"
_USTAR, _OLDER = b"ustar\x0000", (b"ustar  \x00", bytes(8))
_NUMBER = re.compile(rb" *([0-7]*)[ \0]*")
_UNUSED = ((100, 108), (108, 116), (116, 124), (136, 148), (329, 337), (337, 345))
"""Where mode, owner, group, time and device stand; readers stop at one that is no number."""
_RECORD = re.compile(rb"(\d{1,5}) ([^=\n]+)=")
_MEANT_FOR_ALL = {"comment", "mtime", "atime", "ctime", "uid", "gid", "uname", "gname"}
"""What a pax header for all members may say: nothing about where they lie, or how long they are."""


class Readable(Protocol):
    """What gives bytes, as `zoo.compressed.Unpacked` does."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most `size`; none at the end."""


class _Header(NamedTuple):
    name: str
    size: int
    kind: str


class _Said(NamedTuple):
    """What was said about the next member before its own header, and in which extensions."""

    name: str | None = None
    size: int | None = None
    kinds: str = ""


def recognises(block: bytes) -> bool:
    """Tell whether the first `block` of a file is that of a tar archive."""
    try:
        return len(block) == BLOCK and any(block) and bool(_header(block).name)
    except FormatError:
        return False


def members(file: Readable) -> Iterator[Member]:
    """Yield the members of the tar archive in `file`, in their order.

    Raises
    ------
    FormatError
        It is damaged, ends early, or could be read in two ways.
    """
    said = _Said()
    while any(block := _exactly(file, BLOCK)):
        header = _header(block)
        if header.kind in (_GNU_NAME, _GNU_LINK, _PAX, _PAX_FOR_ALL):
            said = _joined(said, header.kind, _text(file, header))
            continue
        member, data = _member(header, said), _Data(file, _size(header, said))
        said = _Said()
        yield Member(member.name, data.size, member.kind, data.chunks)
        data.skip()
    _refuse_more(file, said)


class _Data:
    """The bytes of one member, and what fills its last block."""

    def __init__(self, file: Readable, size: int) -> None:
        self._file, self.size, self._left = file, size, size

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes that were not read yet."""
        while self._left:
            chunk = _exactly(self._file, min(self._left, _CHUNK))
            self._left -= len(chunk)
            yield chunk

    def skip(self) -> None:
        """Go to the next header."""
        for _ in self.chunks():
            pass
        _exactly(self._file, -self.size % BLOCK)


def _member(header: _Header, said: _Said) -> _Header:
    """Return what the member is whose `header` this is, in words."""
    name = header.name if said.name is None else said.name
    size = _size(header, said)
    if header.kind in ("0", "\0"):
        kind = FOLDER if name.endswith("/") else FILE
    elif header.kind == "5":
        kind = FOLDER
    elif header.kind in _KINDS:
        kind = _KINDS[header.kind]
    else:
        raise _refused(f"a member of the type {header.kind!r}, {name[:200]!r}")
    if kind != FILE and size:
        raise _refused(f"{name[:200]!r} is {kind} and has {size} bytes")
    return _Header(name, size, kind)


def _size(header: _Header, said: _Said) -> int:
    """Return the bytes of a member: two statements must be one, or one that a header cannot hold.

    Two readers that believe different ones take different bytes for the next header.
    """
    if said.size is None or said.size == header.size:
        return header.size
    if said.size < _OCTAL_ENDS:
        raise _refused(f"two sizes for one member, {header.size} and {said.size}")
    return said.size


def _joined(said: _Said, kind: str, data: bytes) -> _Said:
    """Return what was `said` of the next member, and what an extension of this `kind` adds."""
    if kind == _PAX_FOR_ALL:
        for key in _records(data):
            if key not in _MEANT_FOR_ALL:
                raise _refused(f"a pax header that says {key!r} of all members")
        return said
    more = _by_pax(_records(data)) if kind == _PAX else _Said()
    if kind == _GNU_NAME:
        more = _Said(_long_name(data))
    if kind in said.kinds or (said.name is not None and more.name is not None):
        raise _refused("two names or headers for one member")
    name = said.name if more.name is None else more.name
    return _Said(name, said.size if more.size is None else more.size, said.kinds + kind)


def _long_name(data: bytes) -> str:
    if not data or data.find(b"\0") != len(data) - 1:
        raise _refused("a long name that does not end where it should")
    return _decoded(data[:-1])


def _by_pax(records: dict[str, bytes]) -> _Said:
    """Return what the `records` of a pax header say of the next member."""
    strange = [key for key in records if key.startswith("GNU.sparse") or key == "hdrcharset"]
    if strange:
        raise _refused(f"a member with {strange[0]!r} in its pax header")
    name, size = records.get("path"), records.get("size")
    if size is not None and not re.fullmatch(rb"\d{1,18}", size):
        raise _refused(f"the size {size[:40]!r} in a pax header")
    return _Said(None if name is None else _decoded(name), None if size is None else int(size))


def _records(data: bytes) -> dict[str, bytes]:
    """Return the records of a pax header, ``LENGTH KEY=VALUE`` and a line feed each."""
    found: dict[str, bytes] = {}
    while data:
        start = _RECORD.match(data)
        end = int(start[1]) if start else 0
        if start is None or end <= start.end() or data[end - 1 : end] != b"\n":
            raise _refused("a damaged pax header")
        key = _decoded(start[2])
        if key in found:
            raise _refused(f"{key!r} twice in a pax header")
        found[key], data = data[start.end() : end - 1], data[end:]
    return found


def _text(file: Readable, header: _Header) -> bytes:
    """Return the bytes of an extension: a long name, or the records of a pax header."""
    if header.size > _MOST_HEADER:
        raise _refused(f"a header of {header.size} bytes")
    data = _exactly(file, header.size)
    _exactly(file, -header.size % BLOCK)
    return data


def _header(block: bytes) -> _Header:
    """Return what one block says of the member behind it."""
    magic, prefix = block[257:265], block[345:500]
    blank = block[:148] + b" " * 8 + block[156:]
    if magic not in (_USTAR, *_OLDER) or _number(block[148:156]) != sum(blank):
        raise FormatError("the archive is damaged", found="a block that is no header of a member")
    if magic != _USTAR and any(prefix):
        raise _refused("a name in two parts, in a format that has none")
    for start, end in _UNUSED:
        if block[start] not in (0x80, 0xFF):
            _number(block[start:end])
    name, above = (field.partition(b"\0")[0] for field in (block[:100], prefix))
    kind = chr(block[156])
    return _Header(_decoded(above + b"/" + name if above else name), _number(block[124:136]), kind)


def _number(field: bytes) -> int:
    """Return the number in a field: octal digits, or binary where GNU tar has too many of them."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = _NUMBER.fullmatch(field)
    if digits is None:
        raise FormatError("the archive is damaged", found=f"{field!r} for a number")
    return int(digits[1] or b"0", 8)


def _decoded(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise _refused(f"{name[:200]!r}, which is no UTF-8") from error


def _exactly(file: Readable, size: int) -> bytes:
    """Return the next `size` bytes."""
    pieces = []
    while size:
        piece = file.read(size)
        if not piece:
            raise FormatError("the archive ends early", found="no blocks of zeros at its end")
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _refuse_more(file: Readable, said: _Said) -> None:
    """Check that nothing but zeros follows the first block of them: others would read on."""
    if said != _Said():
        raise _refused("a header for a member that is not there")
    while chunk := file.read(_CHUNK):
        if chunk.strip(b"\0"):
            raise _refused("bytes behind its end")


def _refused(found: str) -> FormatError:
    return FormatError(
        "the archive is not one that every reader reads alike",
        found=found,
        hint="unpack it with the tool that made it, and look at what comes",
    )
