"""What a file of weights carries of a model besides their values, and a graph that lies beside it.

Formats that know only arrays by name hold a model so: each weight under its name, and in some
place for other things the parts that are made here.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from zoo import assets, graph_source, joining, protos, weighing
from zoo.attach import METADATA, check_shape
from zoo.dtypes import STRING
from zoo.errors import FormatError, ZooError, some
from zoo.formats import Format
from zoo.graph import dangling
from zoo.model import Model
from zoo.objects import LEFT_OUT
from zoo.stored_strings import texts
from zoo.tensors import LazyTensor
from zoo.variables import is_variable
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from zoo.formats import Option, Saved
    from zoo.tensors import Tensor

GRAPH, KEYS, OBJECTS = "meta_graph", "keys", "objects"
"""The parts: a ``MetaGraphDef``, the keys of checkpoints (JSON), TensorFlow 2's object graph."""

_GRAPHS = (".meta", ".pb", ".pbtxt")


def weights_format(
    name: str,
    summary: str,
    recognises: Callable[[Path], bool],
    read: Callable[[Path], Model],
    save: Callable[..., Saved],
    *,
    options: Sequence[Option] = (),
    leaves: Callable[[Path], list[str]] = lambda _: [],
) -> Format:
    """Return a format of files of weights, whose graph may lie beside them.

    That is a ``.meta``, ``.pb`` or ``.pbtxt`` of the same name; it is the model's if each of its
    variables finds a weight.  A folder with one such file is that file.

    Parameters
    ----------
    read
        Returns what is in a file itself, with or without a graph.
    leaves
        Returns a sentence for each thing in a file that is no part of the model.
    """

    def load(path: Path) -> Model:
        """Read the file, with the graph beside if there is one."""
        path = _file_at(path, recognises)
        return _completed(read(path), path)[0]

    def files(path: Path) -> list[Path]:
        """Return the file, and that of its graph."""
        path = _file_at(path, recognises)
        graph = _completed(read(path), path)[1]
        return [path] if graph is None else [path, graph]

    def left(path: Path) -> list[str]:
        """Return what is left in the file, and beside it."""
        path = _file_at(path, recognises)
        return [*leaves(path), *_left_beside(read(path), path)]

    def bare(path: Path) -> bool:
        """Tell whether the file has no graph in it."""
        return not read(path).graph.node

    return Format(
        name, summary, recognises, load, save, options, leaves=left, files=files, bare=bare
    )


def parts(model: Model) -> dict[str, bytes]:
    """Return what `model` has besides the values of its weights; nothing of what is empty."""
    stored = model.weights
    keys = json.dumps(stored.keys_stored, sort_keys=True) if stored.keys_stored else ""
    objects = texts(stored.metadata[METADATA])[:1] if METADATA in stored.metadata else []
    found = {
        GRAPH: model.meta_graph.SerializeToString(deterministic=True),
        KEYS: keys.encode(),
        OBJECTS: b"".join(objects),
    }
    return {name: data for name, data in found.items() if data}


def rebuilt(parts: Mapping[str, bytes], tensors: Mapping[str, Tensor], path: Path) -> Model:
    """Return the model of `parts` and of weights by name; without parts it has no graph.

    Raises
    ------
    FormatError
        The file at `path`, which has them, is damaged.
    """
    from google.protobuf.message import DecodeError

    try:
        data = parts.get(GRAPH, b"")
        weighing.refuse_swollen(data, "MetaGraphDef", path)
        meta_graph = protos.MetaGraphDef.FromString(data)
        keys = _texts(json.loads(parts.get(KEYS, b"{}")))
    except (DecodeError, ValueError, RecursionError) as error:
        raise FormatError(f"{path} has a damaged graph", found=str(error)) from error
    loose = dangling(meta_graph.graph_def)
    if loose:
        raise FormatError(f"{path} has a damaged graph", found=loose)
    for node in meta_graph.graph_def.node:
        if node.name in tensors and is_variable(node):
            check_shape(node, tensors[node.name], node.name)
    metadata = {}
    if OBJECTS in parts:
        metadata[METADATA] = LazyTensor(STRING, (), partial(_scalar, parts[OBJECTS]))
    return Model(meta_graph, Weights(tensors, keys, metadata))


def without_files(model: Model, form: str) -> tuple[Model, list[str]]:
    """Return `model` without the files it refers to, which `form` cannot hold, and what is said.

    Raises
    ------
    UnsupportedError
        The outputs need one.
    """
    if not assets.asset_files(model.meta_graph):
        return model, []
    notes = assets.left_out(model.meta_graph, model.outputs(), form, tables=False)
    bare = assets.without_assets(model.meta_graph)
    gone = {*model.meta_graph.collection_def} - {*bare.collection_def, assets.ASSETS}
    if gone:
        notes.append(f"left out collections that speak of these files: {some(sorted(gone))}")
    if bare.object_graph_def.nodes:  # which speaks of these files too
        bare.ClearField("object_graph_def")
        notes.append(LEFT_OUT)
    return replace(model, meta_graph=bare, weights=model.weights.plain(), assets={}), notes


def _file_at(path: Path, recognises: Callable[[Path], bool]) -> Path:
    """Return `path`, or the one file in the folder there that a format `recognises`."""
    if not path.is_dir():
        return path
    inside = [file for file in sorted(path.iterdir()) if file.is_file() and recognises(file)]
    if len(inside) != 1:
        raise FormatError(f"{path} is no folder of one model", found=some(f.name for f in inside))
    return inside[0]


def _completed(alone: Model, path: Path) -> tuple[Model, Path | None]:
    """Return `alone`, the weights at `path`, with the graph beside that they fit, and its file."""
    for graph in _beside(path) if not alone.graph.node else ():
        try:
            joined = joining.with_graph(graph, alone)
        except ZooError:
            continue
        if joined.attached and not (joined.attached.missing or joined.attached.differing):
            return joined, graph
    return alone, None


def _left_beside(alone: Model, path: Path) -> list[str]:
    """Return a sentence on the graphs beside the weights at `path` that these do not fit."""
    if alone.graph.node or _completed(alone, path)[1]:
        return []
    names = [graph.name for graph in _beside(path)]
    return [f"left out a graph beside that has other variables: {some(names)}"] if names else []


def _beside(path: Path) -> Iterator[Path]:
    """Yield the files beside `path` with its name that hold a graph with variables."""
    for suffix in _GRAPHS:
        graph = path.with_suffix(suffix)
        if graph != path and graph.is_file():
            try:
                meta_graph, _ = graph_source.read(graph)
            except FormatError:
                continue
            if any(is_variable(node) for node in meta_graph.graph_def.node):
                yield graph


def _texts(found: object) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found.values()):
        raise ValueError("the keys of checkpoints are no texts by name")
    return found


def _scalar(content: bytes) -> np.ndarray:
    import numpy as np

    return np.array(content, object)
