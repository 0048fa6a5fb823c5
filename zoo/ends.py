"""The ends of a graph: what goes in and what comes out where no signature says so.

Placeholders go in.  What comes out is what no operation uses, leaving aside those that train,
save and initialize.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import dtypes, ops, protos
from zoo.graph import by_name, data_inputs, downstream, source, upstream
from zoo.specs import INPUTS, TensorSpec, output_dtypes, spec_of
from zoo.variables import all_definitions, is_variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TRAINS = re.compile(
    r"(Resource)?(Sparse)?Apply[A-Z]|Assign|(Resource)?Scatter(Nd)?(Add|Sub|Update|Mul|Div|Min|Max)$"
    r"|Save|MergeV2Checkpoints|.*Summary|.*SummaryV2|Assert|Print|Queue|Close|InitializeTable"
    r"|LookupTableImport|LookupTableInsert|DestroyResource|IsVariableInitialized|VarIsInitialized"
)


@dataclass(frozen=True)
class Output:
    """A tensor that looks like an output, and why."""

    spec: TensorSpec
    why: str


def found_inputs(meta_graph: protos.MetaGraphDef) -> list[TensorSpec]:
    """Return the placeholders of the graph, without those of its saver and of its assets."""
    own = {source(meta_graph.saver_def.filename_tensor_name)}
    own |= {source(asset.tensor_info.name) for asset in meta_graph.asset_file_def}
    nodes = by_name(meta_graph.graph_def)
    saver = upstream(nodes, own) | own
    return [
        spec_of(meta_graph.graph_def, f"{node.name}:0", nodes)
        for node in meta_graph.graph_def.node
        if node.op in INPUTS and node.name not in saver
    ]


def found_outputs(meta_graph: protos.MetaGraphDef) -> list[Output]:
    """Return the tensors that no operation uses but those that train, save or initialize."""
    graph = meta_graph.graph_def
    nodes = by_name(graph)
    aside = _set_aside(meta_graph, nodes)
    inputs = [source(spec.tensor) for spec in found_inputs(meta_graph)]
    fed = downstream(graph, inputs, control=False)
    sinks = [name for name in _sinks(graph, aside) if _puts_out(nodes[name])]
    reached = [name for name in sinks if name in fed]
    why = "no other operation uses it" + (", and it depends on the inputs" if reached else "")
    return [
        Output(spec_of(graph, f"{name}:{number}", nodes), why)
        for name in reached or sinks
        for number in _loose_ports(graph, nodes[name])
    ]


def _set_aside(meta_graph: protos.MetaGraphDef, nodes: Mapping[str, protos.NodeDef]) -> set[str]:
    """Return the nodes that save, restore, initialize or train: their inputs can be outputs."""
    saver = meta_graph.saver_def
    roots = {source(name) for name in (saver.save_tensor_name, saver.restore_op_name) if name}
    aside = {name for name in roots if name in nodes}
    aside |= {source(entry.initializer_name) for entry in all_definitions(meta_graph).values()}
    aside |= {name for name, node in nodes.items() if _TRAINS.match(node.op)}
    backward = (
        name for name in nodes if any(p.startswith("gradients") for p in name.split("/")[:-1])
    )
    return aside | set(backward)


def _sinks(graph: protos.GraphDef, aside: set[str]) -> Iterator[str]:
    """Yield the nodes outside `aside` whose values go nowhere but into `aside`."""
    used = {
        source(edge) for node in graph.node if node.name not in aside for edge in data_inputs(node)
    }
    for node in graph.node:
        if node.name not in used and node.name not in aside:
            yield node.name


def _puts_out(node: protos.NodeDef) -> bool:
    """Tell whether `node` computes values that a caller may want."""
    idle = node.op in {"Const", "NoOp", "ReadVariableOp", *INPUTS} or is_variable(node)
    op = ops.op(node.op)
    return not idle and (op is None or bool(op.outputs))


def _loose_ports(graph: protos.GraphDef, node: protos.NodeDef) -> list[int]:
    given = output_dtypes(graph, node)
    return [number for number, dtype in enumerate(given) if dtype is not dtypes.RESOURCE]
