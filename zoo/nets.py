"""What some tensors of a model need, in the one form in which two models are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import dtypes, ops, protos
from zoo.assets import asset_files
from zoo.errors import UnsupportedError
from zoo.graph import called_functions, source
from zoo.inline import expanded
from zoo.mapped import MappedFile
from zoo.normal_form import FILLS_TABLE, Net
from zoo.resources import to_resources
from zoo.tensors import FileTensor
from zoo.variables import VARIABLES
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from zoo.model import Model
    from zoo.tensors import Tensor

_REFERENCES = VARIABLES - {"VarHandleOp"}


def net(model: Model, tensors: Collection[str]) -> Net:
    """Return what `tensors` need of `model`, calls expanded, and what fills the tables among it.

    A graph that changes variables by reference is made one that does so by handle, as the formats
    of TensorFlow 2 have it.
    """
    graph = model.graph
    flat = View(graph, expanded(graph, _needed(View(graph), tensors)))
    flat = View(graph, [flat.nodes[name] for name in _needed(flat, tensors)])
    if _changes_references(flat):
        flat = _by_handle(flat, tensors)
    return Net(flat.nodes, _values(model, flat), flat.library)


def _needed(view: View, tensors: Iterable[str]) -> dict[str, None]:
    """Return the nodes that `tensors` need, in the order of the graph."""
    fillers = _fillers(view)
    needed, before = view.upstream(tensors), -1
    while before != len(needed):
        before = len(needed)
        needed |= view.upstream(name for name, tables in fillers.items() if tables & needed)
    return {name: None for name in view.ops if name in needed}


def _fillers(view: View) -> dict[str, set[str]]:
    """Return what fills tables, calls of functions that do so too, and which these may be."""
    filling = {
        name
        for name, function in view.library.items()
        if any(FILLS_TABLE.fullmatch(node.op) for node in function.node_def)
    }
    found = {n: set(view.sources[n][:1]) for n, op in view.ops.items() if FILLS_TABLE.fullmatch(op)}
    for name, node in view.nodes.items() if filling else ():
        if called_functions(view.graph, [node]) & filling:
            found[name] = {one for one in view.sources[name] if "Table" in view.ops.get(one, "")}
    return found


def _changes_references(view: View) -> bool:
    return bool(view.named(*_REFERENCES)) and any(
        op is not None and op.refs and not kind.startswith("Ref")
        for kind, op in ((kind, ops.op(kind)) for kind in set(view.ops.values()))
    )


def _by_handle(view: View, tensors: Iterable[str]) -> View:
    """Return the graph with handles for references; as it is where one cannot be replaced."""
    meta_graph = protos.MetaGraphDef()
    meta_graph.graph_def.versions.CopyFrom(view.graph.versions)
    meta_graph.graph_def.node.extend(view.nodes.values())
    called = called_functions(view.graph, view.nodes.values())
    meta_graph.graph_def.library.function.extend(
        function for name, function in view.library.items() if name in called
    )
    for number, tensor in enumerate(tensors):
        meta_graph.signature_def["all"].outputs[str(number)].name = tensor
    try:
        return View(to_resources(meta_graph).graph_def)
    except UnsupportedError:
        return view


def _values(model: Model, view: View) -> dict[str, Tensor]:
    """Return what the nodes of `view` hold: weights, and files in the place of their paths."""
    found = {name: model.weights.tensor(name) for name in view.ops if name in model.weights}
    for asset in asset_files(model.meta_graph):
        name, path = source(asset.tensor_info.name), model.assets.get(asset.filename)
        if name in view.ops and path is not None and path.is_file():
            file = MappedFile(path)
            found[name] = FileTensor(file, 0, dtypes.named("uint8"), (file.size,), asset.filename)
    return found
