"""Pictures of single examples, for a report: copied, linked, or made of an array's values."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from zoo.images import SUFFIXES

if TYPE_CHECKING:
    import numpy as np

    from zoo_finetune.examples import Examples

_LARGEST = 1 << 20
"""Bytes up to which a picture is copied; larger ones are linked where they lie."""
_SMALLEST, _WIDEST = 64, 256
"""Pixels that a picture of values has at least and at most."""
_CHANNELS = {1: 0, 3: 2}
"""The colour types of PNG (PNG specification, 11.2.2) by number of channels."""


def add(examples: Examples, index: int, folder: Path, name: str, page: Path) -> str | None:
    """Put a picture of the example `index` into `folder`; return a link to it.

    None where the example is none that can be seen: a sound, a row of numbers, a lost file.

    Parameters
    ----------
    name
        What the picture is called, without a suffix.
    page
        The folder of the page that has the link; `folder` will stand in it.
    """
    if examples.paths is not None:
        return _of_file(Path(examples.paths[index]), folder, name, page)
    if examples.values is None or len(examples.values) != 1:
        return None
    (values,) = examples.values.values()
    found = pixels(values[index])
    if found is None:
        return None
    (folder / f"{name}.png").write_bytes(png(found))
    return f"{folder.name}/{name}.png"


def _of_file(path: Path, folder: Path, name: str, page: Path) -> str | None:
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return None
    if path.stat().st_size > _LARGEST:
        return quote(Path(os.path.relpath(path.absolute(), page.absolute())).as_posix())
    shutil.copyfile(path, folder / (name + path.suffix.lower()))
    return f"{folder.name}/{name}{path.suffix.lower()}"


def pixels(values: np.ndarray) -> np.ndarray | None:
    """Return `values` as a picture, uint8 ``(height, width, channels)``; None if they are none.

    A picture is ``(height, width)`` or has 1 or 3 channels on its last axis.  Values are stretched
    from black to white, small pictures made larger and large ones smaller, by whole factors.
    """
    import numpy as np

    values = np.asarray(values)
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or values.shape[2] not in _CHANNELS or values.dtype.kind not in "fiu":
        return None
    if min(values.shape[:2]) < 2:
        return None
    shown = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
    low, high = shown.min(), shown.max()
    grey = ((shown - low) * (255 / (high - low or 1))).round().astype(np.uint8)
    step, times = -(-max(grey.shape) // _WIDEST), -(-_SMALLEST // max(grey.shape[:2]))
    sized: np.ndarray = grey[::step, ::step].repeat(times, axis=0).repeat(times, axis=1)
    return sized


def png(image: np.ndarray) -> bytes:
    """Return `image`, uint8 ``(height, width, 1 or 3)``, as a PNG file.

    PNG specification, third edition, sections 5 and 11.2: signature, IHDR, IDAT, IEND.
    """
    height, width, channels = image.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _CHANNELS[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
