"""Constants that a frozen graph still changes: they become the variables again that they were.

Freezing turns every variable into a constant, also one that the outputs assign or scatter into on
the way.  TensorFlow refuses such a graph, as an operation that changes its input wants a reference.

Source: ``tensorflow/core/ops/state_ops.cc``; `zoo.ops` lists which inputs are references.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import ops
from zoo.graph import source
from zoo.nodes import Dims, node
from zoo.thaw import lift

if TYPE_CHECKING:
    from zoo import protos
    from zoo.tensors import Tensor
    from zoo.view import View


def changed_constants(view: View) -> list[str]:
    """Return the constants in `view` that an operation wants to change, in the graph's order."""
    found: dict[str, None] = {}
    for name, kind in view.ops.items():
        op = ops.op(kind)
        for position in op.refs if op is not None else ():
            edges = view.data_inputs(name)
            origin = _origin(view, source(edges[position])) if position < len(edges) else ""
            if view.ops.get(origin) == "Const":
                found[origin] = None
    return [name for name in view.ops if name in found]


def _origin(view: View, name: str) -> str:
    """Return the node whose memory `name` refers to, through operations that pass it on."""
    seen: set[str] = set()
    while name in view.ops and name not in seen:
        seen.add(name)
        op = ops.op(view.ops[name])
        passes = op is not None and 0 in op.refs and bool(op.outputs) and op.outputs[0].ref
        if not passes or not view.sources[name]:
            break
        name = view.sources[name][0]
    return name


def give_back(
    graph: protos.GraphDef, tensors: dict[str, Tensor], names: list[str]
) -> dict[str, Tensor]:
    """Make reference variables of the constants `names` in `graph`, and return their values.

    Parameters
    ----------
    tensors
        Values of constants that are outside of the graph already.
    """
    values = lift(graph, [name for name in names if name not in tensors])
    nodes = {one.name: one for one in graph.node}
    for name in names:
        value = values.get(name) or tensors[name]
        made = node(
            name, "VariableV2", list(nodes[name].input), device=nodes[name].device,
            dtype=value.dtype, shape=Dims(value.shape), container="", shared_name="",
        )  # fmt: skip
        nodes[name].CopyFrom(made)
    return values
