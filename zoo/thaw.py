"""The inverse of freezing: constants that are weights become variables again.

Between the two stands lifting: the values leave the graph and become weights of the model, while
their ``Const`` nodes stay, empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import dtypes, protos
from zoo.constants import weight_constants
from zoo.graph import CONTROL, by_name, consumers, port, shell, source, unique, waits
from zoo.nodes import node as make_node
from zoo.tensor_protos import from_proto, header
from zoo.variables import handle, listed_tensors, rename_listed
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zoo.tensors import Tensor
    from zoo.weights import Weights


def lift(graph: protos.GraphDef, names: Iterable[str]) -> dict[str, Tensor]:
    """Take the values of the constants `names` out of `graph`, which is changed, and return them.

    The nodes keep dtype and shape; those that are empty already are passed over by the caller.
    """
    nodes = by_name(graph)
    lifted = {}
    for name in names:
        stored = protos.TensorProto()
        stored.CopyFrom(nodes[name].attr["value"].tensor)
        lifted[name] = from_proto(stored)
        nodes[name].attr["value"].tensor.CopyFrom(header(lifted[name]))
    return lifted


def thaw(
    meta_graph: protos.MetaGraphDef, weights: Weights
) -> tuple[protos.MetaGraphDef, Weights, set[str]]:
    """Return the model with resource variables for its weight constants, and which of these train.

    A variable has its constant's name.  An ``Identity`` that only named the constant's value
    becomes the reading node; any other use gets one.  Constants inside a loop or a branch stay, and
    those that a signature feeds.
    """
    nodes = by_name(meta_graph.graph_def)
    fed = {
        source(info.name)
        for signature in meta_graph.signature_def.values()
        for info in signature.inputs.values()
    }
    chosen = {
        name: trains
        for name, trains in weight_constants(View(meta_graph.graph_def)).items()
        if not waits(nodes[name]) and name not in fed
    }
    if not chosen:
        return meta_graph, weights, set()
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    edited.ClearField("object_graph_def")
    values = lift(edited.graph_def, [name for name in chosen if name not in weights])
    weights = weights.overlay(values)
    thawing = _Thawing(edited, weights, set(chosen))
    edited.graph_def.CopyFrom(thawing.thawed())
    for signature in edited.signature_def.values():
        for info in signature.outputs.values():
            info.name = thawing.value_of(info.name)
    rename_listed(edited, thawing.value_of)
    return edited, weights, {name for name, trains in chosen.items() if trains}


class _Thawing:
    """One graph on its way from constants to variables."""

    def __init__(self, meta_graph: protos.MetaGraphDef, weights: Weights, names: set[str]) -> None:
        self.graph = meta_graph.graph_def
        self.weights = weights
        self.names = names
        self.users = consumers(self.graph.node)
        taken = {node.name for node in self.graph.node}
        wanted = {
            source(info.name)
            for signature in meta_graph.signature_def.values()
            for info in signature.outputs.values()
        } | {source(name) for name in listed_tensors(meta_graph)}
        self.reads = {
            name: unique(f"{name}/Read/ReadVariableOp", taken)
            for name in sorted(names)
            if name in wanted or self._used_directly(name)
        }

    def thawed(self) -> protos.GraphDef:
        """Return the graph with variables for the constants `names`."""
        graph = shell(self.graph)
        for node in self.graph.node:
            if node.name in self.names:
                graph.node.extend(self._variable(node))
            else:
                graph.node.add().CopyFrom(self._user(node))
        return graph

    def value_of(self, tensor: str) -> str:
        """Return the tensor that has the value of `tensor` now."""
        return f"{self.reads[source(tensor)]}:0" if source(tensor) in self.reads else tensor

    def _used_directly(self, name: str) -> bool:
        return any(
            port(user.input[position]) == 0 and not self._names_value(user)
            for user, position in self.users.get(name, ())
        )

    def _names_value(self, user: protos.NodeDef) -> bool:
        """Tell whether `user` is an ``Identity`` on a constant, which can become its read."""
        return user.op == "Identity" and bool(user.input) and source(user.input[0]) in self.names

    def _variable(self, node: protos.NodeDef) -> list[protos.NodeDef]:
        tensor = self.weights.tensor(node.name)
        made = [handle(node.name, tensor.dtype, tensor.shape, node.device)]
        if node.name in self.reads:
            name = self.reads[node.name]
            made.append(
                make_node(
                    name, "ReadVariableOp", [node.name], device=node.device, dtype=tensor.dtype
                )
            )
        return made

    def _user(self, node: protos.NodeDef) -> protos.NodeDef:
        if self._names_value(node):
            dtype = dtypes.dtype(node.attr["T"].type)
            made = make_node(
                node.name, "ReadVariableOp", node.input, device=node.device, dtype=dtype
            )
            if "_class" in node.attr:
                made.attr["_class"].CopyFrom(node.attr["_class"])
            return made
        edges = [self._edge(edge) for edge in node.input]
        if edges == list(node.input):
            return node
        made = protos.NodeDef()
        made.CopyFrom(node)
        del made.input[:]
        made.input.extend(edges)
        return made

    def _edge(self, edge: str) -> str:
        held = edge.startswith(CONTROL) or source(edge) not in self.names
        return edge if held else self.reads[source(edge)]
