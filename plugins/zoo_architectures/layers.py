"""A net written down layer by layer as TensorFlow's own nodes, without TensorFlow.

Tensors are float32 and have the channels last.  A layer is called by its scope: its output is the
tensor ``scope:0``, its weights ``scope/kernel`` and ``scope/bias``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from zoo import dtypes, protos
from zoo.graph import tensor_name
from zoo.listed import ALL, TRAINABLE
from zoo.model import Model
from zoo.nodes import Dims, Integers, Value, node, placeholder, whole_numbers
from zoo.signatures import DEFAULT, Signature, to_proto
from zoo.specs import TensorSpec
from zoo.tensors import FilledTensor, Tensor
from zoo.variables import handle
from zoo.weights import Weights
from zoo_architectures.initial import HeNormal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.nodes import Size
    from zoo.tensors import Shape

_FLOAT, _INT = dtypes.named("float32"), dtypes.INT32
_PRODUCER = 27
"""The version of graphs that TensorFlow 1.13 made; every later one reads it."""


class Net:
    """A graph that grows layer by layer; each method adds one and returns the name of its output.

    Parameters
    ----------
    seed
        What the initial weights are drawn from.
    """

    def __init__(self, seed: int) -> None:
        self._meta_graph = protos.MetaGraphDef()
        self._meta_graph.graph_def.versions.producer = _PRODUCER
        self._weights: dict[str, Tensor] = {}
        self._seed = seed

    def model(
        self, inputs: Mapping[str, Sequence[Size]], outputs: Mapping[str, Sequence[Size]]
    ) -> Model:
        """Return the net with its initial weights; these layers, of these sizes, are its ends."""
        stated = Signature(_specs(inputs), _specs(outputs))
        self._meta_graph.signature_def[DEFAULT].CopyFrom(to_proto(stated))
        return Model(self._meta_graph, Weights(self._weights))

    def images(self, name: str, sizes: tuple[Size, ...]) -> str:
        """Add the input, float32 of `sizes`: (batch, height, width, channels)."""
        self._meta_graph.graph_def.node.append(placeholder(name, _FLOAT, sizes))
        return name

    def convolution(
        self, scope: str, below: str, shape: Shape, padding: str = "SAME", *, relu: bool = True
    ) -> str:
        """Add a convolution; its kernel is of `shape`, (height, width, channels in, out)."""
        kernel = self._kernel(f"{scope}/kernel", shape)
        product = self._add(
            f"{scope}/Conv2D",
            "Conv2D",
            [below, kernel],
            strides=Integers([1, 1, 1, 1]),
            padding=padding,
        )
        return self._biased(scope, product, shape[-1], relu=relu)

    def dense(self, scope: str, below: str, shape: Shape, *, relu: bool = True) -> str:
        """Add a dense layer with a kernel of `shape`, (features in, features out)."""
        kernel = self._kernel(f"{scope}/kernel", shape)
        product = self._add(f"{scope}/MatMul", "MatMul", [below, kernel])
        return self._biased(scope, product, shape[-1], relu=relu)

    def max_pool(self, scope: str, below: str) -> str:
        """Add a pooling that halves height and width, the last odd row and column left out."""
        sizes = Integers([1, 2, 2, 1])
        return self._add(scope, "MaxPool", [below], ksize=sizes, strides=sizes, padding="VALID")

    def flatten(self, scope: str, below: str, features: int) -> str:
        """Add a reshape to (batch, features)."""
        shape = self._integers(f"{scope}/shape", [-1, features])
        return self._add(scope, "Reshape", [below, shape], Tshape=_INT)

    def mean_over_places(self, scope: str, below: str) -> str:
        """Add a mean over height and width: (batch, channels)."""
        axes = self._integers(f"{scope}/axes", [1, 2])
        return self._add(scope, "Mean", [below, axes], Tidx=_INT, keep_dims=False)

    def dropout(self, scope: str, below: str, keep: str) -> str:
        """Add dropout: each value is kept with probability `keep`, and then divided by it.

        With a probability of 1 the values pass as they are, bit for bit.
        """
        shape = self._add(f"{scope}/Shape", "Shape", [below], out_type=_INT)
        drawn = self._plain(f"{scope}/uniform", "RandomUniform", [shape], dtype=_FLOAT, T=_INT)
        kept = self._add(
            f"{scope}/kept", "Floor", [self._add(f"{scope}/Add", "AddV2", [keep, drawn])]
        )
        scaled = self._add(f"{scope}/scaled", "RealDiv", [below, keep])
        return self._add(scope, "Mul", [scaled, kept])

    def keep_probability(self, name: str) -> str:
        """Add the probability with which dropout keeps a value: 1 unless it is fed."""
        default = self._constant(f"{name}/input", 1.0)
        sizes = Dims([])
        return self._plain(name, "PlaceholderWithDefault", [default], dtype=_FLOAT, shape=sizes)

    def softmax(self, scope: str, below: str) -> str:
        """Add a softmax over the last axis."""
        return self._add(scope, "Softmax", [below])

    def _biased(self, scope: str, below: str, channels: int, *, relu: bool) -> str:
        bias = self._bias(f"{scope}/bias", channels)
        if not relu:
            return self._add(scope, "BiasAdd", [below, bias])
        return self._add(scope, "Relu", [self._add(f"{scope}/BiasAdd", "BiasAdd", [below, bias])])

    def _kernel(self, name: str, shape: Shape) -> str:
        """Add a kernel whose initializer draws from the distribution of its initial values."""
        values = HeNormal(shape, self._seed + len(self._weights))
        dims = self._integers(f"{name}/Initializer/shape", shape)
        drawn = self._plain(
            f"{name}/Initializer/normal", "RandomStandardNormal", [dims], dtype=_FLOAT, T=_INT
        )
        deviation = self._constant(f"{name}/Initializer/deviation", values.deviation)
        return self._variable(name, values, "Mul", [drawn, deviation], T=_FLOAT)

    def _bias(self, name: str, channels: int) -> str:
        dims = self._integers(f"{name}/Initializer/shape", [channels])
        zero = self._constant(f"{name}/Initializer/zero", 0.0)
        values = FilledTensor(bytes(_FLOAT.itemsize), _FLOAT, (channels,))
        return self._variable(name, values, "Fill", [dims, zero], T=_FLOAT, index_type=_INT)

    def _variable(
        self, name: str, values: Tensor, op: str, inputs: list[str], **attrs: Value
    ) -> str:
        """Add a variable that is initialized by `op`, and return the node that reads it."""
        initial = self._plain(f"{name}/Initializer", op, inputs, **attrs)
        self._meta_graph.graph_def.node.append(handle(name, _FLOAT, values.shape))
        self._plain(f"{name}/Assign", "AssignVariableOp", [name, initial], dtype=_FLOAT)
        read = self._plain(f"{name}/Read/ReadVariableOp", "ReadVariableOp", [name], dtype=_FLOAT)
        entry = protos.VariableDef(
            variable_name=f"{name}:0",
            initial_value_name=f"{initial}:0",
            initializer_name=f"{name}/Assign",
            snapshot_name=f"{read}:0",
            is_resource=True,
            trainable=True,
        )
        for collection in (ALL, TRAINABLE):
            listed = self._meta_graph.collection_def[collection].bytes_list.value
            listed.append(entry.SerializeToString())
        self._weights[name] = values
        return read

    def _constant(self, name: str, value: float) -> str:
        tensor = FilledTensor(struct.pack("<f", value), _FLOAT, ())
        return self._plain(name, "Const", [], dtype=_FLOAT, value=tensor)

    def _integers(self, name: str, values: list[int] | Shape) -> str:
        self._meta_graph.graph_def.node.append(whole_numbers(name, values))
        return name

    def _add(self, name: str, op: str, inputs: list[str], **attrs: Value) -> str:
        return self._plain(name, op, inputs, T=_FLOAT, **attrs)

    def _plain(self, name: str, op: str, inputs: list[str], **attrs: Value) -> str:
        self._meta_graph.graph_def.node.append(node(name, op, inputs, device="", **attrs))
        return name


def _specs(layers: Mapping[str, Sequence[Size]]) -> dict[str, TensorSpec]:
    return {
        name: TensorSpec(tensor_name(name), _FLOAT, tuple(sizes)) for name, sizes in layers.items()
    }
