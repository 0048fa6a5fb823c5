"""Reads of variables taken out of loops, which then look at values.

TensorFlow loses the gradient of a handle that is passed into a loop within a loop: it says zero.
A variable that nobody changes can as well be read before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo import dtypes, protos
from zoo.graph import data_inputs, source, unique
from zoo.nodes import node, whole_number
from zoo.variables import dtype_of
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.dtypes import DType

_PASS = {"Enter", "Identity", "Switch"}
_READS = {"ReadVariableOp", "ResourceGather"}


@dataclass
class _Handle:
    """A variable's handle: the nodes that pass it on, and those that look at the value."""

    variable: str
    dtype: DType
    read: str
    passes: set[str] = field(default_factory=set)
    looks: set[str] = field(default_factory=set)


def read_before_loops(graph: protos.GraphDef) -> protos.GraphDef:
    """Return `graph` with reads before its loops for those in them; itself if there are none."""
    view = View(graph)
    if not view.named("Enter"):
        return graph
    taken = set(view.nodes)
    handles = [one for name in view.named("VarHandleOp") if (one := _followed(view, name, taken))]
    made = protos.GraphDef()
    made.CopyFrom(graph)
    del made.node[:]
    known = {name: handle for handle in handles for name in handle.passes | handle.looks}
    for name, original in view.nodes.items():
        made.node.extend(_changed(original, known[name], taken) if name in known else [original])
    for one in handles:
        made.node.append(node(one.read, "ReadVariableOp", [one.variable], dtype=one.dtype))
    return made


def _followed(view: View, name: str, taken: set[str]) -> _Handle | None:
    """Return where the handle `name` goes, None if into no loop or to who does more than look."""
    dtype = dtype_of(view.nodes[name])
    found = _Handle(name, dtype, unique(f"{name}/ReadVariableOp", taken))
    todo = [name]
    while todo:
        current = todo.pop()
        for user, at in view.data_users.get(current, ()):
            if view.ops[user] in _PASS and at == 0:
                todo += [user] * (user not in found.passes)
                found.passes.add(user)
            elif view.ops[user] not in _READS or _by_batches(view.nodes[user]):
                return None
            elif current != name:
                found.looks.add(user)
    return found if any(view.ops[one] == "Enter" for one in found.passes) else None


def _by_batches(one: protos.NodeDef) -> bool:
    return "batch_dims" in one.attr and one.attr["batch_dims"].i != 0


def _changed(
    original: protos.NodeDef, handle: _Handle, taken: set[str]
) -> Iterator[protos.NodeDef]:
    """Yield `original`, which passed the handle on or looked behind it, working on the value."""
    made = protos.NodeDef()
    made.CopyFrom(original)
    made.input[0] = handle.read if source(made.input[0]) == handle.variable else made.input[0]
    if original.op == "ResourceGather":
        axis = whole_number(unique(f"{made.name}/axis", taken), 0)
        indices = data_inputs(made)[1]
        axis.input.append(f"^{source(indices)}")  # a constant in a frame has to wait there
        yield axis
        edges = [made.input[0], indices, axis.name, *made.input[2:]]
        of_indices = dtypes.dtype(original.attr["Tindices"].type)
        made = node(
            made.name, "GatherV2", edges,
            Tparams=handle.dtype, Tindices=of_indices, Taxis=dtypes.INT32,
        )  # fmt: skip
    elif original.op == "ReadVariableOp":
        made = node(made.name, "Identity", made.input, T=handle.dtype)
    else:
        made.attr["T"].type = handle.dtype.number
    yield made
