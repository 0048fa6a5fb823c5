"""Arrays of tensors made lists of tensors, which a gradient can pass through functions.

A list is a value.  It goes where the flow of the array went; the handle goes out of the graph.

Source: ``tensorflow/core/ops/list_ops.cc``, ``tensorflow/python/ops/list_ops.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import dtypes, protos
from zoo.graph import CONTROL, data_inputs, shell, source, subgraph, unique
from zoo.nodes import node, whole_number, whole_numbers
from zoo.tensor_arrays import MADE, Array, arrays_of, takes_all
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from zoo.nodes import Value


def with_lists(graph: protos.GraphDef, wanted: Collection[str]) -> protos.GraphDef:
    """Return `graph` with lists for the arrays that can be lists; itself if there is none.

    Parameters
    ----------
    wanted
        The tensors that are fetched; an array among these stays one.
    """
    view = View(graph)
    arrays = arrays_of(view, wanted)
    if not arrays:
        return graph
    made = shell(graph)
    made.node.extend(_rewritten(view, arrays))
    return subgraph(made, {one.name for one in made.node})


def _rewritten(view: View, arrays: list[Array]) -> Iterator[protos.NodeDef]:
    """Yield the nodes of the graph that is viewed, with lists for `arrays`."""
    taken = set(view.nodes)
    working = {name: array for array in arrays for name in array.users | {array.name}}
    passing = set[str]().union(*(array.passes for array in arrays))
    gone = set[str]().union(*(array.carriers for array in arrays))
    flows = {f"{array.name}:1": array.name for array in arrays}
    for name, original in view.nodes.items():
        if name in gone:
            continue
        one = protos.NodeDef()
        one.CopyFrom(original)
        one.input[:] = [flows.get(edge, edge) for edge in original.input]
        if name in passing:
            one.attr["T"].type = dtypes.VARIANT.number
        if name in working:
            yield from _REWRITES[one.op](_Call(view, one, working[name], taken))
        else:
            yield one


@dataclass
class _Call:
    """An operation on an array, about to be one on a list."""

    view: View
    node: protos.NodeDef
    array: Array
    taken: set[str]

    def __post_init__(self) -> None:
        self.inputs = data_inputs(self.node)
        self.after = [edge for edge in self.node.input if edge.startswith(CONTROL)]
        self.made = self.view.nodes[self.array.name]
        self.dtype = dtypes.dtype(self.made.attr["dtype"].type)

    def becomes(self, op: str, *inputs: str, **attrs: Value) -> protos.NodeDef:
        """Return the node in the place of this one."""
        edges = [*inputs, *self.after]
        return node(self.node.name, op, edges, device=self.node.device, **attrs)

    def shape(self, key: str = "element_shape", lead: tuple[int, ...] = ()) -> protos.NodeDef:
        """Return a constant of the shape of elements, as this node or else the array states it."""
        stated = self.node if key in self.node.attr else self.made
        name = unique(f"{self.node.name}/element_shape", self.taken)
        if key not in stated.attr or stated.attr[key].shape.unknown_rank:
            one = whole_number(name, -1)
        else:
            one = whole_numbers(name, [*lead, *(dim.size for dim in stated.attr[key].shape.dim)])
        one.input.append(f"^{source(self.inputs[-1])}")  # a constant in a frame has to wait there
        return one


def _reserve(call: _Call) -> list[protos.NodeDef]:
    shape = call.shape()
    kinds = {"element_dtype": call.dtype, "shape_type": dtypes.INT32}
    return [shape, call.becomes("TensorListReserve", shape.name, call.inputs[0], **kinds)]


def _read(call: _Call) -> list[protos.NodeDef]:
    shape = call.shape()
    _, index, array = call.inputs
    op = "TensorListGetItem"
    return [shape, call.becomes(op, array, index, shape.name, element_dtype=call.dtype)]


def _write(call: _Call) -> list[protos.NodeDef]:
    _, index, value, array = call.inputs
    grows = "dynamic_size" in call.made.attr and call.made.attr["dynamic_size"].b
    options = {"resize_if_index_out_of_bounds": bool(grows)}
    op = "TensorListSetItem"
    return [call.becomes(op, array, index, value, element_dtype=call.dtype, **options)]


def _scatter(call: _Call) -> list[protos.NodeDef]:
    _, indices, value, array = call.inputs
    op = "TensorListScatterIntoExistingList"
    return [call.becomes(op, array, value, indices, element_dtype=call.dtype)]


def _gather(call: _Call) -> list[protos.NodeDef]:
    """Return what stacks the list, and takes of it what is wanted if that is not all.

    ``TensorListGather`` would do, but its gradient forgets that an element may be taken twice.
    """
    shape = call.shape()
    _, indices, array = call.inputs
    stack = call.becomes(
        "TensorListStack", array, shape.name, element_dtype=call.dtype, num_elements=-1
    )
    if takes_all(call.view, call.array, indices):
        return [shape, stack]
    stack.name = unique(f"{call.node.name}/stack", call.taken)
    axis = whole_number(unique(f"{call.node.name}/axis", call.taken), 0)
    axis.input.append(f"^{source(array)}")
    taken = call.becomes(
        "GatherV2", stack.name, indices, axis.name,
        Tparams=call.dtype, Tindices=dtypes.INT32, Taxis=dtypes.INT32,
    )  # fmt: skip
    return [shape, stack, axis, taken]


def _size(call: _Call) -> list[protos.NodeDef]:
    return [call.becomes("TensorListLength", call.inputs[-1])]


def _concat(call: _Call) -> list[protos.NodeDef]:
    shape = call.shape("element_shape_except0", lead=(-1,))
    lengths = unique(f"{call.node.name}/lengths", call.taken)
    none = whole_numbers(lengths, [])
    none.attr["dtype"].type = none.attr["value"].tensor.dtype = dtypes.INT64.number
    none.input.append(f"^{source(call.inputs[-1])}")
    joined = call.becomes(
        "TensorListConcatV2", call.inputs[-1], shape.name, lengths,
        element_dtype=call.dtype, shape_type=dtypes.INT32,
    )  # fmt: skip
    return [shape, none, joined]


def _split(call: _Call) -> list[protos.NodeDef]:
    shape = call.shape()
    _, value, lengths, _ = call.inputs
    kinds = {"element_dtype": call.dtype, "shape_type": dtypes.INT32}
    return [shape, call.becomes("TensorListSplit", value, shape.name, lengths, **kinds)]


def _close(call: _Call) -> list[protos.NodeDef]:
    return [call.becomes("NoOp")]


_REWRITES: dict[str, Callable[[_Call], list[protos.NodeDef]]] = {
    MADE: _reserve,
    "TensorArrayReadV3": _read,
    "TensorArrayWriteV3": _write,
    "TensorArrayScatterV3": _scatter,
    "TensorArrayGatherV3": _gather,
    "TensorArraySizeV3": _size,
    "TensorArrayConcatV3": _concat,
    "TensorArraySplitV3": _split,
    "TensorArrayCloseV3": _close,
}
