"""The ends of a graph: what goes in and what comes out where no signature says so.

Placeholders go in.  What comes out is what no operation uses, leaving aside those that train,
save and initialize.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import dtypes, ops
from zoo.graph import source
from zoo.listed import all_definitions
from zoo.specs import INPUTS, TensorSpec, output_dtypes, spec_of
from zoo.variables import VARIABLES
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo import protos

_SAVES = {
    "MergeV2Checkpoints",
    "Restore",
    "RestoreSlice",
    "RestoreV2",
    "Save",
    "SaveSlices",
    "SaveV2",
    "ShardedFilename",
    "ShardedFilespec",
}
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


def found_inputs(meta_graph: protos.MetaGraphDef, view: View | None = None) -> list[TensorSpec]:
    """Return the placeholders of the graph, without those of its savers and of its assets.

    Parameters
    ----------
    view
        The graph as it is viewed already.
    """
    view = View(meta_graph.graph_def) if view is None else view
    own = {source(meta_graph.saver_def.filename_tensor_name)}
    own |= {source(asset.tensor_info.name) for asset in meta_graph.asset_file_def}
    saver = view.upstream(own) | _paths_of_savers(view)
    return [
        spec_of(meta_graph.graph_def, f"{name}:0", view.nodes)
        for name in view.named(*INPUTS)
        if name not in saver
    ]


def found_outputs(
    meta_graph: protos.MetaGraphDef, view: View | None = None, aside: set[str] | None = None
) -> list[Output]:
    """Return the tensors that no operation uses but those that train, save or initialize.

    Parameters
    ----------
    view, aside
        The graph as it is viewed already, and what `set_aside` gives for it.
    """
    graph = meta_graph.graph_def
    view = View(graph) if view is None else view
    aside = set_aside(meta_graph, view) if aside is None else aside
    inputs = [source(spec.tensor) for spec in found_inputs(meta_graph, view)]
    fed = view.downstream(inputs, control=False)
    sinks = [name for name in _sinks(view, aside) if _puts_out(view.ops[name])]
    sinks += _mutators(meta_graph, view)
    reached = [name for name in sinks if name in fed]
    why = "no other operation uses it" + (", and it depends on the inputs" if reached else "")
    return [
        Output(spec_of(graph, f"{name}:{number}", view.nodes), why)
        for name in reached or sinks
        for number in _loose_ports(graph, view.nodes[name])
    ]


def set_aside(meta_graph: protos.MetaGraphDef, view: View) -> set[str]:
    """Return the nodes that save, restore, initialize or train: their inputs can be outputs."""
    saver = meta_graph.saver_def
    roots = {source(name) for name in (saver.save_tensor_name, saver.restore_op_name) if name}
    roots |= {source(entry.initializer_name) for entry in all_definitions(meta_graph).values()}
    trains = {op for op in set(view.ops.values()) if _TRAINS.match(op)}
    aside = {name for name in roots if name in view.nodes}
    aside |= view.downstream(_paths_of_savers(view), control=False)
    aside |= set(view.named(*trains))
    return aside | {name for name in view.ops if is_backward(name)}


def _paths_of_savers(view: View) -> set[str]:
    """Return the placeholders that take the paths from which savers read, and to which they write.

    A graph that was exported several times has several savers, and knows only the last.
    """
    files = [view.inputs[name][0] for name in view.named(*_SAVES) if view.inputs[name]]
    return view.upstream(files) & set(view.named(*INPUTS))


def is_backward(name: str) -> bool:
    """Tell whether the node `name` is part of what computes gradients."""
    return "gradients" in name and any(p.startswith("gradients") for p in name.split("/")[:-1])


def _sinks(view: View, aside: set[str]) -> Iterator[str]:
    """Yield the nodes outside `aside` whose values go nowhere but into `aside`."""
    used = {name for user in view.ops if user not in aside for name in view.sources[user]}
    for name in view.ops:
        if name not in used and name not in aside:
            yield name


def _mutators(meta_graph: protos.MetaGraphDef, view: View) -> list[str]:
    """Return what changes a variable and gives its value, where that is all it can be for.

    In a graph that is trained such operations have users: they wait for each other.
    """
    if meta_graph.collection_def or meta_graph.HasField("saver_def"):
        return []
    found = []
    for name, kind in view.ops.items():
        op = ops.op(kind)
        if op is not None and op.refs and op.outputs and op.outputs[0].ref:
            found += [] if view.users.get(name) else [name]
    return found


def _puts_out(kind: str) -> bool:
    """Tell whether an operation `kind` computes values that a caller may want."""
    if kind in {"Const", "NoOp", "ReadVariableOp"} or kind in INPUTS or kind in VARIABLES:
        return False
    op = ops.op(kind)
    return op is None or bool(op.outputs)


def _loose_ports(graph: protos.GraphDef, node: protos.NodeDef) -> list[int]:
    given = output_dtypes(graph, node)
    return [number for number, dtype in enumerate(given) if dtype is not dtypes.RESOURCE]
