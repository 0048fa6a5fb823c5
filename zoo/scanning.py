"""What the operations of a graph may do to the machine that runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zoo import protos

_IO = {"ReadFile", "WriteFile", "MatchingFiles"}
_PYTHON = {"PyFunc", "EagerPyFunc", "PyFuncStateless"}


def scan(
    meta_graph: protos.MetaGraphDef, wanted: Iterable[str] | None = None
) -> tuple[Finding, ...]:
    """Return every operation of `meta_graph` that does more than compute, in the order of nodes.

    Parameters
    ----------
    wanted
        Tensors or nodes; if given, only what these need is looked at, functions that they call
        among it.
    """
    from zoo.graph import by_name, upstream

    graph = meta_graph.graph_def
    kept = None if wanted is None else upstream(by_name(graph), wanted)
    found = [("", node) for node in graph.node if kept is None or node.name in kept]
    found += [(f.signature.name, node) for f in graph.library.function for node in f.node_def]
    return tuple(
        Finding(n.op, f"{inside}/{n.name}" if inside else n.name, "reads files", "io", inside)
        for inside, n in found
        if n.op in _IO | _PYTHON
    )
