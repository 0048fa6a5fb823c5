"""A layer of its own behind a tensor that no last layer takes: what a feature extractor learns by.

Places are averaged before it, as after the last convolution of most nets.  How many channels a
tensor has only TensorFlow can tell in general; it is asked where the graph does not say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import dtypes, protos
from zoo.engine import imported
from zoo.errors import UsageError
from zoo.graph import by_name, source, subgraph, unique, upstream
from zoo.importable import importable
from zoo.layers import Head
from zoo.nodes import node as make_node
from zoo.nodes import whole_numbers
from zoo.policy import harmless
from zoo.specs import TensorSpec, spec_of
from zoo.tensor_protos import header
from zoo.tensors import FilledTensor

if TYPE_CHECKING:
    from zoo.tensors import Tensor
    from zoo.weights import Weights

NAME = "head"
"""What the layer is called, where nothing else is."""
_CHANNELS = 2
"""Axes of features without places: examples and channels."""


def appended(
    meta_graph: protos.MetaGraphDef, weights: Weights, features: str, outputs: int
) -> tuple[protos.MetaGraphDef, Weights, Head]:
    """Return a copy of the model with a dense layer of zeros behind the tensor `features`.

    Raises
    ------
    UsageError
        The tensor is none of numbers with channels on its last axis.
    """
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    found = _known(meta_graph, weights, features)
    shape, kind = found.shape, found.dtype
    if shape is None or len(shape) < _CHANNELS or shape[-1] is None or not kind.floating:
        raise UsageError(
            f"no layer can stand behind {features}",
            found=str(found),
            hint="examples, maybe places, and a known number of channels are needed",
        )
    appending = _Appending(edited.graph_def)
    given = features
    if len(shape) > _CHANNELS:
        given = appending.averaged(features, range(1, len(shape) - 1), kind)
    names, logits = appending.dense(given, (shape[-1], outputs), kind)
    sizes = zip(names, ((shape[-1], outputs), (outputs,)), strict=True)
    zeros: dict[str, Tensor] = {n: FilledTensor(bytes(kind.itemsize), kind, s) for n, s in sizes}
    why = f"MatMul with {' and '.join(names)}; after it nothing"
    return edited, weights.overlay(zeros), Head(given, logits, names, outputs, why)


def _known(meta_graph: protos.MetaGraphDef, weights: Weights, tensor: str) -> TensorSpec:
    """Return what `tensor` is, as far as the graph says or TensorFlow can tell."""
    said = spec_of(meta_graph.graph_def, tensor)
    if said.shape is not None and said.shape and said.shape[-1] is not None:
        return said
    nodes = by_name(meta_graph.graph_def)
    part = protos.MetaGraphDef(
        graph_def=subgraph(meta_graph.graph_def, upstream(nodes, [tensor])),
        meta_info_def=meta_graph.meta_info_def,
    )
    part = harmless(part)  # no value is wanted of it, so nobody need be asked whether it may run
    if source(tensor) not in by_name(part.graph_def):
        return said
    shape = imported(importable(part, weights)).get_tensor_by_name(said.tensor).shape
    sizes = None if shape.rank is None else tuple(shape.as_list())
    return TensorSpec(said.tensor, said.dtype, sizes)


class _Appending:
    """One graph that gets more nodes."""

    def __init__(self, graph: protos.GraphDef) -> None:
        self.graph = graph
        self.taken = {node.name for node in graph.node}
        self.scope = unique(NAME, self.taken)

    def averaged(self, features: str, axes: range, kind: dtypes.DType) -> str:
        """Return the tensor of the means of `features` over `axes`."""
        numbers = whole_numbers(self._free("axes"), list(axes))
        self.graph.node.append(numbers)
        edges, attributes = [features, numbers.name], {"T": kind, "Tidx": dtypes.INT32}
        return self._add("means", "Mean", edges, keep_dims=False, **attributes)

    def dense(
        self, features: str, shape: tuple[int, int], kind: dtypes.DType
    ) -> tuple[tuple[str, str], str]:
        """Return the names of kernel and bias of a layer, and its logits."""
        kernel = self._weight("kernel", kind, shape)
        bias = self._weight("bias", kind, shape[1:])
        product = self._add("MatMul", "MatMul", [features, kernel], T=kind)
        return (kernel, bias), self._add("logits", "BiasAdd", [product, bias], T=kind)

    def _weight(self, name: str, kind: dtypes.DType, shape: tuple[int, ...]) -> str:
        """Return the name of a constant whose value is kept apart."""
        made = make_node(self._free(name), "Const", dtype=kind)
        zeros = FilledTensor(bytes(kind.itemsize), kind, shape)
        made.attr["value"].tensor.CopyFrom(header(zeros))
        self.graph.node.append(made)
        return str(made.name)

    def _add(self, name: str, op: str, inputs: list[str], **attributes: object) -> str:
        made = make_node(self._free(name), op, inputs, **attributes)  # type: ignore[arg-type]
        self.graph.node.append(made)
        return f"{made.name}:0"

    def _free(self, name: str) -> str:
        return unique(f"{self.scope}/{name}", self.taken)
