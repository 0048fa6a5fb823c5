"""The files that a graph refers to: vocabularies and the like, kept beside a SavedModel's graph.

Source: ``AssetFileDef`` in ``tensorflow/core/protobuf/meta_graph.proto``.
"""

from __future__ import annotations

from zoo import protos
from zoo.errors import UnsupportedError, some
from zoo.graph import downstream, source, subgraph

_COLLECTION = "saved_model_assets"
_TABLES = ("HashTable", "MutableHashTable", "MutableDenseHashTable")


def asset_files(meta_graph: protos.MetaGraphDef) -> list[protos.AssetFileDef]:
    """Return the files that `meta_graph` refers to, from its field or from the older collection."""
    if meta_graph.asset_file_def:
        return list(meta_graph.asset_file_def)
    if _COLLECTION not in meta_graph.collection_def:
        return []
    stored = meta_graph.collection_def[_COLLECTION].any_list.value
    return [protos.AssetFileDef.FromString(item.value) for item in stored]


def left_out(
    meta_graph: protos.MetaGraphDef, kept: protos.GraphDef, form: str, *, tables: bool
) -> list[str]:
    """Return a sentence on the files that `form`, which holds none, leaves out; none if there are none.

    Parameters
    ----------
    kept
        The nodes that the outputs need.
    tables
        Whether `form` also cannot hold tables, which are filled when the model is loaded.

    Raises
    ------
    UnsupportedError
        The outputs need what `form` cannot hold.
    """
    nodes = {node.name for node in kept.node}
    files = asset_files(meta_graph)
    needed = sorted({f.filename for f in files if source(f.tensor_info.name) in nodes})
    found = [node.name for node in kept.node if tables and node.op.startswith(_TABLES)]
    if needed or found:
        raise UnsupportedError(
            f"{form} cannot hold what the outputs need",
            found=f"files {some(needed)}" if needed else f"tables {some(found)}",
            hint="a SavedModel can; or choose outputs that do without",
        )
    names = sorted({file.filename for file in files})
    return [f"left out files that the outputs do not need: {some(names)}"] if names else []


def without_assets(meta_graph: protos.MetaGraphDef) -> protos.MetaGraphDef:
    """Return `meta_graph` without the nodes that need a file, and without what names these."""
    files = asset_files(meta_graph)
    if not files:
        return meta_graph
    graph = meta_graph.graph_def
    gone = downstream(graph, [source(file.tensor_info.name) for file in files])
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    edited.ClearField("asset_file_def")
    edited.graph_def.CopyFrom(subgraph(graph, {node.name for node in graph.node} - gone))
    for key in list(edited.signature_def):
        outputs = edited.signature_def[key].outputs.values()
        if any(source(info.name) in gone for info in outputs):
            del edited.signature_def[key]
    for key in list(edited.collection_def):
        named = edited.collection_def[key].node_list.value
        if key == _COLLECTION or any(source(name) in gone for name in named):
            del edited.collection_def[key]
    return edited
