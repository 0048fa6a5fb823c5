"""Batch normalisation that learns: by the statistics of each batch, which move its averages.

What is judged and what is written goes by the averages, as any net in use does.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from zoo.functions import importing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.portable import Portable

MOMENTUM = 0.9
"""What stays of an average with each batch.

Keras begins with 0.99, for long trainings from nothing: a short one would end before the averages
are those of its data.
"""


def learning(layer: Any, part: Portable, averages: Sequence[Any]) -> Any:
    """Return a layer that computes as `part` while it is trained, and as `layer` else.

    Parameters
    ----------
    layer
        Has the weights.
    part
        The same net by batches: its first output is that of `layer`, the others the statistics.
    averages
        The variables of `layer` that are moved towards these statistics, in their order.
    """
    return _class()(layer, part, averages)


@functools.cache
def _class() -> Any:
    import keras  # type: ignore[import-untyped]

    class Learning(keras.layers.Layer):  # type: ignore[misc]
        """A layer that normalises by batches while it is trained."""

        def __init__(self, layer: Any, part: Portable, averages: Sequence[Any]) -> None:
            super().__init__(autocast=False)
            self.layer, self.averages = layer, list(averages)
            self.supports_jit = layer.supports_jit
            held = dict(zip(layer.part.weights, layer.graph_weights, strict=True))
            self._run = importing(part, [held[name].value for name in part.weights])
            self.built = True

        def call(self, inputs: Any, training: Any = None) -> Any:
            """Return what the net gives; in training, move the averages as well."""
            if not training:
                return self.layer(inputs)
            found, *statistics = self._run([inputs])
            for average, statistic in zip(self.averages, statistics, strict=True):
                share = 1 - MOMENTUM
                average.assign(average + share * (statistic - average))
            return found

    return Learning
