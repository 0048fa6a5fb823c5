"""Placeholders in the place of queues, readers and iterators, which nobody fills in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import pipelines, protos
from zoo.errors import some
from zoo.graph import CONTROL, port, shell, source, unique
from zoo.nodes import placeholder
from zoo.repairs import Repaired
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


def with_placeholders(
    meta_graph: protos.MetaGraphDef, outputs: Collection[str], keep: Collection[str]
) -> Repaired:
    """Return the graph with a placeholder for each tensor that a pipeline gives the outputs.

    The first one has the name of the operation it takes the place of.

    Parameters
    ----------
    outputs
        The tensors that are wanted: pipelines that they do not need are left alone.
    keep
        Nodes that stay as they are.
    """
    view = View(meta_graph.graph_def)
    needed = view.upstream(outputs)
    givers = [n for n in view.named(*pipelines.GIVERS) if n in needed and n not in keep]
    if not givers:
        return Repaired(meta_graph)
    taken = set(view.nodes)
    new = {tensor: _name(tensor, taken) for name in givers for tensor in _used(view, name)}
    graph = shell(meta_graph.graph_def)
    for node in meta_graph.graph_def.node:
        if node.name in givers:
            graph.node.extend(_placeholders(view, node.name, new))
        else:
            graph.node.add().CopyFrom(node)
            graph.node[-1].input[:] = [*_edges(node, new, set(givers))]
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    edited.graph_def.CopyFrom(graph)
    said = f"placeholders {some(new.values())} in the place of " + some(
        f"{view.ops[name]} {name}" for name in givers
    )
    moved = {f"{name}:0": tensor for tensor, name in new.items() if f"{name}:0" != tensor}
    return Repaired(edited, said, moved=moved)


def _used(view: View, name: str) -> list[str]:
    users = view.data_users.get(name, ())
    numbers = {port(view.inputs[user][at]) for user, at in users}
    return [f"{name}:{number}" for number in sorted(numbers)]


def _name(tensor: str, taken: set[str]) -> str:
    """Return what the placeholder for `tensor` is called."""
    number = port(tensor)
    return unique(f"{source(tensor)}_{number}", taken) if number else source(tensor)


def _placeholders(view: View, name: str, new: dict[str, str]) -> Iterator[protos.NodeDef]:
    for tensor, called in new.items():
        if source(tensor) == name:
            spec = pipelines.given(view, name, port(tensor))
            yield placeholder(called, spec.dtype, spec.shape)


def _edges(node: protos.NodeDef, new: dict[str, str], givers: set[str]) -> Iterator[str]:
    for edge in node.input:
        if source(edge) not in givers:
            yield edge
        elif not edge.startswith(CONTROL):
            yield new[f"{source(edge)}:{port(edge)}"]
