"""Frozen graphs: one ``.pb`` file, a ``GraphDef`` whose weights are ``Const`` nodes.

Source: ``tensorflow/core/framework/graph.proto``.  The file has no magic number, no version and no
signature; a reader infers all three from the nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import assets, atomic, graph_file, graph_source, guessing, plain, protos
from zoo.errors import FormatError, UnsupportedError, counted, some
from zoo.formats import Format, Option, Saved, flag
from zoo.hookspecs import hookimpl
from zoo.listed import definitions
from zoo.model import Model
from zoo.variables import declaring, is_variable
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

zoo_api = 1

_OPTIONS = (
    Option(
        "drop_collections",
        "whether collections of numbers and texts may be left out (false)",
        save=True,
        kind=flag,
    ),
)
_OF_NODES = {"cond_context", "queue_runners", "savers", "while_context"}
"""Collections of bytes that speak of nodes, and mean nothing without these."""
_OF_EXPORTS = {"saved_model_assets", "serving_assets", "serving_graph", "serving_signatures"}
"""Collections that state signatures and files, which are said by themselves."""


@hookimpl
def zoo_formats() -> Iterable[Format]:
    """Offer the ``frozen`` format."""
    summary = "one .pb file, weights as constants"
    return [
        Format(
            "frozen",
            summary,
            recognises,
            load,
            save,
            _OPTIONS,
            judge=plain.frozen,
            signatures=False,
        )
    ]


def recognises(path: Path) -> bool:
    """Tell whether the file at `path` begins as a graph does, in binary or as text."""
    return graph_source.is_graph(path)


def load(path: Path) -> Model:
    """Read a frozen graph: a small graph, and weights that stay in the file.

    A constant that the graph still changes is the variable again that it was.

    Raises
    ------
    FormatError
        The file is damaged, or a graph whose variables have no values.
    """
    from zoo.constants import weight_constants
    from zoo.references import changed_constants, give_back
    from zoo.thaw import lift
    from zoo.view import View

    graph, tensors = graph_source.read_graph(path)
    _refuse_variables(path, graph)
    view = View(graph)
    changed = changed_constants(view)
    small = [name for name in weight_constants(view) if name not in tensors]
    tensors.update(give_back(graph, tensors, changed))
    tensors.update(lift(graph, [name for name in small if name not in tensors]))
    return Model(protos.MetaGraphDef(graph_def=graph), Weights(tensors))


def save(model: Model, path: Path, *, drop_collections: bool = False) -> Saved:
    """Write `model` as one file, its variables frozen and what its outputs do not need left out.

    Parameters
    ----------
    drop_collections
        Whether collections of numbers and texts (hyperparameters) are left out; else they are a
        reason to refuse.  Collections of variables and nodes are left out in any case.

    Raises
    ------
    UnsupportedError
        The model has no graph, or needs or has what a frozen graph cannot hold.
    """
    model.require_graph()
    if not drop_collections:
        _refuse_values(model.meta_graph)
    frozen = model if _is_frozen(model) else model.freeze()
    graph_file.refuse_too_large(frozen.graph, frozen.weights)
    notes = _left_out(model, frozen)
    with atomic.replacing(path) as draft:
        graph_file.write(draft, frozen.graph, frozen.weights)
    return Saved(path, notes)


def _refuse_variables(path: Path, graph: protos.GraphDef) -> None:
    unfrozen = [node.name for node in graph.node if is_variable(node)]
    if unfrozen:
        raise FormatError(
            f"{path} is a graph, but not a frozen one",
            found=f"{counted(len(unfrozen), 'variable')} without values, {unfrozen[0]!r} first",
            hint="load the checkpoint or SavedModel that it belongs to",
        )


def _refuse_values(meta_graph: protos.MetaGraphDef) -> None:
    """Refuse what somebody noted down beside the graph, and would miss."""
    noted = [key for key in sorted(meta_graph.collection_def) if _notes_values(meta_graph, key)]
    if noted:
        raise UnsupportedError(
            "a frozen graph cannot hold collections of numbers and texts",
            found=some(noted),
            hint="a checkpoint or a SavedModel can; --option drop_collections=true leaves them out",
        )


def _notes_values(meta_graph: protos.MetaGraphDef, key: str) -> bool:
    collection = meta_graph.collection_def[key]
    if key in _OF_EXPORTS:
        return False
    kind = collection.WhichOneof("kind")
    if kind == "bytes_list":
        named = key in _OF_NODES or definitions(meta_graph, key)
        return bool(collection.bytes_list.value) and not named
    return kind not in ("node_list", None)


def _is_frozen(model: Model) -> bool:
    return not any(is_variable(node) for node in model.graph.node)


def _left_out(model: Model, frozen: Model) -> list[str]:
    """Return a sentence for each thing that `model` has and a frozen graph cannot say."""
    kept = [node.name for node in frozen.graph.node]
    notes = assets.left_out(model.meta_graph, kept, "a frozen graph", tables=True)
    if frozen is not model:
        notes += guessing.said(model.meta_graph)
    gone = {node.name for node in model.graph.node} - {*kept} - declaring(model.meta_graph)
    if gone:
        notes.append(f"training-nodes: left out nodes that the outputs do not need: {len(gone)}")
    if model.signatures:
        names = sorted(
            {s.tensor for one in model.signatures.values() for s in one.outputs.values()}
        )
        notes.append(f"a frozen graph has no signatures; the outputs are {some(names)}")
    notes += _beside_the_graph(model, frozen)
    return notes


def _beside_the_graph(model: Model, frozen: Model) -> list[str]:
    """Return a sentence for each thing that `model` knows besides its graph, and that goes."""
    notes = []
    stored = [name for name in model.weights if name not in frozen.weights]
    if stored:
        notes.append(f"left out weights that the outputs do not need: {len(stored)}")
    if model.meta_graph.object_graph_def.nodes:
        notes.append("a frozen graph has no object graph, which also says which weights train")
    tags = sorted(model.meta_graph.meta_info_def.tags)
    if tags:
        notes.append(f"a frozen graph has no tags: {some(tags)} went")
    collections = sorted(model.meta_graph.collection_def)
    if collections:
        notes.append(f"a frozen graph has no collections: {some(collections)} went")
    return notes
