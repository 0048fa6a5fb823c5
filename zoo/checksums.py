"""CRC-32C as TensorFlow's files hold it: masked, so that a checksum of checksums is no weak one.

Source: ``tensorflow/core/lib/hash/crc32c.h``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import google_crc32c

if TYPE_CHECKING:
    import numpy as np
    from typing_extensions import Buffer

    Piece = Buffer | np.ndarray
    """Bytes in memory, whatever holds them."""

_DELTA = 0xA282EAD8
_ALL = 0xFFFFFFFF


def crc32c(data: Piece, before: int = 0) -> int:
    """Return the CRC-32C of `data`, which follows bytes whose CRC-32C is `before`."""
    checksum: int = google_crc32c.extend(before, data)
    return checksum


def masked(checksum: int) -> int:
    """Return `checksum` as files hold it.

    >>> unmasked(masked(0xE3069283)) == 0xE3069283
    True
    """
    return (((checksum >> 15) | (checksum << 17)) + _DELTA) & _ALL


def unmasked(stored: int) -> int:
    """Return the checksum that a file holds as `stored`."""
    rotated = (stored - _DELTA) & _ALL
    return ((rotated >> 17) | (rotated << 15)) & _ALL
