"""How a sound file becomes a hostile one: bytes are changed, or messages are and fit again."""

import functools
from contextlib import suppress
from dataclasses import dataclass, field

from hypothesis import strategies as st

from zoo import wire
from zoo.checksums import crc32c, masked

NUMBERS = (
    0, 1, 2, 7, 127, 128, 255, 256, 0x7FFF, 0xFFFF, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 40,
    (1 << 62) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
)  # fmt: skip
"""Where counters overflow, signs turn, and memory ends."""
_PLAIN = ("cut", "flip", "zeros", "twice", "drop", "insert", "number", "varint", "mix", "word")
_DICE = 24
_DEEPEST = 8


class Dice:
    """Choices that hypothesis made, and can make smaller."""

    def __init__(self, data):
        self._data, self._at = data, 0

    def pick(self, count):
        """Return a number below `count`, 0 where nothing is left to choose by."""
        pair = self._data[self._at : self._at + 2]
        self._at += 2
        return int.from_bytes(pair, "big") % count if count else 0

    def one_of(self, choices):
        """Return one of `choices`."""
        return choices[self.pick(len(choices))]

    def rest(self, count):
        """Return `count` bytes."""
        return bytes(self.pick(256) for _ in range(count))


@dataclass(frozen=True)
class Specimen:
    """Parts that are a sound model once they are put together.

    Attributes
    ----------
    parts
        Bytes by name; each may be edited.
    closed
        Makes files by path of the parts.
    messages
        Whether the parts are protobuf messages.
    """

    parts: dict[str, bytes]
    closed: object = field(default=lambda parts: parts)
    messages: bool = False


def trees(specimens, words=(b"",)):
    """Return what draws one of what `specimens` gives, with up to four edits: files by path."""
    there = functools.cache(specimens)  # made when they are first wanted

    @st.composite
    def drawn(draw):
        specimen = draw(st.sampled_from(there()))
        parts = dict(specimen.parts)
        for dice in draw(st.lists(st.binary(min_size=_DICE, max_size=_DICE), max_size=4)):
            _edit(parts, Dice(dice), words, specimen.messages)
        return specimen.closed(parts)

    return drawn()


def _edit(parts, dice, words, messages):
    name = dice.one_of(sorted(parts))
    if messages and dice.pick(8):
        parts[name] = changed_message(parts[name], dice)
    else:
        others = parts[dice.one_of(sorted(parts))]
        parts[name] = changed(parts[name], dice, words, others)


def changed(data, dice, words, others):
    """Return `data` with one edit that knows nothing of what the bytes mean."""
    kind = dice.one_of(_PLAIN)
    at = dice.pick(len(data) + 1)
    length = dice.one_of((1, 2, 4, 8, 16, 64, 256))
    if kind == "cut":
        return data[:at]
    if kind == "flip":
        return data[:at] + bytes([(data[at] if at < len(data) else 0) ^ 1 << dice.pick(8)]) + data[
            at + 1 :
        ]  # fmt: skip
    if kind == "zeros":
        return data[:at] + bytes(len(data[at : at + length])) + data[at + length :]
    if kind == "twice":
        return data[:at] + data[at : at + length] * 2 + data[at + length :]
    if kind == "drop":
        return data[:at] + data[at + length :]
    if kind == "insert":
        return data[:at] + dice.rest(min(length, 8)) + data[at:]
    if kind == "mix":
        start = dice.pick(len(others) + 1)
        return data[:at] + others[start : start + length] + data[at + dice.pick(2) * length :]
    if kind == "word":
        return data[:at] + dice.one_of(words) + data[at + dice.pick(4) :]
    number = dice.one_of(NUMBERS)
    if kind == "varint":
        return data[:at] + wire.encode(number) + data[at + 1 :]
    width = dice.one_of((1, 2, 4, 8))
    encoded = (number & (1 << 8 * width) - 1).to_bytes(width, dice.one_of(("little", "big")))
    return data[:at] + encoded + data[at + width :]


def changed_message(data, dice, depth=0):
    """Return the message `data` with one field changed, and all lengths around it right."""
    try:
        fields = list(wire.fields(data, 0, len(data)))
    except wire.Damaged:
        return data
    if not fields:
        return data + _field(dice, b"")
    position = dice.pick(len(fields))
    one = fields[position]
    pieces = [data[f.head : f.end] for f in fields]
    payload = data[one.start : one.end]
    if one.kind == wire.BYTES and payload and depth < _DEEPEST and dice.pick(6):
        inner = changed_message(payload, dice, depth + 1)
        if inner != payload:
            pieces[position] = wire.field(one.number, inner)
            return b"".join(pieces)
    kind = dice.pick(6)
    if kind == 0:
        del pieces[position]
    elif kind == 1:
        pieces[position] *= dice.one_of((2, 3, 50))
    elif kind == 2:
        pieces.insert(position, _field(dice, payload))
    elif kind == 3:
        other = dice.pick(len(pieces))
        pieces[position], pieces[other] = pieces[other], pieces[position]
    else:
        pieces[position] = _value(one.number, one.kind, payload, dice)
    return b"".join(pieces)


def _value(number, kind, payload, dice):
    """Return a field of this number with another value."""
    if kind == wire.VARINT:
        return wire.tag(number, kind) + wire.encode(dice.one_of(NUMBERS))
    if kind == wire.BYTES:
        return wire.field(number, changed(payload, dice, (b"", b"/", b"..", b"^a:1"), payload))
    return wire.tag(number, kind) + dice.rest(len(payload))


def _field(dice, payload):
    """Return a field of any number and kind."""
    number = dice.one_of((1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 99, 19999))
    if dice.pick(2):
        return wire.tag(number, wire.VARINT) + wire.encode(dice.one_of(NUMBERS))
    return wire.field(number, payload)


def resealed(data):
    """Return the table `data` with checksums that are right for what is in it now."""
    sealed = bytearray(data)

    def seal(start, size):
        end = start + size
        if end + 5 <= len(sealed):
            sealed[end + 1 : end + 5] = masked(crc32c(bytes(sealed[start : end + 1]))).to_bytes(
                4, "little"
            )

    with suppress(wire.Damaged, IndexError):  # a table too broken to say where its blocks are
        _, _, at = _handle(data, len(data) - 48)
        start, size, _ = _handle(data, at)
        for first, length in _handles(bytes(data[start : start + size])):
            seal(first, length)
        seal(start, size)
    return bytes(sealed)


def _handle(data, at):
    start, at = wire.varint(data, at, len(data))
    size, at = wire.varint(data, at, len(data))
    return start, size, at


def _handles(block):
    """Yield what the entries of an index block say, as far as they can be read."""
    at, stop = 0, len(block) - 8
    while 0 <= at < stop:
        _, added, at = _handle(block, at)
        length, at = wire.varint(block, at, stop)
        at += added
        first, size, _ = _handle(block, at)
        yield first, size
        at += length
