"""Freezing: variables become constants, in the graph and in the functions that it calls.

The values stay outside the graph, as weights; the ``Const`` nodes are empty until a writer fills
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import protos
from zoo.errors import UnsupportedError, some
from zoo.graph import (
    by_name,
    require,
    source,
    subgraph,
    upstream,
)
from zoo.handles import Freezing
from zoo.inline import inline
from zoo.signatures import fed_only, sides
from zoo.tensor_protos import header
from zoo.variables import is_variable, readable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zoo.weights import Weights


def freeze(
    meta_graph: protos.MetaGraphDef, weights: Weights, outputs: Iterable[str]
) -> tuple[protos.MetaGraphDef, Weights]:
    """Return the model with constants for variables, and with only what `outputs` need.

    Signatures whose outputs are all there stay; collections, saver and object graph, which speak of
    variables, go.

    Raises
    ------
    UnknownNameError
        The graph has no such tensor.
    UnsupportedError
        The outputs need a variable that has no value, or that is changed on the way: a graph in
        training mode, a counter.
    """
    wanted = list(outputs)
    require(by_name(meta_graph.graph_def), wanted)
    wanted = readable(meta_graph, wanted)
    flat = inline(meta_graph.graph_def)
    flat = subgraph(flat, upstream(by_name(flat), [*wanted, *fed_only(meta_graph, flat, wanted)]))
    named = {node.name for node in flat.node if is_variable(node)}
    missing = sorted(named - set(weights))
    if missing:
        raise UnsupportedError("a variable that the outputs need has no value", found=some(missing))
    values = {name: weights.tensor(name).dtype for name in named}
    graph = Freezing(flat, values).frozen()
    _refuse_inner(graph)
    frozen = protos.MetaGraphDef()
    frozen.meta_info_def.CopyFrom(meta_graph.meta_info_def)
    frozen.graph_def.CopyFrom(_filled_shapes(graph, weights, named))
    kept = {node.name for node in graph.node}
    for key, signature in meta_graph.signature_def.items():
        inputs, given = sides(signature)
        if given and all(source(tensor) in kept for tensor in inputs + given):
            frozen.signature_def[key].CopyFrom(signature)
    return frozen, weights.only(kept).plain()


def _refuse_inner(graph: protos.GraphDef) -> None:
    """Refuse variables that live in a function: which value they have shows when it runs."""
    inner = [
        f"{node.name} of {function.signature.name}"
        for function in graph.library.function
        for node in function.node_def
        if is_variable(node)
    ]
    if inner:
        raise UnsupportedError("a variable inside a function cannot be frozen", found=some(inner))


def _filled_shapes(graph: protos.GraphDef, weights: Weights, names: set[str]) -> protos.GraphDef:
    for node in graph.node:
        if node.name in names:
            node.attr["value"].tensor.CopyFrom(header(weights.tensor(node.name)))
    return graph
