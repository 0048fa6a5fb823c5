"""SavedModels: a folder with ``saved_model.pb``, ``variables/`` and ``assets/``.

What zoo writes is the layout of TensorFlow 1 with the resource variables of TensorFlow 2, which
every loader takes.  A SavedModel of TensorFlow 2 that was not changed is written back as it was.

Source: ``tensorflow/core/protobuf/saved_model.proto``,
``tensorflow/python/saved_model/loader_impl.py``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from zoo import (
    assets,
    atomic,
    bundle,
    bundle_v1,
    graph_file,
    guessing,
    plain,
    protos,
    saved_model_file,
    serving,
)
from zoo.attach import attach
from zoo.errors import FormatError, UnsupportedError, WriteError, some
from zoo.fillers import filled_at_loading
from zoo.formats import Format, Option, Saved, flag, size, words
from zoo.graph import dangling
from zoo.hookspecs import hookimpl
from zoo.importable import parsable
from zoo.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from zoo.tensors import Tensor
    from zoo.weights import Weights

zoo_api = 1

_VARIABLES, _ASSETS = "variables", "assets"
_READ = {saved_model_file.BINARY, saved_model_file.TEXT, _VARIABLES, _ASSETS, "fingerprint.pb"}
_HUB, _SCHEMA = "tfhub_module.pb", 1
_FIRST_BYTES = (b"\x08", b"\x12")
"""The tag of the schema version, or of the first MetaGraph where that is left out."""

_OPTIONS = (
    Option("tags", "which MetaGraph: tags with commas between", load=True, save=True, kind=words),
    Option("object_graph", "whether TensorFlow 2's objects stay (true)", save=True, kind=flag),
    Option("shard_size", "bytes of a data file at most, as in 500MB", save=True, kind=size),
    Option("version", "number, or next, of the served model's", save=True, kind=serving.version),
)


@hookimpl
def zoo_formats() -> Iterable[Format]:
    """Offer the ``saved_model`` format."""
    return [
        Format(
            "saved_model",
            "a folder with saved_model.pb, variables and assets",
            recognises,
            load,
            save,
            _OPTIONS,
            choices=choices,
            target=target,
            leaves=leaves,
            files=files,
            look=look,
            variant=variant,
            judge=plain.saved_model,
        )
    ]


def recognises(path: Path) -> bool:
    """Tell whether `path` is a SavedModel's folder, or the graph file in one."""
    folder = saved_model_file.folder_of(path)
    try:
        if (folder / saved_model_file.TEXT).is_file():
            return True
        binary = folder / saved_model_file.BINARY
        if not binary.is_file():
            return False  # opening a pipe would wait for whoever writes to it
        with binary.open("rb") as file:
            return file.read(1) in _FIRST_BYTES
    except OSError:
        return False


def load(path: Path, *, tags: Iterable[str] | None = None) -> Model:
    """Read a SavedModel: one of its MetaGraphs, and weights and assets that stay in their files.

    Parameters
    ----------
    tags
        The tags of the MetaGraph; not needed where there is only one, or one for serving.

    Raises
    ------
    FormatError
        A file is missing or damaged.
    UnknownNameError
        No MetaGraph has these tags.
    UsageError
        There are several MetaGraphs and none is for serving.
    """
    return _loaded(saved_model_file.folder_of(path), tags, whole=True)


def look(path: Path, *, tags: Iterable[str] | None = None) -> Model:
    """Read a SavedModel as far as it is there: without a data file, its weights have no values."""
    return _loaded(saved_model_file.folder_of(path), tags, whole=False)


def variant(path: Path) -> str:
    """Return ``saved_model``, or ``hub_module`` for a module of TensorFlow Hub's first kind."""
    return "hub_module" if (saved_model_file.folder_of(path) / _HUB).is_file() else "saved_model"


def _loaded(folder: Path, tags: Iterable[str] | None, *, whole: bool) -> Model:
    meta_graph = saved_model_file.chosen(folder, saved_model_file.read(folder).meta_graphs, tags)
    loose = dangling(meta_graph.graph_def)
    if loose:
        raise FormatError(f"{folder} is damaged", found=loose)
    weights = attach(meta_graph, _tensors(folder, whole=whole))
    return Model(meta_graph, weights, assets.paths(meta_graph, folder / _ASSETS))


def choices(path: Path) -> dict[str, list[list[str]]]:
    """Return the tags of each MetaGraph of the SavedModel at `path`."""
    meta_graphs = saved_model_file.read(saved_model_file.folder_of(path)).meta_graphs
    return {"tags": [sorted(meta_graph.meta_info_def.tags) for meta_graph in meta_graphs]}


def save(
    model: Model,
    path: Path,
    *,
    tags: Iterable[str] | None = None,
    object_graph: bool = True,
    shard_size: int | None = None,
    version: serving.Version | None = None,
) -> Saved:
    """Write `model` as a SavedModel with one MetaGraph, its weights resource variables.

    Parameters
    ----------
    path
        The folder, made new; one that is there is replaced as a whole.
    tags
        Tags of the MetaGraph; by default those that the model has, else ``serve``.
    object_graph
        Whether a SavedModel of TensorFlow 2 that was not changed is written back as it was.  With
        False it becomes one of TensorFlow 1, which does without the classes it was made with.
    shard_size
        Bytes that a data file has at most, but for one with a single larger tensor.
    version
        Makes `path` the folder of a served model, in which this is the version of that number, or
        ``next``; none is ever replaced.

    Raises
    ------
    UnsupportedError
        The model has no graph.
    WriteError
        The folder has something else in it, or the version is there.
    """
    from zoo.restorable import changes, restorable

    model.require_graph()
    _refuse_strange(path, served=version is not None)
    meta_graph, weights = model.meta_graph, model.weights
    if not (object_graph and _is_whole(model)):
        stated = filled_at_loading(guessing.completed(saved_model_file.in_layout_1(meta_graph)))
        meta_graph, weights = restorable(stated, weights, resources=True)
    written = replace(model, meta_graph=meta_graph, weights=weights)
    write = partial(_write, written, tags or _own_tags(model), shard_size)
    if version is not None:
        path = serving.publish(path, version, write)
    else:
        with atomic.replacing(path) as draft:
            draft.mkdir()
            write(draft)
    notes = [*guessing.said(model.meta_graph), *changes(model.meta_graph, meta_graph)]
    return Saved(path, [*notes, *saved_model_file.remarks(meta_graph)])


def target(path: Path, *, version: serving.Version | None = None, **_: object) -> Path:
    """Return the folder that `save` would make.

    Raises
    ------
    WriteError
        It would be that of a version that is there.
    """
    return path if version is None else serving.place(path, version)


def _refuse_strange(path: Path, *, served: bool) -> None:
    """Refuse to write to a folder that holds neither a SavedModel nor, where `served`, versions."""
    if served and recognises(path):
        raise WriteError(
            f"{path} is a SavedModel, and no folder of versions", hint="name the folder above"
        )
    if not served and path.is_dir() and any(path.iterdir()) and not recognises(path):
        raise WriteError(
            f"{path} is a folder with something else in it",
            found=some(sorted(inside.name for inside in path.iterdir())),
            hint="name a folder that is not there yet",
        )


def _write(model: Model, tags: Iterable[str], shard_size: int | None, folder: Path) -> None:
    """Write the files of `model`, whose weights are variables, into `folder`, which is empty."""
    from zoo.restorable import stored_tensors

    serialized = _serialized(model.meta_graph, model.weights, tags)
    (folder / saved_model_file.BINARY).write_bytes(serialized)
    tensors = stored_tensors(model.meta_graph, model.weights)
    if tensors:
        (folder / _VARIABLES).mkdir()
        bundle.write(folder / _VARIABLES / _VARIABLES, tensors, shard_size)
    assets.copy(model.assets, folder / _ASSETS)


def leaves(path: Path, *, tags: Iterable[str] | None = None) -> list[str]:
    """Return a sentence on the other MetaGraphs of the SavedModel at `path`, and on other files."""
    folder = saved_model_file.folder_of(path)
    meta_graphs = saved_model_file.read(folder).meta_graphs
    chosen = saved_model_file.chosen(folder, meta_graphs, tags)
    others = [
        saved_model_file.tagged(meta_graph)
        for meta_graph in meta_graphs
        if meta_graph is not chosen
    ]
    strange = sorted(inside.name for inside in folder.iterdir() if inside.name not in _READ)
    notes = []
    if others:
        notes.append(f"left out the MetaGraphs with other tags: {some(others)}")
    if not chosen.meta_info_def.tags:
        notes.append(f"has no tags; as a SavedModel it is tagged {saved_model_file.SERVE} now")
    if strange:
        notes.append(f"left out files that are no part of the model: {some(strange)}")
    return notes


def files(path: Path) -> list[Path]:
    """Return the files of the SavedModel at `path`."""
    return [file for file in saved_model_file.folder_of(path).rglob("*") if file.is_file()]


def _own_tags(model: Model) -> Sequence[str]:
    return list(model.meta_graph.meta_info_def.tags) or [saved_model_file.SERVE]


def _tensors(folder: Path, *, whole: bool) -> dict[str, Tensor]:
    """Return what lies in ``variables/``; nothing if there is no such folder.

    Raises
    ------
    UnsupportedError
        It holds something else.
    """
    prefix = folder / _VARIABLES / _VARIABLES
    if bundle.index_path(prefix).is_file():
        return bundle.read(prefix, whole=whole)
    if bundle_v1.recognises(prefix):
        return bundle_v1.read(prefix)
    inside = sorted(path.name for path in prefix.parent.glob("*"))
    if inside:
        raise UnsupportedError(
            f"{prefix} is no checkpoint that zoo reads", found=f"{some(inside)}, and no .index"
        )
    return {}


def _is_whole(model: Model) -> bool:
    """Tell whether `model` is a SavedModel of TensorFlow 2 as it was read."""
    return bool(model.meta_graph.object_graph_def.nodes and model.weights.metadata)


def _serialized(meta_graph: protos.MetaGraphDef, weights: Weights, tags: Iterable[str]) -> bytes:
    whole = protos.SavedModel(saved_model_schema_version=_SCHEMA)
    written = whole.meta_graphs.add()
    written.CopyFrom(meta_graph)
    info = written.meta_info_def
    info.tensorflow_version = parsable(info.tensorflow_version)
    info.tags[:] = sorted(tags)
    written.graph_def.CopyFrom(graph_file.filled(meta_graph.graph_def, weights))
    serialized: bytes = whole.SerializeToString(deterministic=True)
    return serialized
