"""Placeholders that have one right value in use, made constants: dropout rates, training switches.

They can still be fed, by the same name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo import dtypes, protos
from zoo.errors import counted, some
from zoo.folding import folded
from zoo.inline import inline
from zoo.nodes import node as make_node
from zoo.repairs import Repaired
from zoo.specs import INPUTS
from zoo.switches import constant_of
from zoo.tensor_protos import number
from zoo.tensors import ArrayTensor
from zoo.updates import is_mutator
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Collection


def with_switches_fixed(
    meta_graph: protos.MetaGraphDef, outputs: Collection[str], keep: Collection[str]
) -> Repaired:
    """Return the graph with constants for switches, and without the branches these rule out.

    A switch whose default is the right value stays, but where a branch that it rules out changes
    variables.

    Parameters
    ----------
    outputs
        The tensors that are wanted: switches that they do not need are left alone.
    keep
        Nodes that stay inputs.
    """
    view = View(meta_graph.graph_def)
    values = values_for_use(view, view.upstream(outputs), keep)
    graph, count = folded(_with_constants(meta_graph.graph_def, values), outputs)
    if graph is meta_graph.graph_def:
        return Repaired(meta_graph)
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    edited.graph_def.CopyFrom(inline(graph))
    said = [f"fixed {name} to {str(value).lower()}" for name, value in sorted(values.items())]
    decided = counted(count, "decided conditional")
    branches = [f"left out the branches of {decided}"] if count else []
    feeds = {f"{name}:0": value for name, value in values.items()}
    return Repaired(edited, "; ".join([some(said, 5), *branches] if said else branches), feeds)


def values_for_use(
    view: View, needed: Collection[str], keep: Collection[str] = ()
) -> dict[str, Any]:
    """Return the right values of switches, by name, where they are not what the graph itself says.

    Parameters
    ----------
    needed
        The nodes that outputs need: others are left alone.
    keep
        Nodes that stay inputs.
    """
    changing = any(is_mutator(view.ops[name]) for name in needed)
    return {
        name: found.value
        for name in view.named(*INPUTS)
        if name in needed
        and name not in keep
        and (changing or not _is_right(view, name))
        and (found := constant_of(view, name)) is not None
    }


def _is_right(view: View, name: str) -> bool:
    """Tell whether the placeholder `name` has the value for use as its default."""
    default = view.nodes.get(next(iter(view.sources[name]), ""))
    found = constant_of(view, name)
    if default is None or default.op != "Const" or found is None:
        return False
    return bool(number(default.attr["value"].tensor) == found.value)


def _with_constants(graph: protos.GraphDef, values: dict[str, Any]) -> protos.GraphDef:
    """Return `graph` with constants in the place of placeholders; itself if there are none."""
    if not values:
        return graph
    edited = protos.GraphDef()
    edited.CopyFrom(graph)
    for node in edited.node:
        if node.name in values:
            node.CopyFrom(_constant(node, values[node.name]))
    return edited


def _constant(node: protos.NodeDef, value: Any) -> protos.NodeDef:
    import numpy as np

    dtype = dtypes.dtype(node.attr["dtype"].type)
    tensor = ArrayTensor(np.asarray(value, dtype.numpy), dtype)
    return make_node(node.name, "Const", device=node.device, dtype=dtype, value=tensor)
