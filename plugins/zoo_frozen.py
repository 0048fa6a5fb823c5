"""Frozen graphs: one ``.pb`` file, a ``GraphDef`` whose weights are ``Const`` nodes.

Source: ``tensorflow/core/framework/graph.proto``.  The file has no magic number, no version and no
signature; a reader infers all three from the nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import assets, atomic, graph_file, protos
from zoo.errors import FormatError, counted, some
from zoo.formats import Format, Saved
from zoo.graph import dangling
from zoo.hookspecs import hookimpl
from zoo.model import Model
from zoo.variables import is_variable
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

zoo_api = 1

_TEXT_STARTS = (b"node {", b"node{", b"versions {", b"library {")


@hookimpl
def zoo_formats() -> Iterable[Format]:
    """Offer the ``frozen`` format."""
    return [Format("frozen", "one .pb file, weights as constants", recognises, load, save)]


def recognises(path: Path) -> bool:
    """Tell whether the file at `path` begins as a graph does, in binary or as text."""
    try:
        start = _read_start(path)
    except FormatError:
        return False
    return graph_file.recognises(start) or _is_text(start)


def load(path: Path) -> Model:
    """Read a frozen graph: a small graph, and weights that stay in the file.

    Raises
    ------
    FormatError
        The file is damaged, or a graph whose variables have no values.
    """
    from zoo.constants import weight_constants
    from zoo.thaw import lift

    text = _is_text(_read_start(path))
    graph, tensors = (graph_file.read_text(path), {}) if text else graph_file.read(path)
    loose = dangling(graph)
    if loose:
        raise FormatError(f"{path} is damaged, or only part of a graph", found=loose)
    _refuse_variables(path, graph)
    small = [name for name in weight_constants(graph) if name not in tensors]
    tensors.update(lift(graph, small))
    return Model(protos.MetaGraphDef(graph_def=graph), Weights(tensors))


def save(model: Model, path: Path) -> Saved:
    """Write `model` as one file, its variables frozen and what its outputs do not need left out.

    Raises
    ------
    UnsupportedError
        The model has no graph, or needs what a frozen graph cannot hold.
    """
    model.require_graph()
    frozen = model if _is_frozen(model) else model.freeze()
    notes = _left_out(model, frozen)
    with atomic.replacing(path) as draft:
        graph_file.write(draft, frozen.graph, frozen.weights)
    return Saved(path, notes)


def _is_text(start: bytes) -> bool:
    return start.lstrip().startswith(_TEXT_STARTS)


def _read_start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(1024)
    except OSError as error:
        raise FormatError(f"{path} cannot be read", found=error.strerror or str(error)) from error


def _refuse_variables(path: Path, graph: protos.GraphDef) -> None:
    unfrozen = [node.name for node in graph.node if is_variable(node)]
    if unfrozen:
        raise FormatError(
            f"{path} is a graph, but not a frozen one",
            found=f"{counted(len(unfrozen), 'variable')} without values, {unfrozen[0]!r} first",
            hint="load the checkpoint or SavedModel that it belongs to",
        )


def _is_frozen(model: Model) -> bool:
    return not any(is_variable(node) for node in model.graph.node)


def _left_out(model: Model, frozen: Model) -> list[str]:
    """Return a sentence for each thing that `model` has and a frozen graph cannot say."""
    kept = [node.name for node in frozen.graph.node]
    notes = assets.left_out(model.meta_graph, kept, "a frozen graph", tables=True)
    gone = len(model.graph.node) - len(frozen.graph.node)
    if gone > 0:
        notes.append(f"left out nodes that the outputs do not need: {gone}")
    if model.signatures:
        names = sorted(
            {s.tensor for one in model.signatures.values() for s in one.outputs.values()}
        )
        notes.append(f"a frozen graph has no signatures; the outputs are {some(names)}")
    collections = sorted(model.meta_graph.collection_def)
    if collections:
        notes.append(f"a frozen graph has no collections: {some(collections)} went")
    return notes
