"""The part of a graph that this TensorFlow can run, where it does not have every operation.

TensorFlow imports a graph whole or not at all; one operation that nobody has, on a branch nobody
asks for, would keep all of it from running.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import failures, protos
from zoo.engine import tensorflow
from zoo.errors import RunError
from zoo.graph import by_name, called_functions, downstream, subgraph, upstream

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


def unknown(graph: protos.GraphDef) -> dict[str, str]:
    """Return the nodes of `graph` that are, or call, an operation TensorFlow does not have.

    What was loaded into the process counts as had: ``import tensorflow_text``.

    Returns
    -------
    dict[str, str]
        The missing operations by the names of the nodes.
    """
    bodies = {f.signature.name: f.node_def for f in graph.library.function}
    there: dict[str, bool] = {}

    def missing(nodes: Iterable[protos.NodeDef]) -> str:
        """Return the first operation of `nodes` that is neither TensorFlow's nor a function."""
        for node in nodes:
            if node.op not in there:
                there[node.op] = node.op in bodies or is_registered(node.op)
            if not there[node.op]:
                return str(node.op)
        return ""

    inside = {name: op for name, body in bodies.items() if (op := missing(body))}
    found = {}
    for node in graph.node:
        op = missing([node])
        if not op and inside:
            called = called_functions(graph, [node])
            op = next((inside[name] for name in sorted(called) if name in inside), "")
        if op:
            found[node.name] = op
    return found


def without(meta_graph: protos.MetaGraphDef, names: Collection[str]) -> protos.MetaGraphDef:
    """Return `meta_graph` without the nodes `names` and what needs them."""
    if not names:
        return meta_graph
    graph = meta_graph.graph_def
    gone = downstream(graph, names)
    kept = protos.MetaGraphDef()
    kept.CopyFrom(meta_graph)
    kept.graph_def.CopyFrom(subgraph(graph, {node.name for node in graph.node} - gone))
    return kept


def refuse(graph: protos.GraphDef, needed: Iterable[str], missing: Mapping[str, str]) -> None:
    """Refuse a call that needs an operation which TensorFlow does not have.

    Parameters
    ----------
    needed
        The nodes that the call runs, fetches or feeds.
    missing
        What `unknown` gave for `graph`.

    Raises
    ------
    RunError
        It does; the error names the node, and the library that has the operation.
    """
    lost = sorted(downstream(graph, missing).intersection(needed)) if missing else []
    if lost:
        name = min(upstream(by_name(graph), lost[:1]) & set(missing))
        raise RunError(
            "the outputs need an operation that this TensorFlow does not have",
            found=f"node {name!r}: {missing[name]}",
            hint=f"{failures.help_for(missing[name])}; else {failures.OTHER_OUTPUTS}",
        )


def is_registered(op: str) -> bool:
    """Tell whether TensorFlow has the operation `op`; what was loaded into the process counts."""
    tensorflow()
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(op) is not None
