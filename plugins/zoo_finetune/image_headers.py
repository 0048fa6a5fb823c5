"""What the head of a picture's file says that TensorFlow does not read.

TensorFlow gives the pixels as they are stored. A camera stores how it was held beside them, in the
EXIF tag 0x0112 (TIFF 6.0, EXIF 2.3 section 4.6.4), in an APP1 segment of a JPEG or the chunk
``eXIf`` of a PNG. A BMP of 8 bits has a palette, whose numbers TensorFlow takes for gray.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

UPRIGHT = 1
_HEAD = 256 << 10
_ORIENTATION = 0x0112
_EXIF = b"Exif\0\0"
_PNG = b"\x89PNG\r\n\x1a\n"
_SIZES = {3: 2, 4: 4}
"""The TIFF types that an orientation is written in, and their bytes."""


@dataclass(frozen=True)
class Header:
    """What a file begins with.

    Attributes
    ----------
    kind
        ``"jpeg"``, ``"png"``, ``"gif"``, ``"bmp"``, or empty for none of these.
    orientation
        How the pixels are turned, 1 (upright) to 8.
    palette
        Whether it is a BMP whose pixels are numbers of colours.
    """

    kind: str = ""
    orientation: int = UPRIGHT
    palette: bool = False


def headers(paths: Sequence[Path]) -> list[Header]:
    """Return what each file begins with; one that cannot be read is of no kind."""
    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as threads:
        return list(threads.map(_header, paths))


def _header(path: Path) -> Header:
    try:
        with path.open("rb") as file:
            return header(file.read(_HEAD))
    except (OSError, ValueError):
        return Header()


def header(head: bytes) -> Header:
    """Return what a file is that begins with `head`; damage is no error here.

    >>> header(b"GIF89a").kind, header(b"<html>").kind
    ('gif', '')
    """
    if head.startswith(b"\xff\xd8\xff"):
        return Header("jpeg", _first(_in_jpeg(head)))
    if head.startswith(_PNG):
        return Header("png", _first(_in_png(head)))
    if head.startswith(b"GIF8"):
        return Header("gif")
    return Header("bmp", palette=_has_palette(head)) if head.startswith(b"BM") else Header()


def _first(blocks: Iterator[bytes]) -> int:
    return next((_orientation(block) for block in blocks), UPRIGHT)


def _in_jpeg(head: bytes) -> Iterator[bytes]:
    """Yield the EXIF blocks before the first scan."""
    at = 2
    while at + 4 <= len(head) and head[at] == 0xFF and head[at + 1] != 0xDA:
        if head[at + 1] == 0xFF:  # a segment may be preceded by any number of these
            at += 1
            continue
        size = int.from_bytes(head[at + 2 : at + 4], "big")
        body = head[at + 4 : at + 2 + size]
        if head[at + 1] == 0xE1 and body.startswith(_EXIF):
            yield body[len(_EXIF) :]
        at += 2 + max(size, 2)


def _in_png(head: bytes) -> Iterator[bytes]:
    """Yield the EXIF blocks before the pixels."""
    at = len(_PNG)
    while at + 8 <= len(head) and head[at + 4 : at + 8] not in (b"IDAT", b"IEND"):
        size = int.from_bytes(head[at : at + 4], "big")
        if head[at + 4 : at + 8] == b"eXIf":
            yield head[at + 8 : at + 8 + size]
        at += 12 + size


def _orientation(block: bytes) -> int:
    """Return the orientation that a TIFF `block` states in its first directory."""
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(block[:4])
    if order is None:
        return UPRIGHT

    def number(at: int, size: int) -> int:
        """Return the whole number in the `size` bytes from `at` on."""
        return int.from_bytes(block[at : at + size], "little" if order == "little" else "big")

    directory = number(4, 4)
    for place in range(number(directory, 2)):
        at = directory + 2 + 12 * place
        if at + 12 > len(block):
            break
        if number(at, 2) == _ORIENTATION and number(at + 2, 2) in _SIZES:
            said = number(at + 8, _SIZES[number(at + 2, 2)])
            return said if 1 <= said <= 8 else UPRIGHT
    return UPRIGHT


def _has_palette(head: bytes) -> bool:
    """Tell whether a BMP of 8 bits gives its numbers other colours than the grays."""
    if len(head) < 54 or int.from_bytes(head[28:30], "little") != 8:
        return False
    start = 14 + int.from_bytes(head[14:18], "little")
    colours = head[start : int.from_bytes(head[10:14], "little")]
    grays = b"".join(bytes((number, number, number)) for number in range(256))
    shown = b"".join(colours[at : at + 3] for at in range(0, len(colours) - 3, 4))
    return not grays.startswith(shown)
