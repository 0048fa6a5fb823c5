"""Keep of a model only what some of its tensors need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import objects, protos, signatures
from zoo.assets import ASSETS, asset_files
from zoo.ends import found_inputs
from zoo.errors import some
from zoo.fillers import with_fillers
from zoo.graph import by_name, require, source, subgraph, tensor_name, upstream
from zoo.inline import inline
from zoo.saver import refuse_tables
from zoo.signatures import DEFAULT
from zoo.variables import (
    declare,
    declaring,
    is_variable,
    readable,
    relist,
    trainable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zoo.weights import Weights

_SPEAK_OF_NODES = {"cond_context", "while_context", "queue_runners", "savers", "saved_model_assets"}


def prune(
    meta_graph: protos.MetaGraphDef, weights: Weights, outputs: Iterable[str]
) -> tuple[protos.MetaGraphDef, Weights]:
    """Return the model with what the tensors `outputs` need and nothing else.

    What fills the tables that they look up in is needed, too.  Signatures that are still whole
    stay; if none puts out just `outputs`, they are the new default.  The saver goes (a writer makes
    a new one), and of the collections what spoke of nodes that are gone.

    Raises
    ------
    UnknownNameError
        The graph has no such tensor.
    UnsupportedError
        The outputs need a table whose contents are stored with the weights.
    """
    wanted = list(outputs)
    require(by_name(meta_graph.graph_def), wanted)
    wanted = readable(meta_graph, wanted)
    refuse_tables(meta_graph, upstream(by_name(meta_graph.graph_def), wanted))
    pruned = protos.MetaGraphDef()
    pruned.CopyFrom(meta_graph)
    roots = [*wanted, *signatures.fed_only(meta_graph, meta_graph.graph_def, wanted)]
    pruned.graph_def.CopyFrom(inline(_needed(meta_graph.graph_def, roots)))
    pruned.graph_def.CopyFrom(_needed(pruned.graph_def, roots))
    with_fillers(pruned, meta_graph.graph_def)
    pruned.ClearField("object_graph_def")
    pruned.ClearField("saver_def")
    kept = {node.name for node in pruned.graph_def.node}
    _prune_collections(pruned, kept)
    _declare(pruned, meta_graph, weights)
    _prune_assets(pruned, meta_graph, kept)
    _prune_signatures(pruned, meta_graph, wanted)
    return pruned, weights.only({node.name for node in pruned.graph_def.node}).plain()


def left_out(before: protos.MetaGraphDef, after: protos.MetaGraphDef) -> list[str]:
    """Return a sentence for each thing of `before` that pruning to `after` left out."""
    notes = []
    gone = _names(before) - _names(after) - declaring(before)
    if gone:
        notes.append(f"training-nodes: left out nodes that the outputs do not need: {len(gone)}")
    if before.object_graph_def.nodes and not after.object_graph_def.nodes:
        notes.append(objects.LEFT_OUT)
    kinds: dict[str, tuple[Iterable[str], Iterable[str]]] = {
        "signatures": (signatures.signatures(before), signatures.signatures(after)),
        "collections": ({*before.collection_def} - {ASSETS}, after.collection_def),
        "files": (_files(before), _files(after)),
    }
    for kind, (was, now) in kinds.items():
        lost = sorted({*was} - {*now})
        if lost:
            notes.append(f"left out {kind} of what the outputs do not need: {some(lost)}")
    return notes


def _names(meta_graph: protos.MetaGraphDef) -> set[str]:
    return {node.name for node in meta_graph.graph_def.node}


def _files(meta_graph: protos.MetaGraphDef) -> set[str]:
    return {file.filename for file in asset_files(meta_graph)}


def _needed(graph: protos.GraphDef, outputs: list[str]) -> protos.GraphDef:
    return subgraph(graph, upstream(by_name(graph), outputs))


def _prune_collections(pruned: protos.MetaGraphDef, kept: set[str]) -> None:
    for key in list(pruned.collection_def):
        collection = pruned.collection_def[key]
        if key in _SPEAK_OF_NODES:
            del pruned.collection_def[key]
        elif collection.HasField("node_list"):
            names = [name for name in collection.node_list.value if source(name) in kept]
            collection.node_list.value[:] = names
            if not names:
                del pruned.collection_def[key]


def _declare(
    pruned: protos.MetaGraphDef, meta_graph: protos.MetaGraphDef, weights: Weights
) -> None:
    """Give the variables that stayed an initializer and a read again, where theirs went."""
    names = [node.name for node in pruned.graph_def.node if is_variable(node)]
    shapes = {name: weights.tensor(name).shape for name in names if name in weights}
    if shapes:
        declare(pruned, shapes, trainable(meta_graph, shapes, weights))
    relist(pruned)


def _prune_assets(
    pruned: protos.MetaGraphDef, meta_graph: protos.MetaGraphDef, kept: set[str]
) -> None:
    assets = [a for a in asset_files(meta_graph) if source(a.tensor_info.name) in kept]
    del pruned.asset_file_def[:]
    pruned.asset_file_def.extend(assets)


def _prune_signatures(
    pruned: protos.MetaGraphDef, meta_graph: protos.MetaGraphDef, outputs: list[str]
) -> None:
    kept = {node.name for node in pruned.graph_def.node}
    for key in list(pruned.signature_def):
        stated = pruned.signature_def[key]
        inputs, given = signatures.sides(stated)
        if any(source(tensor) not in kept for tensor in inputs + given):
            del pruned.signature_def[key]
    wanted = {tensor_name(name) for name in outputs}
    for stated in signatures.signatures(pruned).values():
        if {spec.tensor for spec in stated.outputs.values()} == wanted:
            return
    inputs = [spec.tensor for spec in found_inputs(pruned)]
    new = signatures.state(pruned, inputs, outputs, known=signatures.signatures(meta_graph))
    pruned.signature_def[DEFAULT].CopyFrom(signatures.to_proto(new))
