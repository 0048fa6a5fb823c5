"""A compressed file as a stream of what was compressed: gzip, bzip2 and xz.

No more is unpacked at a time than is asked for, and no more in all than is allowed: a few
kilobytes can hold gigabytes.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import TYPE_CHECKING, BinaryIO, Protocol

from zoo.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable

_TAKEN = 1 << 18
"""Bytes that are read from the file at a time."""
_MEMORY = 256 << 20
"""Bytes that xz may use; its strongest setting needs 65 MiB to unpack."""
DAMAGED = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)
"""What the decoders raise for bytes that are not theirs."""


class _Decoder(Protocol):
    """What `bz2` and `lzma` offer, and `_Gzip` for zlib."""

    @property
    def eof(self) -> bool:
        """Whether the stream has come to its end."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing comes of it before it is given more."""

    @property
    def unused_data(self) -> bytes:
        """What it was given behind the end of its stream."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most `max_length` bytes that come of `data` and of what was given before."""


class _Gzip:
    """A decoder of one gzip stream, which checks its sum and length at its end."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self._full = False

    @property
    def eof(self) -> bool:
        """Whether the stream has come to its end."""
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        """What it was given behind the end of its stream."""
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        """Whether nothing comes of it before it is given more."""
        return not self._full

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most `max_length` bytes that come of `data` and of what was given before."""
        given = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self._full = len(given) == max_length
        return given


def decoder_of(start: bytes) -> Callable[[], _Decoder] | None:
    """Return what makes a decoder for a file that begins with `start`; None if it is plain."""
    if start.startswith(b"\x1f\x8b"):
        return _Gzip
    if start.startswith(b"BZh"):
        return bz2.BZ2Decompressor
    if start.startswith(b"\xfd7zXZ\x00"):
        return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
    return None


class Unpacked:
    """What `file` holds when it is unpacked, read from its beginning to its end.

    A file may be several compressed streams, one after the other, as ``gzip`` and ``xz`` allow.

    Parameters
    ----------
    decoder
        Makes a decoder for each stream in it; None reads `file` as it is.
    most
        Bytes that may come of it.
    """

    def __init__(self, file: BinaryIO, decoder: Callable[[], _Decoder] | None, most: int) -> None:
        self._file, self._most = file, most
        self._new = decoder or _Gzip
        self._decoder = decoder() if decoder else None
        self._rest, self._given = b"", 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, `size` of them at most; none at the end.

        Raises
        ------
        FormatError
            The file is damaged or ends early, or holds more than is allowed.
        """
        try:
            found = self._file.read(size) if self._decoder is None else self._decoded(size)
        except DAMAGED as error:
            raise FormatError("the archive is damaged", found=str(error)) from error
        self._given += len(found)
        if self._given > self._most:
            raise too_large(self._most)
        return found

    def _decoded(self, size: int) -> bytes:
        while size and self._decoder is not None:
            if self._decoder.eof:
                self._rest = self._decoder.unused_data or self._file.read(_TAKEN)
                if not self._rest:
                    break
                self._decoder = self._new()
            if found := self._decoder.decompress(self._input(self._decoder), size):
                return found
        return b""

    def _input(self, decoder: _Decoder) -> bytes:
        """Return what `decoder` has to be given before it gives something."""
        if not decoder.needs_input:
            return b""
        data, self._rest = self._rest or self._file.read(_TAKEN), b""
        if not data:
            raise EOFError("it ends in the middle of what is compressed")
        return data


def too_large(most: int) -> FormatError:
    """Return the error for an archive of which more comes than `most` bytes."""
    return FormatError(
        f"the archive unpacks to more than {most} bytes",
        found="far more than a model of its size has",
        hint="it was made to fill a disk, or holds no weights: `zoo inspect` lists it;"
        " if it is meant so, ZOO_BUDGET=100GiB lets as much more of it come",
    )
