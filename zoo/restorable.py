"""A model whose weights are variables that TensorFlow itself can restore.

What checkpoints and SavedModels have in common: every weight is a variable that is listed, has an
initializer, and is restored by the graph's saver.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from zoo import objects, protos
from zoo.errors import UnknownNameError, UsageError, did_you_mean, some
from zoo.graph import by_name, source
from zoo.inline import inline, is_call
from zoo.listed import all_definitions, definitions
from zoo.resources import to_resources
from zoo.saver import Saved, add_saver, refuse_tables, restored, without_saver
from zoo.signatures import sides
from zoo.specs import scalar_means_unknown
from zoo.thaw import thaw
from zoo.variables import declare, detached, dtype_of, is_resource, is_variable, trainable
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.tensors import Tensor


def restorable(
    meta_graph: protos.MetaGraphDef, weights: Weights, *, resources: bool
) -> tuple[protos.MetaGraphDef, Weights]:
    """Return the model with variables for its weights, and a saver that restores each by its name.

    Parameters
    ----------
    resources
        Whether reference variables become resources, as TensorFlow 2 wants them.

    A model that is so already comes back as it is.

    Raises
    ------
    UnsupportedError
        The model has tables whose contents are in the checkpoint, and another saver.
    """
    if _is_restorable(meta_graph, weights, resources):
        return meta_graph, weights
    refuse_tables(meta_graph)
    edited, weights = thawed(meta_graph, weights)
    trained = trainable(edited, weights, weights)
    edited = saverless(edited)
    if resources:
        edited = to_resources(edited)
        _open_shapes(edited)
    held = [n.name for n in edited.graph_def.node if is_variable(n) and n.name in weights]
    if held:
        declare(edited, {name: weights.tensor(name).shape for name in held}, trained)
        add_saver(edited, _saved(edited, held, {}))
    return edited, weights.plain()


def flattened(meta_graph: protos.MetaGraphDef, weights: Weights) -> protos.MetaGraphDef:
    """Return the graph with calls inlined, and without an object graph; itself if it has neither.

    Its saver goes with them, which is made of calls too.

    Raises
    ------
    UnsupportedError
        That saver fills tables, which a new one cannot.
    """
    library = {f.signature.name: f for f in meta_graph.graph_def.library.function}
    calls = any(is_call(node, library) for node in meta_graph.graph_def.node)
    if not calls and not meta_graph.object_graph_def.nodes:
        return meta_graph
    refuse_tables(meta_graph)
    edited = saverless(detached(meta_graph, weights))
    edited.graph_def.CopyFrom(inline(edited.graph_def))
    return edited


def saverless(meta_graph: protos.MetaGraphDef) -> protos.MetaGraphDef:
    """Return a copy of `meta_graph` without its saver, but with all that else is named in it."""
    return without_saver(
        meta_graph, _named_by_variables(meta_graph) | _named_by_signatures(meta_graph)
    )


def thawed(
    meta_graph: protos.MetaGraphDef, weights: Weights
) -> tuple[protos.MetaGraphDef, Weights]:
    """Return the model with calls inlined and variables for its weight constants."""
    edited = flattened(meta_graph, weights)
    before = trainable(edited, weights, weights)
    edited, weights, trained = thaw(edited, weights)
    if trained or edited is not meta_graph:
        names = [n.name for n in edited.graph_def.node if is_variable(n) and n.name in weights]
        declare(edited, {n: weights.tensor(n).shape for n in names}, before | trained)
    return edited, weights


def selected(
    meta_graph: protos.MetaGraphDef, weights: Weights, keys: Mapping[str, str]
) -> tuple[protos.MetaGraphDef, Weights]:
    """Return a `restorable` model whose saver knows only some of its weights, under other keys.

    Parameters
    ----------
    keys
        From the key under which a weight is stored to the weight's name, ``"w"`` or ``"w:0"``.

    Raises
    ------
    UnknownNameError
        A weight is not there.
    UsageError
        One is asked for under two keys.
    """
    named = {key: source(name) for key, name in keys.items()}
    _check_selected(named, weights)
    key_of = {name: key for key, name in named.items()}
    edited = saverless(meta_graph)
    held = [n.name for n in edited.graph_def.node if is_variable(n) and n.name in key_of]
    if held:
        add_saver(edited, _saved(edited, held, key_of))
    return edited, Weights({name: weights.tensor(name) for name in key_of}, key_of)


def _check_selected(named: Mapping[str, str], weights: Weights) -> None:
    for name in named.values():
        if name not in weights:
            raise UnknownNameError(
                f"the model has no weight {name!r}",
                found=some(sorted(weights)) or "no weights",
                hint=did_you_mean(name, weights, "`zoo inspect` lists them"),
            )
    twice = [name for name, count in Counter(named.values()).items() if count > 1]
    if twice:
        raise UsageError(f"the weight {twice[0]!r} is asked for under two names")


def stored_tensors(meta_graph: protos.MetaGraphDef, weights: Weights) -> dict[str, Tensor]:
    """Return what a bundle holds for the model, by key: weights that are no constants."""
    constants = {node.name for node in meta_graph.graph_def.node if node.op == "Const"}
    stored = {weights.key(n): weights.tensor(n) for n in weights if n not in constants}
    return {**stored, **weights.metadata}


def changes(before: protos.MetaGraphDef, after: protos.MetaGraphDef) -> list[str]:
    """Return a sentence for each change that `restorable` made of `before`."""
    was, now = by_name(before.graph_def), by_name(after.graph_def)
    pairs = [(was[name].op, now[name].op) for name in now if name in was]
    thawed_count = pairs.count(("Const", "VarHandleOp"))
    references = pairs.count(("VariableV2", "VarHandleOp")) + pairs.count(
        ("Variable", "VarHandleOp")
    )
    notes = []
    if thawed_count:
        notes.append(f"made variables of constants that are weights: {thawed_count}")
    if references:
        notes.append(f"made resource variables of reference variables: {references}")
    if len(after.graph_def.library.function) < len(before.graph_def.library.function):
        notes.append("inlined the functions that the graph calls")
    if before.object_graph_def.nodes and not after.object_graph_def.nodes:
        notes.append(objects.LEFT_OUT)
    return notes


def _open_shapes(meta_graph: protos.MetaGraphDef) -> None:
    """Say "any shape" where old versions said so by leaving a shape out or writing a scalar.

    TensorFlow 2 reads both as scalars.
    """
    for node in meta_graph.graph_def.node:
        if scalar_means_unknown(meta_graph.graph_def, node):
            node.attr["shape"].shape.unknown_rank = True
    for stated in meta_graph.signature_def.values():
        for info in [*stated.inputs.values(), *stated.outputs.values()]:
            if not info.HasField("tensor_shape"):
                info.tensor_shape.unknown_rank = True


def _has_closed_shapes(meta_graph: protos.MetaGraphDef) -> bool:
    graph = meta_graph.graph_def
    return any(scalar_means_unknown(graph, node) for node in graph.node) or any(
        not info.HasField("tensor_shape")
        for stated in meta_graph.signature_def.values()
        for info in [*stated.inputs.values(), *stated.outputs.values()]
    )


def _is_restorable(meta_graph: protos.MetaGraphDef, weights: Weights, resources: bool) -> bool:
    """Tell whether every weight is a listed variable that the graph's own saver restores."""
    nodes = by_name(meta_graph.graph_def)
    held = {name for name in weights if name in nodes}
    if not held or not all(is_variable(nodes[name]) for name in held):
        return False
    references = any(is_variable(n) and not is_resource(n) for n in nodes.values())
    if resources and (references or _has_closed_shapes(meta_graph)):
        return False
    if not held <= set(definitions(meta_graph)):
        return False
    if meta_graph.saver_def.version != protos.SaverDef.V2:
        return False
    stored = restored(meta_graph)
    return all(
        name in stored and stored[name].key == weights.key(name) and not stored[name].extents
        for name in held
    )


def _saved(
    meta_graph: protos.MetaGraphDef, names: list[str], keys: Mapping[str, str]
) -> list[Saved]:
    nodes, listed = by_name(meta_graph.graph_def), definitions(meta_graph)
    return [
        Saved(
            name,
            key=keys.get(name, name),
            read=source(listed[name].snapshot_name) if is_resource(nodes[name]) else name,
            dtype=dtype_of(nodes[name]),
            resource=is_resource(nodes[name]),
        )
        for name in names
    ]


def _named_by_variables(meta_graph: protos.MetaGraphDef) -> set[str]:
    return {
        source(name)
        for entry in all_definitions(meta_graph).values()
        for name in (entry.initializer_name, entry.initial_value_name, entry.snapshot_name)
    }


def _named_by_signatures(meta_graph: protos.MetaGraphDef) -> set[str]:
    both = [sides(stated) for stated in meta_graph.signature_def.values()]
    return {source(tensor) for inputs, outputs in both for tensor in inputs + outputs}
