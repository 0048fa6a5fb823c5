"""Files of pictures to upright pixels, by operations of TensorFlow."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from zoo.engine import tensorflow
from zoo_finetune.image_headers import UPRIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zoo_finetune.image_headers import Header

_PLAIN = ("jpeg", "png")
"""What TensorFlow decodes to any number of channels."""


def files(paths: Sequence[Path], heads: Sequence[Header], numbers: Any = None) -> Any:
    """Return a dataset of what is known of each file: path, place, how it is to be decoded.

    Parameters
    ----------
    numbers
        A dataset of the places of the files that are wanted, int64; all in their order by default.
    """
    tf = tensorflow()
    known = {
        "path": tf.constant([os.fsencode(path) for path in paths], tf.string),
        "place": tf.range(len(paths), dtype=tf.int64),
        "plain": tf.constant([head.kind in _PLAIN for head in heads], tf.bool),
        "orientation": tf.constant([head.orientation for head in heads], tf.int32),
    }
    if numbers is None:
        return tf.data.Dataset.from_tensor_slices(known)
    return numbers.map(lambda place: {name: values[place] for name, values in known.items()})


def decoded(file: Any, heads: Sequence[Header], depth: int) -> Any:
    """Return the upright pixels of `file`, uint8 (height, width, channels)."""
    tf = tensorflow()
    data = tf.io.read_file(file["path"])

    def plain() -> Any:
        """Return the pixels of a picture that TensorFlow gives `depth` channels itself."""
        return tf.io.decode_image(data, depth, expand_animations=False)

    def other() -> Any:
        """Return the pixels of one that has to be given them afterwards."""
        return _with_channels(tf.io.decode_image(data, expand_animations=False), depth)

    pixels = plain()
    if any(head.kind not in _PLAIN for head in heads):
        pixels = tf.cond(file["plain"], plain, other)
    if any(head.orientation != UPRIGHT for head in heads):
        pixels = _upright(pixels, file["orientation"])
    pixels.set_shape((None, None, depth))
    return pixels


def _with_channels(pixels: Any, depth: int) -> Any:
    """Return `pixels` of 1, 3 or 4 channels with `depth` of them; what is transparent is shown."""
    tf = tensorflow()

    def from_gray() -> Any:
        """Return the one channel, three times where colours are wanted."""
        return pixels[..., :1] if depth == 1 else tf.repeat(pixels[..., :1], 3, axis=-1)

    def from_colours() -> Any:
        """Return the colours without transparency, as gray where that is wanted."""
        colours = tf.ensure_shape(pixels[..., :3], (None, None, 3))
        return tf.image.rgb_to_grayscale(colours) if depth == 1 else colours

    return tf.cond(tf.shape(pixels)[-1] == 1, from_gray, from_colours)


def _upright(pixels: Any, orientation: Any) -> Any:
    """Return `pixels` that were stored in EXIF's `orientation` 1 to 8 as they were seen."""
    tf = tensorflow()
    turned = {
        1: lambda: pixels,
        2: lambda: pixels[:, ::-1],
        3: lambda: pixels[::-1, ::-1],
        4: lambda: pixels[::-1],
        5: lambda: tf.transpose(pixels, (1, 0, 2)),
        6: lambda: tf.transpose(pixels, (1, 0, 2))[:, ::-1],
        7: lambda: tf.transpose(pixels, (1, 0, 2))[::-1, ::-1],
        8: lambda: tf.transpose(pixels, (1, 0, 2))[::-1],
    }
    return tf.switch_case(orientation - 1, [turned[number] for number in sorted(turned)])
