"""Checkpoints: ``.meta`` (the graph), ``.index`` and ``.data-*`` (weights), ``checkpoint``.

A checkpoint is called by its prefix, ``out/model-1000``, or by the folder that holds its
``checkpoint`` file.

Source: ``tensorflow/python/training/saver.py`` and ``checkpoint_management.py``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import assets, atomic, bundle, graph_file, protos
from zoo.attach import attach
from zoo.errors import FormatError, some
from zoo.formats import Format, Option, Saved
from zoo.graph import dangling
from zoo.hookspecs import hookimpl
from zoo.importable import parsable
from zoo.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zoo.weights import Weights

zoo_api = 1

_STATE = "checkpoint"
_PART = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
_OPTIONS = (
    Option("global_step", "number of the training step, appended to the prefix", save=True),
    Option("write_meta_graph", "whether the graph is written too (it is by default)", save=True),
)


@hookimpl
def zoo_formats() -> Iterable[Format]:
    """Offer the ``checkpoint`` format."""
    summary = "prefix.meta, .index and .data-*: a TensorFlow checkpoint"
    return [Format("checkpoint", summary, recognises, load, save, _OPTIONS)]


def recognises(path: Path) -> bool:
    """Tell whether `path` is a checkpoint's prefix, one of its files, or a folder with one."""
    try:
        return bundle.recognises(_prefix(path))
    except FormatError:
        return False


def load(path: Path) -> Model:
    """Read a checkpoint: its graph if it has one, and weights that stay in the file.

    Raises
    ------
    FormatError
        A file is missing or damaged.
    """
    prefix = _prefix(path)
    meta_graph = _meta_graph(prefix)
    return Model(meta_graph, attach(meta_graph, bundle.read(prefix)))


def save(
    model: Model, path: Path, *, global_step: int | None = None, write_meta_graph: bool = True
) -> Saved:
    """Write `model` as a checkpoint that ``import_meta_graph`` and ``restore`` take.

    Parameters
    ----------
    path
        The prefix; a folder that exists takes ``model`` in it as the prefix.
    global_step
        Appended to the prefix, ``model-1000``.
    write_meta_graph
        Whether the graph is written beside the weights.
    """
    from zoo.restorable import changes, restorable, stored_tensors

    prefix = path / "model" if path.is_dir() else path
    if global_step is not None:
        prefix = prefix.with_name(f"{prefix.name}-{global_step}")
    bare, notes = _without_assets(model)
    meta_graph, weights = restorable(bare, model.weights, resources=False)
    notes += changes(model.meta_graph, meta_graph)
    names = [bundle.data_path(prefix).name, bundle.index_path(prefix).name]
    with atomic.drafting(prefix.parent, prefix.name) as room:
        bundle.write(room / prefix.name, stored_tensors(meta_graph, weights))
        if write_meta_graph and meta_graph.graph_def.node:
            names.insert(0, f"{prefix.name}.meta")
            (room / names[0]).write_bytes(_serialized(meta_graph, weights))
        (room / _STATE).write_text(_naming(prefix), encoding="utf-8")
        atomic.publish_all(room, prefix.parent, names, pointer=_STATE)
    return Saved(prefix, notes)


def _without_assets(model: Model) -> tuple[protos.MetaGraphDef, list[str]]:
    """Return the graph without the files it refers to, which a checkpoint cannot hold."""
    if not assets.asset_files(model.meta_graph):
        return model.meta_graph, []
    notes = assets.left_out(model.meta_graph, model.outputs(), "a checkpoint", tables=False)
    return assets.without_assets(model.meta_graph), notes


def _serialized(meta_graph: protos.MetaGraphDef, weights: Weights) -> bytes:
    """Return the graph as a ``.meta`` file holds it, with its constants in it."""
    whole = protos.MetaGraphDef()
    whole.CopyFrom(meta_graph)
    whole.meta_info_def.tensorflow_version = parsable(whole.meta_info_def.tensorflow_version)
    whole.graph_def.CopyFrom(graph_file.filled(meta_graph.graph_def, weights))
    serialized: bytes = whole.SerializeToString(deterministic=True)
    return serialized


def _prefix(path: Path) -> Path:
    """Return the prefix that `path` means: a prefix, one of its files, or a folder."""
    if path.is_dir():
        return _latest(path)
    return path.with_name(_PART.sub("", path.name))


def _latest(folder: Path) -> Path:
    """Return the prefix that the ``checkpoint`` file of `folder` names, or the only one there is.

    A folder that was moved still has the checkpoint under its name, whatever path the file gives.
    """
    state = folder / _STATE
    if state.is_file():
        named = Path(_state(state).model_checkpoint_path)
        for prefix in (folder / named.name, folder / named):
            if bundle.index_path(prefix).is_file():
                return prefix
        raise FormatError(
            f"{state} names a checkpoint that is not there",
            found=str(named),
            hint="give the prefix of the checkpoint that you want",
        )
    prefixes = sorted(path.with_suffix("") for path in folder.glob("*.index"))
    if len(prefixes) != 1:
        raise FormatError(
            f"{folder} holds {'several checkpoints' if prefixes else 'no checkpoint'}",
            found=some(prefix.name for prefix in prefixes) or f"no file {_STATE}, no .index",
            hint=f"give the prefix, as in {prefixes[0]}" if prefixes else "",
        )
    return prefixes[0]


def _state(path: Path) -> protos.CheckpointState:
    from google.protobuf import text_format

    try:
        state: protos.CheckpointState = text_format.Parse(
            path.read_text(encoding="utf-8"), protos.CheckpointState()
        )
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise FormatError(f"{path} cannot be read", found=str(error)) from error
    return state


def _naming(prefix: Path) -> str:
    """Return the text of a ``checkpoint`` file that names `prefix` as the latest."""
    from google.protobuf import text_format

    state = protos.CheckpointState(model_checkpoint_path=prefix.name)
    state.all_model_checkpoint_paths.append(prefix.name)
    text: str = text_format.MessageToString(state)
    return text


def _meta_graph(prefix: Path) -> protos.MetaGraphDef:
    """Return the graph beside the checkpoint, an empty one if there is none."""
    from google.protobuf.message import DecodeError

    path = prefix.with_name(f"{prefix.name}.meta")
    if not path.is_file():
        return protos.MetaGraphDef()
    try:
        meta_graph: protos.MetaGraphDef = protos.MetaGraphDef.FromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise FormatError(f"{path} is damaged, or no graph", found=str(error)) from error
    loose = dangling(meta_graph.graph_def)
    if loose or not meta_graph.graph_def.node:
        raise FormatError(f"{path} is damaged, or no graph", found=loose or "no nodes")
    return meta_graph
