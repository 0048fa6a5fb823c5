"""The files that a graph refers to: vocabularies and the like, kept beside a SavedModel's graph.

Source: ``AssetFileDef`` in ``tensorflow/core/protobuf/meta_graph.proto``.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from zoo import protos
from zoo.errors import FormatError, UnsupportedError, some
from zoo.graph import by_name, downstream, source, subgraph, upstream
from zoo.inline import inline

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ASSETS = "saved_model_assets"
_TABLES = ("HashTable", "MutableHashTable", "MutableDenseHashTable")


def asset_files(meta_graph: protos.MetaGraphDef) -> list[protos.AssetFileDef]:
    """Return the files that `meta_graph` refers to, from its field or from the older collection.

    Raises
    ------
    FormatError
        The collection is damaged.
    """
    from google.protobuf.message import DecodeError

    if meta_graph.asset_file_def:
        return list(meta_graph.asset_file_def)
    if ASSETS not in meta_graph.collection_def:
        return []
    stored = meta_graph.collection_def[ASSETS].any_list.value
    try:
        return [protos.AssetFileDef.FromString(item.value) for item in stored]
    except DecodeError as error:
        raise FormatError("the list of assets is damaged", found=str(error)) from error


def left_out(
    meta_graph: protos.MetaGraphDef, outputs: Iterable[str], form: str, *, tables: bool
) -> list[str]:
    """Return a sentence on the files that `form` leaves out, none if there are none.

    Parameters
    ----------
    outputs
        The tensors that must still be right.
    tables
        Whether `form` also cannot hold tables, which are filled when the model is loaded.

    Raises
    ------
    UnsupportedError
        The outputs need what `form` cannot hold: a file, or a table that is filled from one.
    """
    files = asset_files(meta_graph)
    flat = inline(meta_graph.graph_def)
    nodes = by_name(flat)
    needed = upstream(nodes, outputs)
    looked_up = [name for name in sorted(needed) if nodes[name].op.startswith(_TABLES)]
    from_files = downstream(flat, [source(file.tensor_info.name) for file in files])
    filled = {source(edge) for name in from_files if name in nodes for edge in nodes[name].input}
    if from_files & needed or filled & set(looked_up) or (tables and looked_up):
        names = sorted({file.filename for file in files})
        raise UnsupportedError(
            f"{form} cannot hold what the outputs need",
            found=f"files {some(names)}" if names else f"tables {some(looked_up)}",
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
        if key == ASSETS or any(source(name) in gone for name in named):
            del edited.collection_def[key]
    return edited


def paths(meta_graph: protos.MetaGraphDef, folder: Path) -> dict[str, Path]:
    """Return where the files that `meta_graph` refers to lie in `folder`, by name.

    Raises
    ------
    FormatError
        A name, or a link of that name, leads out of the model.
    """
    found = {}
    homes = _homes(folder.parent)
    for asset in asset_files(meta_graph):
        path = folder / asset.filename
        end = path if _leads_out(asset.filename) else _end(path)
        if end is path or not any(end.is_relative_to(home) for home in homes):
            told = f"asset {asset.filename!r}" + (f", a link to {end}" if end is not path else "")
            raise FormatError(f"{folder.parent} refers to a file outside of it", found=told)
        found[asset.filename] = path
    return found


def links_out(folder: Path) -> dict[str, Path]:
    """Return where links in the ``assets`` of the SavedModel at `folder` lead that leave it."""
    homes = _homes(folder)
    ends = {path: _end(path) for path in sorted((folder / "assets").rglob("*"))}
    return {
        path.relative_to(folder).as_posix(): end
        for path, end in ends.items()
        if not any(end.is_relative_to(home) for home in homes)
    }


def _end(path: Path) -> Path:
    """Return where `path` leads; links in a circle lead nowhere."""
    return Path(os.path.realpath(path))


def _homes(folder: Path) -> set[Path]:
    """Return where the files of the SavedModel at `folder` may lie.

    Caches keep files elsewhere, all in one place, and make links to them: where the graph is.
    """
    graphs = (folder / name for name in ("saved_model.pb", "saved_model.pbtxt"))
    return {folder.resolve(), *(path.resolve().parent for path in graphs if path.exists())}


def _leads_out(name: str) -> bool:
    """Tell whether a file of this `name` would lie elsewhere, on this system or on Windows."""
    here, there = PurePosixPath(name), PureWindowsPath(name)
    absolute = here.is_absolute() or bool(there.drive or there.root)
    return absolute or ".." in here.parts or ".." in there.parts or "\0" in name


def copy(files: Mapping[str, Path], folder: Path) -> None:
    """Copy `files` into `folder`, each under its name; it is made if there are any.

    Raises
    ------
    FormatError
        One is missing.
    """
    for name, path in files.items():
        if not path.is_file():
            raise FormatError("a file that the graph refers to is missing", found=str(path))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
