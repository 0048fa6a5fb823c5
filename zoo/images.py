"""Photos as a net wants them: decoded, resized and scaled as its registry entry says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.engine import failing, tensorflow
from zoo.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from zoo.entries import Preprocessing
    from zoo.specs import TensorSpec

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")


def prepared(path: Path, how: Preprocessing | None, spec: TensorSpec) -> np.ndarray:
    """Return the photo at `path` as a batch of one, ``(1, height, width, channels)`` of float32.

    Values from 0 to 255 are resized (bilinear, no antialiasing), put into the order of `how`'s
    channels, and become ``(x - mean) * scale``.

    Raises
    ------
    InputError
        Nothing says how the net wants its photos, or the file is no photo.
    """
    if how is None:
        raise InputError(
            f"nothing says how a photo becomes {spec.tensor!r}",
            found=f"{path}, for {spec}",
            hint="give an array (@x.npy), or a registry entry with preprocessing",
        )
    tf = tensorflow()
    with failing(f"{path} is no photo"):
        pixels = tf.io.decode_image(
            tf.io.read_file(str(path)),
            channels=1 if how.channels == "gray" else 3,
            expand_animations=False,
        )
        resized = _resized(tf.cast(pixels, tf.float32), how)
        if how.channels == "bgr":
            resized = tf.reverse(resized, axis=[-1])
        scaled: np.ndarray = ((resized - tf.constant(how.mean)) * how.scale).numpy()
    return scaled[None]


def _resized(pixels: object, how: Preprocessing) -> object:
    """Return `pixels` at the size of `how`: stretched, or the largest middle part of that form."""
    tf = tensorflow()
    if how.resize == "crop":
        height, width = pixels.shape[:2]  # type: ignore[attr-defined]
        scale = min(height / how.size[0], width / how.size[1])
        part = (max(round(how.size[0] * scale), 1), max(round(how.size[1] * scale), 1))
        pixels = tf.image.resize_with_crop_or_pad(pixels, *part)
    return tf.image.resize(pixels, how.size, method="bilinear", antialias=False)
