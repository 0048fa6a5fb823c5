"""Constants that a frozen graph still changes: they become the variables again that they were.

Freezing turns every variable into a constant, also one that the outputs assign or scatter into on
the way.  TensorFlow refuses such a graph, as an operation that changes its input wants a reference.

Source: ``tensorflow/core/ops/state_ops.cc``; `zoo.ops` lists which inputs are references.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import ops
from zoo.nodes import Dims, node
from zoo.thaw import lift

if TYPE_CHECKING:
    from zoo import protos
    from zoo.tensors import Tensor
    from zoo.view import View


def changed_constants(view: View) -> list[str]:
    """Return the constants in `view` that an operation wants to change, in the graph's order.

    What passes a reference on takes one itself, so that the first of a chain names the constant.
    """
    found = set()
    for name, kind in view.ops.items():
        op = ops.op(kind)
        taken = view.sources[name] if op is not None and op.refs else []
        found |= {taken[at] for at in (op.refs if op is not None else ()) if at < len(taken)}
    return [name for name in view.named("Const") if name in found]


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
