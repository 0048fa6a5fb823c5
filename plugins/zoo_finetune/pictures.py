"""Pictures as a net wants them, decoded by ``tf.data`` a few at a time, in their order.

A picture becomes what `zoo.images.prepared` makes of it; only that one which a camera stored turned
is turned upright first.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.engine import failing, tensorflow
from zoo.errors import InputError, RunError
from zoo.file_types import file_type
from zoo_finetune.decoding import decoded, files
from zoo_finetune.image_headers import headers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from zoo.entries import Preprocessing
    from zoo.specs import Sizes, TensorSpec
    from zoo_finetune.image_headers import Header

_PLACES = re.compile(r"\{\{.*?\}\}|\[Op:.*")
"""Where in TensorFlow something was noticed, in its words."""
_KINDS = ("jpeg", "png")
"""Pictures by their first four bytes."""
_PALETTE = "a BMP with a palette, which TensorFlow reads as gray: save it as PNG"


@dataclass(frozen=True)
class Preparing:
    """How a picture becomes an input: ``(x - mean) * scale`` of values from 0 to 255.

    Attributes
    ----------
    size
        Height and width, in pixels.
    resize
        ``"stretch"``, or ``"crop"``: the largest middle part of that form.
    channels
        ``"rgb"``, ``"bgr"`` or ``"gray"``.
    shape
        The shape of one input where that is not (height, width, channels).
    channels_first
        Whether the input is (channels, height, width).
    assumed
        What was taken for granted, as a sentence; empty where a registry says it.
    """

    size: tuple[int, int]
    resize: str = "stretch"
    channels: str = "rgb"
    mean: tuple[float, ...] = (0.0,)
    scale: float = 1.0
    shape: tuple[int, ...] | None = None
    channels_first: bool = False
    assumed: str = ""

    @classmethod
    def of(cls, preprocessing: Preprocessing | None, spec: TensorSpec) -> Preparing:
        """Return how pictures are prepared for the input `spec`.

        Without `preprocessing` the shape says size and channels, and values become 0 to 1 (an input
        of whole numbers keeps 0 to 255), which is an assumption.

        Raises
        ------
        InputError
            Neither says the size, or they contradict each other.
        """
        if preprocessing is None:
            return _assumed(spec)
        height, width = preprocessing.size
        depth = _depth(preprocessing.channels)
        shape, first = _form((height, width, depth), spec)
        return cls(
            (height, width),
            preprocessing.resize,
            preprocessing.channels,
            tuple(preprocessing.mean),
            preprocessing.scale,
            shape,
            first,
        )

    @property
    def depth(self) -> int:
        """The number of channels."""
        return _depth(self.channels)


def _depth(channels: str) -> int:
    return 1 if channels == "gray" else 3


def _form(natural: tuple[int, int, int], spec: TensorSpec) -> tuple[tuple[int, ...] | None, bool]:
    """Return the shape of an input that is not of the form `natural`, and if channels are first."""
    if spec.shape is None or _fits(natural, spec.shape[1:]):
        return None, False
    wanted = spec.shape[1:]
    if _fits((natural[2], *natural[:2]), wanted):
        return None, True
    known = [size for size in wanted if size is not None]
    product = 1
    for size in known:
        product *= size
    if len(known) == len(wanted) and product == natural[0] * natural[1] * natural[2]:
        return tuple(known), False
    raise InputError(
        f"pictures as the registry prepares them do not fit {spec.tensor!r}",
        found=f"{natural}, for {spec}",
        hint="correct the entry's preprocessing: size and channels",
    )


def _fits(sizes: tuple[int, ...], wanted: Sequence[int | None]) -> bool:
    return len(sizes) == len(wanted) and all(
        want in (None, size) for size, want in zip(sizes, wanted, strict=True)
    )


def _assumed(spec: TensorSpec) -> Preparing:
    height, width, depth, first = _by_shape(spec)
    whole = not spec.dtype.name.startswith(("float", "bfloat"))
    values = "keep 0 to 255" if whole else "become 0 to 1"
    channels = "gray" if depth == 1 else "rgb"
    colours = "gray" if depth == 1 else "RGB"
    return Preparing(
        (height, width),
        channels=channels,
        scale=1.0 if whole else 1 / 255,
        channels_first=first,
        assumed=f"nothing says how {spec.tensor!r} wants its pictures: they are stretched to"
        f" {height} x {width}, {colours}, and values {values}; a registry entry's preprocessing"
        " would say it",
    )


def _by_shape(spec: TensorSpec) -> tuple[int, int, int, bool]:
    """Return height, width and channels of the input, and whether the channels come first."""
    shape: Sizes = spec.shape
    if shape is not None and len(shape) == 4:
        _, one, two, three = shape
        if one and two and three in (1, 3):
            return one, two, three, False
        if two and three and one in (1, 3):
            return two, three, one, True
    raise InputError(
        f"nothing says how a picture becomes {spec.tensor!r}",
        found=str(spec),
        hint="a registry entry with preprocessing says it; or give arrays (.npz)",
    )


def dataset(
    paths: Sequence[Path], preparing: Preparing, numbers: Any = None, *, parallel: bool = True
) -> Any:
    """Return the pictures at `paths` as a ``tf.data.Dataset``, in that order or that of `numbers`.

    An element is float32 (height, width, channels), or what `preparing` says. JPEG, PNG, BMP and
    GIF (its first frame), told by their bytes; what is stored turned is turned upright.
    """
    heads = headers(paths)
    return _mapped(
        files(paths, heads, numbers),
        lambda file: _prepared(decoded(file, heads, preparing.depth), preparing),
        parallel,
    )


def raw(paths: Sequence[Path], *, parallel: bool = True) -> Any:
    """Return the bytes of the files at `paths` as a ``tf.data.Dataset`` of strings, in order."""
    tf = tensorflow()
    names = tf.constant([os.fsencode(path) for path in paths], tf.string)
    return _mapped(tf.data.Dataset.from_tensor_slices(names), tf.io.read_file, parallel)


def undecodable(paths: Sequence[Path], preparing: Preparing) -> dict[int, str]:
    """Decode each picture once, and return what is wrong with those that cannot be, by place."""
    tf = tensorflow()
    heads = headers(paths)
    tried = _mapped(
        files(paths, heads),
        lambda file: (file["place"], tf.size(decoded(file, heads, preparing.depth))),
        parallel=True,
    )
    sound = {int(place) for place, _ in tried.ignore_errors().as_numpy_iterator()}
    sound -= {place for place, head in enumerate(heads) if head.palette}
    return {
        place: _why(path, heads[place], preparing)
        for place, path in enumerate(paths)
        if place not in sound
    }


def _why(path: Path, head: Header, preparing: Preparing) -> str:
    """Return why the picture at `path` cannot be decoded."""
    if head.palette:
        return _PALETTE
    try:
        if not head.kind:
            found = file_type(path)
            return (
                "it is damaged"
                if found.name in _KINDS
                else f"it is {found.what.removesuffix(', not a model')}"
            )
        heads = [head]
        with failing(""):
            for file in files([path], heads):
                decoded(file, heads, preparing.depth)
    except RunError as error:
        return _PLACES.sub("", error.found).strip()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "it could not be decoded, at this time"


def _mapped(each: Any, function: Callable[[Any], Any], parallel: bool) -> Any:
    tf = tensorflow()
    plain = tf.autograph.experimental.do_not_convert(function)  # it would warn, and show os.environ
    if not parallel:
        return each.map(plain)
    return each.map(plain, tf.data.AUTOTUNE, deterministic=True)


def _prepared(pixels: Any, how: Preparing) -> Any:
    """Return `pixels` as an input, as `zoo.images.prepared` does it."""
    tf = tensorflow()
    pixels = tf.cast(pixels, tf.float32)
    if how.resize == "crop":
        pixels = _middle(pixels, how.size)
    pixels = tf.image.resize(pixels, how.size, method="bilinear", antialias=False)
    if how.channels == "bgr":
        pixels = tf.reverse(pixels, axis=[-1])
    scaled = (pixels - tf.constant(how.mean, tf.float32)) * how.scale
    if how.channels_first:
        scaled = tf.transpose(scaled, (2, 0, 1))
    return scaled if how.shape is None else tf.reshape(scaled, how.shape)


def _middle(pixels: Any, size: tuple[int, int]) -> Any:
    """Return the largest middle part of `pixels` that has the form of `size`."""
    tf = tensorflow()
    whole = tf.cast(tf.shape(pixels)[:2], tf.float64)
    wanted = tf.constant(size, tf.float64)
    part = tf.maximum(tf.round(wanted * tf.reduce_min(whole / wanted)), 1)
    height, width = tf.unstack(tf.cast(part, tf.int32))
    top, left = tf.unstack((tf.shape(pixels)[:2] - tf.cast(part, tf.int32)) // 2)
    return pixels[top : top + height, left : left + width]
