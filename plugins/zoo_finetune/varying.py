"""Pictures varied while a net learns: mirrored, and moved by up to a tenth.

What becomes of a picture hangs on the seed, the epoch and its number alone, so that a training that
is broken off goes on with the same pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.engine import tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable

_SHARE = 10
"""Of the height and width, the part by which a picture is moved at most is one in so many."""


def varying(seed: int, epoch: Any) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Return what varies the picture of ((picture, label), number) for one epoch.

    Pictures are (height, width, channels); `epoch` and the number are int64.
    """
    tf = tensorflow()

    def varied(pair: Any, number: Any) -> tuple[Any, Any]:
        """Return the picture varied, and its label."""
        picture, label = pair
        mark = tf.stack([seed * 1_000_003 + epoch, number])
        picture = tf.image.stateless_random_flip_left_right(picture, mark)
        height, width, channels = picture.shape
        up, left = height // _SHARE, width // _SHARE
        edges = [[up, up], [left, left], [0, 0]]
        wider = tf.pad(picture, edges, "SYMMETRIC") if up or left else picture
        size = (height, width, channels)
        return tf.image.stateless_random_crop(wider, size, mark + 1), label

    return tf.autograph.experimental.do_not_convert(varied)  # type: ignore[no-any-return]
