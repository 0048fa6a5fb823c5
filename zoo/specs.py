"""What a graph says of a tensor: its dtype, and its shape as far as it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import dtypes, ops, protos
from zoo.errors import UnknownNameError, UnsupportedError, counted
from zoo.graph import by_name, port, source, tensor_name
from zoo.variables import is_variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zoo.dtypes import DType

INPUTS = {"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"}
"""The operations that stand for a value from outside."""

_LAST_SCALAR_MEANS_UNKNOWN = 21
"""Up to this producer version a placeholder of no shape was written as a scalar."""

Sizes = tuple[int | None, ...] | None
"""A shape with None for open axes; None altogether where even the rank is open."""


@dataclass(frozen=True)
class TensorSpec:
    """A tensor of the graph: its name, dtype, and what is known of its shape.

    A ragged or sparse value is several tensors; their names stand with commas between.
    """

    tensor: str
    dtype: DType
    shape: Sizes

    def __str__(self) -> str:
        sizes = "unknown shape" if self.shape is None else _spelled(self.shape)
        return f"{self.dtype} {sizes}"


def spec_of(
    graph: protos.GraphDef, tensor: str, nodes: Mapping[str, protos.NodeDef] | None = None
) -> TensorSpec:
    """Return what the graph says of `tensor`: its dtype, and its shape if known.

    Raises
    ------
    UnknownNameError
        The graph has no such tensor.
    """
    nodes = by_name(graph) if nodes is None else nodes
    node = nodes.get(source(tensor))
    if node is None:
        raise UnknownNameError(f"the graph has no tensor {tensor!r}")
    given = output_dtypes(graph, node)
    number = port(tensor)
    if number >= len(given):
        raise UnknownNameError(
            f"the graph has no tensor {tensor!r}",
            found=f"{node.op} with {counted(len(given), 'output')}",
        )
    return TensorSpec(tensor_name(tensor), given[number], _shape(graph, node, number))


def scalar_means_unknown(graph: protos.GraphDef, node: protos.NodeDef) -> bool:
    """Tell whether `node` is a placeholder of any shape, as old versions wrote one: as a scalar."""
    old = graph.versions.producer <= _LAST_SCALAR_MEANS_UNKNOWN
    shape = node.attr["shape"].shape if "shape" in node.attr else None
    return bool(old and node.op == "Placeholder" and shape is not None and not shape.dim)


def output_dtypes(graph: protos.GraphDef, node: protos.NodeDef) -> list[DType]:
    """Return the dtypes of the outputs of `node`; for an operation nobody knows, a guess at one."""
    known = ops.op(node.op)
    if known is not None:
        try:
            return ops.dtypes_of(node)
        except UnsupportedError:  # one that nobody knows, or none
            return [dtypes.INVALID] * len(known.outputs)
    for function in graph.library.function:
        if function.signature.name == node.op:
            return [dtypes.dtype(output.type) for output in function.signature.output_arg]
    typed = [node.attr[key].type for key in ("dtype", "T", "Tout") if key in node.attr]
    return [dtypes.dtype(number) for number in typed[:1] if number] or [dtypes.dtype(1)]


def sizes_of(proto: protos.TensorShapeProto) -> tuple[int | None, ...]:
    """Return the sizes in `proto`, None for an open one."""
    return tuple(dim.size if dim.size >= 0 else None for dim in proto.dim)


def _shape(graph: protos.GraphDef, node: protos.NodeDef, number: int) -> Sizes:
    if node.op in INPUTS or is_variable(node):
        if "shape" not in node.attr or node.attr["shape"].shape.unknown_rank:
            return None
        return None if scalar_means_unknown(graph, node) else sizes_of(node.attr["shape"].shape)
    if node.op == "Const":
        return sizes_of(node.attr["value"].tensor.tensor_shape)
    if "_output_shapes" in node.attr:
        shapes = node.attr["_output_shapes"].list.shape
        if number < len(shapes) and not shapes[number].unknown_rank:
            return sizes_of(shapes[number])
    return None


def _spelled(sizes: Iterable[int | None]) -> str:
    return "(" + ", ".join("?" if size is None else str(size) for size in sizes) + ")"
