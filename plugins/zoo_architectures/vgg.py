"""The VGG nets of Simonyan and Zisserman (2014), of any width, input size and number of outputs.

Blocks of 3 x 3 convolutions with a pooling after each, ``conv1_1`` to ``pool5``, then ``fc6``,
``fc7``, ``fc8`` and ``prob``: the names under which the tutorials on saving and restoring know
them.  ``images:0`` is float32 (batch, size, size, channels), ``fc7:0`` the features (batch, 4096),
``fc8:0`` the logits (batch, outputs), ``prob:0`` their softmax.

Source: https://arxiv.org/abs/1409.1556, table 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict, Unpack

from zoo.errors import UsageError
from zoo_architectures.layers import Net

if TYPE_CHECKING:
    from zoo.model import Model

Blocks = Sequence[Sequence[int]]
"""For each block, the channels that its convolutions give."""

_CHANNELS = (64, 128, 256, 512, 512)
_HIDDEN = 4096
_DENSE_OF_KERAS = {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}


class Size(TypedDict, total=False):
    """How a net differs from the one of the paper, but for its width.

    Attributes
    ----------
    size
        Height and width of the images in pixels, 32 at least; 224 if not given.
    channels
        Channels of the images; 3 if not given.
    outputs
        Width of the last layer; 1000 if not given.
    fully_convolutional
        Whether ``fc6``, ``fc7`` and ``fc8`` are convolutions.  The net then takes images of `size`
        and larger; ``fc8:0`` is (batch, places down, places across, outputs) then, and ``prob:0``
        the softmax of its mean over the places.
    dropout
        Whether ``fc6`` and ``fc7`` pass through dropout, which keeps a value with the probability
        that is fed to ``keep_prob:0``: 1 if none is.
    seed
        What the initial weights are drawn from; 0 if not given.
    """

    size: int
    channels: int
    outputs: int
    fully_convolutional: bool
    dropout: bool
    seed: int


class Options(Size, total=False):
    """How a net differs from the one of the paper.

    Attributes
    ----------
    width
        What the channels of every layer but the last are multiplied by: 0.25 for a quarter.
    """

    width: float


def vgg11(**options: Unpack[Options]) -> Model:
    """Return configuration A: eight convolutions, three dense layers, freshly initialised."""
    return _configured((1, 1, 2, 2, 2), **options)


def vgg13(**options: Unpack[Options]) -> Model:
    """Return configuration B: ten convolutions, three dense layers, freshly initialised."""
    return _configured((2, 2, 2, 2, 2), **options)


def vgg16(**options: Unpack[Options]) -> Model:
    """Return configuration D: thirteen convolutions, three dense layers, freshly initialised.

    Raises
    ------
    UsageError
        The images are too small for the poolings, or a number is not positive.
    """
    return _configured((2, 2, 3, 3, 3), **options)


def vgg19(**options: Unpack[Options]) -> Model:
    """Return configuration E: sixteen convolutions, three dense layers, freshly initialised."""
    return _configured((2, 2, 4, 4, 4), **options)


def aliases(variable: str) -> list[str]:
    """Return what the weights of Keras call a variable: ``block1_conv1/kernel``, ``fc1/kernel``.

    Source: ``keras/src/applications/vgg16.py``.
    """
    layer, _, kind = variable.partition("/")
    convolution = re.fullmatch(r"conv(\d)_(\d)", layer)
    if convolution:
        return [f"block{convolution[1]}_conv{convolution[2]}/{kind}"]
    return [f"{_DENSE_OF_KERAS[layer]}/{kind}"] if layer in _DENSE_OF_KERAS else []


def vgg_digits() -> Model:
    """Return a small VGG for digits: images (batch, 8, 8, 1) from 0 to 16, ten outputs."""
    return _net([[16, 16], [32, 32]], 64, size=8, channels=1, outputs=10)


def _configured(convolutions: Sequence[int], width: float = 1.0, **options: Unpack[Size]) -> Model:
    blocks = [
        [_scaled(channels, width)] * count
        for channels, count in zip(_CHANNELS, convolutions, strict=True)
    ]
    return _net(blocks, _scaled(_HIDDEN, width), **options)


def _scaled(channels: int, width: float) -> int:
    return max(round(channels * width), 0)


def _net(
    blocks: Blocks,
    hidden: int,
    *,
    size: int = 224,
    channels: int = 3,
    outputs: int = 1000,
    fully_convolutional: bool = False,
    dropout: bool = False,
    seed: int = 0,
) -> Model:
    """Return `blocks` of convolutions and three dense layers, two of them `hidden` wide."""
    left = size >> len(blocks)
    _check(left, len(blocks), [channels, outputs, hidden, *(c for block in blocks for c in block)])
    net = Net(seed)
    side = None if fully_convolutional else size
    sizes = (None, side, side, channels)
    layer = net.images("images", sizes)
    for number, block in enumerate(blocks, 1):
        for place, given in enumerate(block, 1):
            layer = net.convolution(f"conv{number}_{place}", layer, (3, 3, channels, given))
            channels = given
        layer = net.max_pool(f"pool{number}", layer)
    keep = net.keep_probability("keep_prob") if dropout else ""
    add = _convolutions if fully_convolutional else _dense
    net.softmax("prob", add(net, layer, (left, left, channels), (hidden, outputs), keep))
    return net.model({"images": sizes}, {"prob": (None, outputs)})


def _dense(
    net: Net, layer: str, below: tuple[int, int, int], widths: tuple[int, int], keep: str
) -> str:
    """Add ``fc6``, ``fc7`` and ``fc8`` on what pooling left, flattened."""
    hidden, outputs = widths
    features = below[0] * below[1] * below[2]
    layer = net.flatten("flatten", layer, features)
    for scope, given in (("fc6", features), ("fc7", hidden)):
        layer = net.dense(scope, layer, (given, hidden))
        layer = net.dropout(f"{scope}/dropout", layer, keep) if keep else layer
    return net.dense("fc8", layer, (hidden, outputs), relu=False)


def _convolutions(
    net: Net, layer: str, below: tuple[int, int, int], widths: tuple[int, int], keep: str
) -> str:
    """Add the same as convolutions: ``fc6`` over all places there were, the others over one."""
    hidden, outputs = widths
    for scope, shape in (("fc6", (*below, hidden)), ("fc7", (1, 1, hidden, hidden))):
        layer = net.convolution(scope, layer, shape, "VALID")
        layer = net.dropout(f"{scope}/dropout", layer, keep) if keep else layer
    layer = net.convolution("fc8", layer, (1, 1, hidden, outputs), "VALID", relu=False)
    return net.mean_over_places("mean", layer)


def _check(left: int, poolings: int, counts: Sequence[int]) -> None:
    if left < 1:
        raise UsageError(
            "the images are too small", hint=f"{1 << poolings} pixels at least: {poolings} poolings"
        )
    if min(counts) < 1:
        raise UsageError("a layer without channels", found=", ".join(map(str, counts)))
