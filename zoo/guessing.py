"""What a model gives where no signature says so: the outputs that ``zoo inspect`` ranks first.

A guess is a choice, so each of these comes with the sentence that says it aloud.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import protos, ranking, signatures
from zoo.errors import UnsupportedError, ZooError, counted, some
from zoo.graph import source
from zoo.inline import expanded
from zoo.signatures import DEFAULT, Signature
from zoo.specs import INPUTS
from zoo.view import View

if TYPE_CHECKING:
    from zoo.ranking import End

_LOOSE, _LAST = 2, 4
"""The classes of ends that no operation uses, but that nobody calls for: losses, constants."""


def outputs(meta_graph: protos.MetaGraphDef) -> list[str]:
    """Return the tensors that some signature puts out, or that look most like outputs.

    Raises
    ------
    UnsupportedError
        The graph has none.
    """
    stated = signatures.signatures(meta_graph) or {"": signature(meta_graph)}
    specs = [spec for one in stated.values() for spec in one.outputs.values()]
    found = {tensor for spec in specs for tensor in spec.tensor.split(",")}
    if not found:
        raise UnsupportedError(
            "the model has no outputs",
            found=counted(len(meta_graph.graph_def.node), "node"),
            hint="name the tensors that you want",
        )
    return sorted(found)


def signature(meta_graph: protos.MetaGraphDef) -> Signature:
    """Return what the graph shows as a signature: what looks most like outputs, and its inputs."""
    return signatures.inferred(meta_graph, outputs=[end.spec for end in _ends(meta_graph)[0]])


def completed(meta_graph: protos.MetaGraphDef) -> protos.MetaGraphDef:
    """Return `meta_graph` with a signature, from what the graph shows where it states none."""
    if any(not key.startswith("__") for key in meta_graph.signature_def):
        return meta_graph
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    stated = signatures.signatures(meta_graph)
    for key, one in (stated or {DEFAULT: signature(meta_graph)}).items():
        if one.outputs:
            edited.signature_def[key].CopyFrom(signatures.to_proto(one))
    return edited


def said(meta_graph: protos.MetaGraphDef) -> list[str]:
    """Return a sentence on the outputs that are guessed, and why; none where they are stated."""
    if signatures.signatures(meta_graph):
        return []
    taken, aside = _ends(meta_graph)
    if not taken:
        return []
    told = some([f"{end.spec.tensor} ({end.why})" for end in taken])
    loose = [end.spec.tensor for end in aside if end.rank >= _LOOSE]
    rest = f", not {some(loose, 3)}" if loose else ""
    return [f"no signature says what the outputs are: took {told}{rest}; -o names others"]


def _ends(meta_graph: protos.MetaGraphDef) -> tuple[list[End], list[End]]:
    """Return the outputs that are taken, and those behind them.

    Where nothing looks like an output, all that no operation uses is one.
    """
    there = {node.name for node in meta_graph.graph_def.node if node.op not in INPUTS}
    found = [
        end
        for end in ranking.ranked(meta_graph, view(meta_graph.graph_def))[1]
        if end.rank <= _LAST and all(source(tensor) in there for tensor in end.tensors)
    ]
    taken = ranking.best(found) if found and found[0].rank < _LOOSE else found
    return taken, found[len(taken) :]


def view(graph: protos.GraphDef) -> View:
    """Return the graph with its calls expanded, as ``zoo inspect`` looks at it."""
    if not graph.library.function:
        return View(graph)
    try:
        return View(graph, expanded(graph))
    except ZooError:
        return View(graph)
