"""A model as a Keras layer: saved with the model it stands in, trained and frozen as any layer.

The layer computes in its graph's own dtypes, whatever policy surrounds it, and gives what the
graph gives.
"""

from __future__ import annotations

import base64
import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zoo import protos
from zoo.dtypes import named
from zoo.functions import importing
from zoo.policy import refuse_unless_granted
from zoo.portable import Portable, portable
from zoo.tensors import FilledTensor, LazyTensor
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from zoo.policy import Guard
    from zoo.tensors import Tensor


def layer_of(
    meta_graph: protos.MetaGraphDef,
    weights: Weights,
    inputs: Sequence[str] | None,
    outputs: str | Sequence[str] | None,
    trainable: bool,
    name: str | None = None,
    *,
    guard: Guard,
    whole: bool = False,
) -> Any:
    """Return a layer with the part of a model between `inputs` and `outputs`.

    Parameters
    ----------
    guard
        What of the model may run.
    whole
        Hold half-precision weights as float32, from which the graph is given them: what training
        adds to a weight is mostly less than the next number of half precision.
    """
    wanted = [outputs] if isinstance(outputs, str) else outputs
    part = portable(meta_graph, weights, inputs, wanted)
    guard.require_part(part.graph, part.outputs, part.inputs)
    if whole:
        part = replace(part, weights=_whole(part))
    layer = layer_class()(part, outputs is None, isinstance(outputs, str), name=name)
    for variable, key in zip(layer.graph_weights, part.weights, strict=True):
        variable.assign(part.weights[key])
    layer.trainable = trainable
    return layer


def _whole(part: Portable) -> Weights:
    """Return the weights of `part`, those of half precision as float32; a handle has one dtype."""
    tensors = {name: part.weights.tensor(name) for name in part.weights}
    float32 = named("float32")
    halves = {
        name: LazyTensor(float32, one.shape, functools.partial(_as_float32, one))
        for name, one in tensors.items()
        if one.dtype.name in ("bfloat16", "float16") and name not in part.handles
    }
    return part.weights.overlay(halves)


def _as_float32(tensor: Tensor) -> np.ndarray:
    return tensor.read().astype("float32")


@functools.cache
def layer_class() -> Any:
    """Return the class of the layer, known to Keras, which is imported for it."""
    import keras  # type: ignore[import-untyped]

    @keras.saving.register_keras_serializable(package="zoo")
    class GraphLayer(_Graph, keras.layers.Layer):  # type: ignore[misc]
        """A part of a TensorFlow graph; its weights carry the names of the graph's nodes."""

    return GraphLayer


class _Graph:
    """What the layer does, apart from being one of Keras's."""

    trainable: bool
    add_weight: Any

    def __init__(self, part: Portable, by_name: bool, single: bool, **options: Any) -> None:
        options = {**options, "dtype": "float32", "autocast": False}
        super().__init__(**options)
        self.part = part
        self.by_name, self.single = by_name, single
        self.supports_jit = False
        self.graph_weights = [self._weight(name) for name in part.weights]
        self.built = True
        self._run: Any = None

    def _weight(self, name: str) -> Any:
        tensor = self.part.weights.tensor(name)
        return self.add_weight(
            shape=tensor.shape,
            dtype=tensor.dtype.name,
            initializer="zeros",
            trainable=name in self.part.trained,
            name=name.replace("/", "."),
        )

    def call(self, inputs: Any) -> Any:
        """Return the outputs of the graph for `inputs`, one tensor or as many as it takes."""
        if self._run is None:
            self._run = importing(self.part, [one.value for one in self.graph_weights])
        values = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        if isinstance(inputs, dict):
            values = [inputs[one.partition(":")[0]] for one in self.part.inputs]
        found = self._run(values)
        if self.single or (self.by_name and len(found) == 1):
            return found[0]
        return dict(zip(self.part.keys, found, strict=True)) if self.by_name else found

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made of again: the graph, and what its weights look like."""
        part = self.part
        return {
            **super().get_config(),  # type: ignore[misc]
            "graph": base64.b64encode(part.graph.SerializeToString(deterministic=True)).decode(),
            "weights": [
                [n, part.weights.tensor(n).dtype.name, list(part.weights.tensor(n).shape)]
                for n in part.weights
            ],
            "trained": sorted(part.trained),
            "handles": list(part.handles),
            "inputs": list(part.inputs),
            "outputs": list(part.outputs),
            "keys": list(part.keys),
            "by_name": self.by_name,
            "single": self.single,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> _Graph:
        """Return the layer that `config` describes, its weights zeros.

        A configuration is a file's word, and says nothing of trust: `zoo.trusting` does.

        Raises
        ------
        TrustError
            The graph does more than compute.
        """
        given = dict(config)
        graph = protos.GraphDef.FromString(base64.b64decode(given.pop("graph")))
        refuse_unless_granted(graph)
        tensors = {
            name: FilledTensor(bytes(named(dtype).itemsize), named(dtype), tuple(shape))
            for name, dtype, shape in given.pop("weights")
        }
        part = Portable(
            graph,
            Weights(tensors),
            tuple(given.pop("handles")),
            frozenset(given.pop("trained")),
            tuple(given.pop("inputs")),
            tuple(given.pop("outputs")),
            tuple(given.pop("keys")),
        )
        given.pop("dtype", None)
        given.pop("autocast", None)
        return cls(part, given.pop("by_name"), given.pop("single"), **given)
