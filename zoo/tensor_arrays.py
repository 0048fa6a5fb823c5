"""Arrays of tensors as TensorFlow 1 makes them: where their handles and flows go.

An array is a resource that operations change behind a handle; a number called flow goes from one
to the next to keep them in order.

Source: ``tensorflow/core/ops/data_flow_ops.cc``, ``tensorflow/python/ops/tensor_array_ops.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo import dtypes
from zoo.graph import data_inputs, source, tensor_name
from zoo.tensor_protos import from_proto

if TYPE_CHECKING:
    from collections.abc import Collection

    from zoo import protos
    from zoo.view import View

MADE = "TensorArrayV3"
_HANDLES_PASS = {"Enter", "Identity", "Switch"}
_FLOWS_PASS = {"Enter", "Exit", "Identity", "Merge", "NextIteration", "Switch"}
_CHANGES = {"TensorArrayScatterV3", "TensorArraySplitV3", "TensorArrayWriteV3"}
_USES = _CHANGES | {
    "TensorArrayCloseV3", "TensorArrayConcatV3", "TensorArrayGatherV3", "TensorArrayReadV3",
    "TensorArraySizeV3",
}  # fmt: skip


@dataclass
class Array:
    """An array: where its handle and its flow go."""

    name: str
    handles: set[str] = field(default_factory=set)
    flows: set[str] = field(default_factory=set)
    carriers: set[str] = field(default_factory=set)
    """Nodes that only pass the handle on."""
    passes: set[str] = field(default_factory=set)
    """Nodes that only pass the flow on."""
    users: set[str] = field(default_factory=set)
    """Operations on the array."""


def arrays_of(view: View, wanted: Collection[str]) -> list[Array]:
    """Return the arrays in a graph that are used as a list can be.

    Parameters
    ----------
    wanted
        The tensors that are fetched; an array among these is not used so.
    """
    arrays = [found for name in view.named(MADE) if (found := _followed(view, name))]
    return [one for one in arrays if (one.handles | one.flows).isdisjoint(wanted)]


def _followed(view: View, name: str) -> Array | None:
    """Return the array that `name` makes, None if it is used otherwise than a list can be."""
    found = Array(name)
    todo = [(f"{name}:0", True), (f"{name}:1", False)]
    while todo:
        edge, is_handle = todo.pop()
        known = found.handles if is_handle else found.flows
        if edge in known:
            continue
        known.add(edge)
        for user, at in view.data_users.get(source(edge), ()):
            if tensor_name(view.inputs[user][at]) == edge:
                more = _passed(view, found, user, at, is_handle)
                if more is None:
                    return None
                todo += more
    return found if _sound(view, found) else None


def _passed(
    view: View, found: Array, user: str, at: int, is_handle: bool
) -> list[tuple[str, bool]] | None:
    """Return where `user` passes the array on, None if it does with it what a list cannot do."""
    op = view.ops[user]
    if op in (_HANDLES_PASS if is_handle else _FLOWS_PASS) and (at == 0 or op == "Merge"):
        (found.carriers if is_handle else found.passes).add(user)
        return [(f"{user}:{number}", is_handle) for number in range(2 if op == "Switch" else 1)]
    last = len(view.data_inputs(user)) - 1
    if op not in _USES or at != (0 if is_handle else last):
        return None
    found.users.add(user)
    return [(f"{user}:0", False)] if op in _CHANGES else []


def _sound(view: View, found: Array) -> bool:
    """Tell whether all that works on the array, or passes it on, works on this array only."""
    for name in found.users:
        edges = [tensor_name(edge) for edge in view.data_inputs(name)]
        if edges[0] not in found.handles or not {edges[-1]} <= found.flows | found.handles:
            return False
        if view.ops[name] == "TensorArrayGatherV3" and not takes_all(view, found, edges[1]):
            alike = view.nodes[found.name].attr
            if "identical_element_shapes" not in alike or not alike["identical_element_shapes"].b:
                return False
    merged = [view.data_inputs(name) for name in found.passes if view.ops[name] == "Merge"]
    return all(tensor_name(edge) in found.flows for edges in merged for edge in edges)


def takes_all(view: View, found: Array, edge: str) -> bool:
    """Tell whether `edge` has the numbers of all elements, in their order."""
    indices = view.nodes[source(edge)]
    if indices.op != "Range":
        return False
    start, size, step = (view.nodes[source(one)] for one in data_inputs(indices))
    if size.op != "TensorArraySizeV3" or tensor_name(size.input[0]) not in found.handles:
        return False
    return _number(start) == 0 and _number(step) == 1


def _number(one: protos.NodeDef) -> int | None:
    """Return the whole number that `one` always is, None if it is none."""
    if one.op != "Const" or one.attr["dtype"].type != dtypes.INT32.number:
        return None
    value = from_proto(one.attr["value"].tensor).read()
    return int(value) if value.size == 1 else None
