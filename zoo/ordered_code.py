"""Keys that sort as the values they are made of: the name a bundle gives one slice of a tensor.

Source: ``tensorflow/core/lib/strings/ordered_code.cc`` and ``EncodeTensorNameSlice`` in
``saved_tensor_slice_util.cc``.
"""

from __future__ import annotations

Extents = tuple[tuple[int, int] | None, ...]
"""A slice along each axis: (start, length), or None for all of it."""

_ESCAPES = {0x00: b"\x00\xff", 0xFF: b"\xff\x00"}
_LONGEST = 7
"""Bytes for a signed number; more would need a second byte of leading ones, for sizes over 2^48."""


def slice_key(name: bytes, extents: Extents) -> bytes:
    """Return the key under which a bundle stores the slice `extents` of the tensor `name`."""
    key = unsigned(0) + string(name) + unsigned(len(extents))
    for extent in extents:
        start, length = extent or (0, -1)
        key += signed(start) + signed(length)
    return key


def unsigned(number: int) -> bytes:
    """Return `number`, 0 or more: a byte that counts the bytes that follow, the largest first."""
    body = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes([len(body)]) + body


def string(text: bytes) -> bytes:
    """Return `text` with its 0x00 and 0xFF bytes escaped, and an end mark that sorts first."""
    return b"".join(_ESCAPES.get(byte, bytes([byte])) for byte in text) + b"\x00\x01"


def signed(number: int) -> bytes:
    """Return `number` in as few bytes as hold it; as many leading one bits say how many those are.

    One byte holds -64 to 63, two -8192 to 8191.  Negative numbers have every bit turned round.
    """
    positive = number if number >= 0 else ~number
    length = next(n for n in range(1, 10) if positive < 1 << (7 * n - 1))
    if length > _LONGEST:
        raise OverflowError(f"{number} is too large for a slice")
    announced = ((1 << length) - 1) << (7 * length)
    encoded = positive | announced
    if number < 0:
        encoded ^= (1 << 8 * length) - 1
    return encoded.to_bytes(length, "big")
