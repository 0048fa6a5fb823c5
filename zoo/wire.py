"""The protobuf wire format, walked without parsing: where fields lie, not what they mean.

A frozen graph of 500 MB is nearly all payload.  Walking over its fields finds every node in
milliseconds and copies nothing; so does writing one, field by field.

Source: https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}
_LONGEST_VARINT = 10


class Damaged(ValueError):  # noqa: N818  (a state of the bytes; callers turn it into a FormatError)
    """Bytes that are no protobuf message.

    Attributes
    ----------
    offset
        Where in the buffer, in bytes from its beginning.
    """

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(f"{what} at byte {offset}")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: its number, its wire type, and where its value lies.

    Attributes
    ----------
    number, kind
        The field's number and wire type.
    head
        Where the field begins, tag included.
    start, end
        Where its value lies: for `BYTES` the payload without the length in front of it.
    """

    number: int
    kind: int
    head: int
    start: int
    end: int


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the varint at `at` and the position behind it.

    >>> varint(bytes([0xAC, 0x02]), 0, 2)
    (300, 2)
    """
    value = shift = 0
    for position in range(at, min(at + _LONGEST_VARINT, end)):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position + 1
        shift += 7
    raise Damaged("a number does not end", at)


def encode(number: int) -> bytes:
    """Return `number` as a varint.

    >>> encode(300).hex()
    'ac02'
    """
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def tag(number: int, kind: int = BYTES) -> bytes:
    """Return the tag that opens field `number`."""
    return encode(number << 3 | kind)


def field(number: int, payload: bytes) -> bytes:
    """Return a whole field of kind `BYTES`: tag, length, `payload`."""
    return tag(number) + encode(len(payload)) + payload


def fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    """Yield the fields of the message that lies in ``data[start:end]``; payloads are not touched.

    Raises
    ------
    Damaged
        A field is cut off, overruns `end`, or has a kind that protobuf 3 does not write.
    """
    at = start
    while at < end:
        head = at
        key, at = varint(data, at, end)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise Damaged("a field has the number 0", head)
        if kind == VARINT:
            _, stop = varint(data, at, end)
        elif kind == BYTES:
            length, at = varint(data, at, end)
            stop = at + length
        elif kind in _FIXED:
            stop = at + _FIXED[kind]
        else:
            raise Damaged(f"a field has the wire type {kind}", head)
        if stop > end:
            raise Damaged(f"a field of {stop - at} bytes runs past the end", head)
        yield Field(number, kind, head, at, stop)
        at = stop
