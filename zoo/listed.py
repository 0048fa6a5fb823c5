"""The collections in which a graph of TensorFlow 1 lists its variables, each by a `VariableDef`.

Besides ``variables`` and ``trainable_variables`` there are those of models, metrics, averages and
the step.

Source: ``tensorflow/core/protobuf/variable.proto``, ``tensorflow/python/ops/ref_variable.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import protos
from zoo.graph import source

if TYPE_CHECKING:
    from collections.abc import Callable

ALL, TRAINABLE = "variables", "trainable_variables"
_STEP = "global_step"


def definitions(
    meta_graph: protos.MetaGraphDef, collection: str = ALL
) -> dict[str, protos.VariableDef]:
    """Return the entries of a collection of variables by the variable's node."""
    if collection not in meta_graph.collection_def:
        return {}
    stored = meta_graph.collection_def[collection].bytes_list.value
    return {source(entry.variable_name): entry for entry in map(_definition, stored) if entry}


def _definition(serialized: bytes) -> protos.VariableDef | None:
    """Return what a collection holds as a variable's entry, None if it is something else."""
    from google.protobuf.message import DecodeError

    try:
        entry = protos.VariableDef.FromString(serialized)
    except DecodeError:
        return None
    return entry if entry.variable_name else None


def listing(meta_graph: protos.MetaGraphDef) -> list[str]:
    """Return the names of the collections that list variables."""
    return sorted(
        name
        for name, collection in meta_graph.collection_def.items()
        if collection.HasField("bytes_list") and (name.endswith("variables") or name == _STEP)
    )


def all_definitions(meta_graph: protos.MetaGraphDef) -> dict[str, protos.VariableDef]:
    """Return the entries of every collection that holds variables, by the variable's node."""
    found: dict[str, protos.VariableDef] = {}
    for name in sorted(listing(meta_graph), key=lambda name: name != ALL):
        for node, definition in definitions(meta_graph, name).items():
            found.setdefault(node, definition)
    return found


def edit_lists(
    meta_graph: protos.MetaGraphDef,
    edit: Callable[[str, protos.VariableDef], protos.VariableDef | None],
) -> None:
    """Let each collection of variables list what `edit` makes of a name and entry; None goes."""
    for key in listing(meta_graph):
        edited = [edit(name, entry) for name, entry in definitions(meta_graph, key).items()]
        kept = [entry.SerializeToString() for entry in edited if entry is not None]
        if kept or key in (ALL, TRAINABLE):
            meta_graph.collection_def[key].bytes_list.value[:] = kept
        elif edited:
            del meta_graph.collection_def[key]
