"""What fills the tables that a graph looks values up in.

No output depends on it: a table is filled when the model is loaded, by an operation of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import protos
from zoo.graph import CONTROL, by_name, data_inputs, source, subgraph, unique, upstream
from zoo.inline import inline
from zoo.nodes import node as make_node
from zoo.normal_form import FILLS_TABLE
from zoo.variables import name_in_session

if TYPE_CHECKING:
    from collections.abc import Mapping

    Nodes = Mapping[str, protos.NodeDef]

MAIN = "saved_model_main_op"
_LEGACY = "legacy_init_op"


def with_fillers(pruned: protos.MetaGraphDef, whole: protos.GraphDef) -> None:
    """Give the graph of `pruned` what fills its tables in `whole`, and let loading run that."""
    if not any("Table" in node.op for node in pruned.graph_def.node):
        return
    flat = inline(whole)
    names, fillers = _filled(by_name(flat), {node.name for node in pruned.graph_def.node})
    if not fillers:
        return
    pruned.graph_def.CopyFrom(subgraph(flat, names))
    main = unique("init_tables", names)
    pruned.graph_def.node.append(make_node(main, "NoOp", [f"{CONTROL}{f}" for f in fillers]))
    pruned.collection_def.pop(_LEGACY, None)
    pruned.collection_def[MAIN].node_list.value[:] = [main]


def filled_at_loading(meta_graph: protos.MetaGraphDef) -> protos.MetaGraphDef:
    """Return `meta_graph` with what fills its tables run by loading, if nothing is run yet.

    A checkpoint has it in a collection, which the loaders of SavedModels do not look at.
    """
    if {MAIN, _LEGACY} & {*meta_graph.collection_def}:
        return meta_graph
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    with_fillers(edited, meta_graph.graph_def)
    return edited


def _filled(nodes: dict[str, protos.NodeDef], needed: set[str]) -> tuple[set[str], list[str]]:
    """Return the nodes `needed` and what fills the tables among them, and which these are."""
    tables = {
        name: _table(nodes, data_inputs(node)[0])
        for name, node in nodes.items()
        if FILLS_TABLE.fullmatch(node.op)
    }
    found: list[str] = []
    while True:
        there = {name_in_session(nodes[name]) for name in needed if "Table" in nodes[name].op}
        new = [n for n, table in tables.items() if table in there and n not in found]
        if not new:
            return needed, found
        found += new
        needed = needed | upstream(nodes, new)


def _table(nodes: Nodes, edge: str) -> str:
    """Return the table to which `edge` leads, by the name that it is shared under."""
    node = nodes[source(edge)]
    while node.op == "Identity":
        node = nodes[source(node.input[0])]
    return name_in_session(node)
