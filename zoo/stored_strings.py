"""Text in the data file of a checkpoint: all lengths, a checksum of these, then all the bytes.

Source: ``tensorflow/core/util/tensor_bundle/tensor_bundle.cc``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import dtypes, wire
from zoo.checksums import crc32c, masked
from zoo.tensors import Shape, Tensor, damaged

if TYPE_CHECKING:
    import numpy as np

    from zoo.dtypes import DType
    from zoo.mapped import MappedFile
    from zoo.streams import Stream

_CHECKSUM = 4
"""Bytes of the checksum of the lengths."""


@dataclass(frozen=True, eq=False)
class StringsTensor(Tensor):
    """Strings at an offset of a data file, guarded by a checksum.

    Attributes
    ----------
    stored
        Bytes that they take there.
    """

    file: MappedFile
    offset: int
    stored: int
    shape: Shape
    label: str
    crc: int
    dtype: DType = dtypes.STRING

    def __post_init__(self) -> None:
        if self.offset + self.stored > self.file.size:
            raise self.file.cut_off(self.offset + self.stored)

    @property
    def nbytes(self) -> int:
        """Bytes as stored, lengths included."""
        return self.stored

    def read(self) -> np.ndarray:
        """Return the strings as an array of bytes objects, after comparing both checksums."""
        import numpy as np

        texts = self.texts()  # which are counted against the shape before room is made for it
        array = np.empty(len(texts), object)
        array[:] = texts
        return array.reshape(self.shape)

    def texts(self) -> list[bytes]:
        """Return the strings in row-major order, after comparing both checksums.

        Raises
        ------
        FormatError
            They are damaged.
        """
        data = self.file.read(self.offset, self.stored)
        try:
            texts, crc = _split(data, self.size)
        except (wire.Damaged, struct.error) as error:
            raise damaged(self.file, self.offset, self.label) from error
        if crc != self.crc:
            raise damaged(self.file, self.offset, self.label)
        return texts


def texts(tensor: Tensor) -> list[bytes]:
    """Return the strings of `tensor` in row-major order, without numpy if they lie in a file."""
    if isinstance(tensor, StringsTensor):
        return tensor.texts()
    found: list[bytes] = tensor.read().reshape(-1).tolist()
    return found


def _split(data: bytes, count: int) -> tuple[list[bytes], int]:
    """Return the `count` strings of `data` and the checksum that the index should have for them.

    Until 2018 the lengths were fixed-size numbers, and the checksum of the lengths covered them as
    such; both spellings are read.
    """
    lengths, at = [], 0
    for _ in range(count):
        length, at = wire.varint(data, at, len(data))
        lengths.append(length)
    crc = _lengths_crc(lengths)
    stored = data[at : at + _CHECKSUM]
    if struct.unpack("<I", stored)[0] != masked(crc):
        raise wire.Damaged("the lengths of the strings do not match their checksum", at)
    at += _CHECKSUM
    texts = []
    for length in lengths:
        texts.append(data[at : at + length])
        at += length
    if at != len(data):
        raise wire.Damaged("the strings do not fill their place", at)
    return texts, crc32c(data[len(data) - sum(lengths) :], crc32c(stored, crc))


def _lengths_crc(lengths: list[int]) -> int:
    """Return the checksum of `lengths` as numbers of 4 bytes, or of 8 where 4 are too few."""
    crc = 0
    for length in lengths:
        crc = crc32c(struct.pack("<I" if length < 1 << 32 else "<Q", length), crc)
    return crc


def stored_size(texts: list[bytes]) -> int:
    """Return how many bytes `append` writes for `texts`."""
    return sum(len(wire.encode(len(text))) + len(text) for text in texts) + _CHECKSUM


def append(file: Stream, texts: list[bytes]) -> int:
    """Write `texts` and return the checksum that the index has for them."""
    lengths = [len(text) for text in texts]
    file.write(b"".join(map(wire.encode, lengths)))
    crc = _lengths_crc(lengths)
    stored = struct.pack("<I", masked(crc))
    file.write(stored)
    crc = crc32c(stored, crc)
    for text in texts:
        file.write(text)
        crc = crc32c(text, crc)
    return crc
