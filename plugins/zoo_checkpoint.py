"""Checkpoints: ``.meta`` (the graph), ``.index`` and ``.data-*`` (weights), ``checkpoint``.

Those of before 2016, with one file for index and weights, are read too.

A checkpoint is called by its prefix, ``out/model-1000``, or by the folder that holds its
``checkpoint`` file.

Source: ``tensorflow/python/training/saver.py`` and ``checkpoint_management.py``.
"""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING

from zoo import (
    bundle,
    bundle_v1,
    carried,
    checkpoint_file,
    drafts,
    graph_file,
    graph_source,
    plain,
    protos,
)
from zoo.attach import attach
from zoo.errors import FormatError, WriteError, counted
from zoo.formats import Format, Option, Saved, flag, hours, keys, size, whole
from zoo.hookspecs import hookimpl
from zoo.importable import parsable
from zoo.model import Model
from zoo.together import publish_all
from zoo.variables import is_variable
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

zoo_api = 1

_PART = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
_OLD_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_MAIN, _TABLES = "saved_model_main_op", "table_initializer"
_saving = partial(Option, save=True)
_OPTIONS = (
    _saving("global_step", "number of the training step, appended to the prefix", kind=whole),
    _saving("write_meta_graph", "whether the graph is written too (true by default)", kind=flag),
    _saving("weights", "which weights are saved: names, or new names for names", kind=keys),
    _saving("max_to_keep", "how many of the folder's checkpoints stay (0: all)", kind=whole),
    _saving("keep_checkpoint_every_n_hours", "besides, one for each so many hours", kind=hours),
    _saving("shard_size", "bytes of a data file at most, 500MB or 1GiB (one file)", kind=size),
)


@hookimpl
def zoo_formats() -> Iterable[Format]:
    """Offer the ``checkpoint`` format."""
    summary = "prefix.meta, .index and .data-*: a TensorFlow checkpoint"
    return [
        Format(
            "checkpoint",
            summary,
            recognises,
            load,
            save,
            _OPTIONS,
            target=target,
            files=files,
            look=look,
            variant=variant,
            judge=plain.checkpoint,
        )
    ]


def recognises(path: Path) -> bool:
    """Tell whether `path` is a checkpoint's prefix, one of its files, or a folder with one.

    A ``.meta`` alone is one too: a graph without variables needs no more.
    """
    try:
        return checkpoint_file.is_there(_prefix(path)) or _is_alone(path)
    except FormatError:
        return False


def _is_alone(path: Path) -> bool:
    """Tell whether `path` is a ``MetaGraphDef`` without a checkpoint beside it."""
    there = path.is_file() and not checkpoint_file.is_there(_prefix(path))
    return there and graph_source.is_meta_graph(path)


def load(path: Path) -> Model:
    """Read a checkpoint: its graph if it has one, and weights that stay in the file.

    Raises
    ------
    FormatError
        A file is missing or damaged.
    """
    if _is_alone(path):
        return _graph_alone(path)
    return _loaded(_prefix(path), whole=True)


def _graph_alone(path: Path) -> Model:
    meta_graph = graph_source.read_meta_graph(path)
    variables = [node.name for node in meta_graph.graph_def.node if is_variable(node)]
    if variables:
        raise FormatError(
            f"{path} is a graph without its weights",
            found=f"{counted(len(variables), 'variable')} without values, {variables[0]!r} first",
            hint="the checkpoint that it belongs to has them: --graph attaches a graph to one",
        )
    return Model(meta_graph, Weights({}))


def look(path: Path) -> Model:
    """Read a checkpoint as far as it is there: without a data file, its weights have no values."""
    if _is_alone(path):
        return _graph_alone(path)
    return _loaded(_prefix(path), whole=False)


def _loaded(prefix: Path, *, whole: bool) -> Model:
    meta_graph = _meta_graph(prefix)
    old = _is_old(prefix)
    tensors = bundle_v1.read(prefix) if old else bundle.read(prefix, whole=whole)
    return Model(meta_graph, attach(meta_graph, tensors))


def variant(path: Path) -> str:
    """Return ``checkpoint``, or what it is more precisely.

    ``checkpoint_v1`` for one in the format of before 2016, ``meta_graph`` for a graph alone.
    """
    if _is_alone(path):
        return "meta_graph"
    return "checkpoint_v1" if _is_old(_prefix(path)) else "checkpoint"


def _is_old(prefix: Path) -> bool:
    return not bundle.index_path(prefix).is_file() and bundle_v1.recognises(prefix)


def save(
    model: Model,
    path: Path,
    *,
    global_step: int | None = None,
    write_meta_graph: bool = True,
    weights: Mapping[str, str] | None = None,
    max_to_keep: int = 0,
    keep_checkpoint_every_n_hours: float | None = None,
    shard_size: int | None = None,
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
    weights
        The weights to save, by the keys under which they are stored; all by default.
    max_to_keep
        How many of the checkpoints that the folder's file ``checkpoint`` lists stay, the latest;
        0 keeps all, and lists the new one alone.
    keep_checkpoint_every_n_hours
        Besides, one checkpoint for each so many hours stays.
    shard_size
        Bytes that a data file has at most, but for one with a single larger tensor.

    Raises
    ------
    UnknownNameError
        One of `weights` is not the model's.
    """
    from zoo.restorable import changes, restorable, selected, stored_tensors

    prefix = _target(path, global_step)
    bare, notes = carried.without_files(model, "a checkpoint")
    meta_graph, stored = restorable(
        _with_initializer(bare.meta_graph), model.weights, resources=False
    )
    notes += [one for one in changes(model.meta_graph, meta_graph) if one not in notes]
    if weights is not None:
        meta_graph, stored = selected(meta_graph, stored, weights)
    keeping = checkpoint_file.Keeping(max_to_keep, keep_checkpoint_every_n_hours)
    with drafts.drafting(prefix.parent, prefix.name) as draft:
        tensors = stored_tensors(meta_graph, stored)
        parts = bundle.write(draft / prefix.name, tensors, shard_size)
        names = [path.name for path in (*parts, bundle.index_path(prefix))]
        if write_meta_graph and meta_graph.graph_def.node:
            names.insert(0, f"{prefix.name}.meta")
            (draft / names[0]).write_bytes(_serialized(meta_graph, stored))
        with drafts.alone(prefix.parent):
            state, gone = checkpoint_file.naming(prefix, keeping, time.time())
            (draft / checkpoint_file.NAME).write_text(state, encoding="utf-8")
            there = {path.name for one in (prefix, *gone) for path in _all_parts(one)}
            stale = sorted(there - set(names))
            publish_all(draft, prefix.parent, names, checkpoint_file.NAME, stale)
    return Saved(prefix, notes)


def target(path: Path, *, global_step: int | None = None, **_: object) -> Path:
    """Return the prefix that `save` would write.

    Raises
    ------
    WriteError
        A file has that name, and is no checkpoint: it would stay, and be taken for the model.
    """
    prefix = _target(path, global_step)
    if prefix.is_file() and not bundle_v1.recognises(prefix):
        raise WriteError(
            f"{prefix} is a file, where the prefix of a checkpoint should go",
            hint="choose another name, or remove it first",
        )
    return prefix


def _target(path: Path, global_step: int | None) -> Path:
    prefix = path / "model" if path.is_dir() else path
    return prefix if global_step is None else prefix.with_name(f"{prefix.name}-{global_step}")


def files(path: Path) -> list[Path]:
    """Return the files of the checkpoint at `path`, without the file ``checkpoint``."""
    if _is_alone(path):
        return [path]
    prefix = _prefix(path)
    old = bundle_v1.files(prefix) if _is_old(prefix) else []
    return sorted([*old, *checkpoint_file.parts(prefix)])


def _all_parts(prefix: Path) -> list[Path]:
    """Return the files that a checkpoint at `prefix` replaces, those of before 2016 too."""
    old = bundle_v1.files(prefix) if bundle_v1.recognises(prefix) else []
    return [*old, *checkpoint_file.parts(prefix)]


def _with_initializer(meta_graph: protos.MetaGraphDef) -> protos.MetaGraphDef:
    """Return a SavedModel's graph with what fills its tables where a checkpoint's user looks."""
    if _MAIN not in meta_graph.collection_def or _TABLES in meta_graph.collection_def:
        return meta_graph
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    edited.collection_def[_TABLES].CopyFrom(meta_graph.collection_def[_MAIN])
    return edited


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
        return checkpoint_file.latest(path)
    if checkpoint_file.is_state(path):
        return checkpoint_file.latest(path.parent, path.name)
    name = _PART.sub("", path.name)
    prefix = path.with_name(name) if name else path
    shardless = _OLD_SHARD.sub("", prefix.name)
    if shardless not in ("", prefix.name) and _is_old(path.with_name(shardless)):
        return path.with_name(shardless)
    return prefix


def _meta_graph(prefix: Path) -> protos.MetaGraphDef:
    """Return the graph beside the checkpoint, an empty one if there is none."""
    path = prefix.with_name(f"{prefix.name}.meta")
    return graph_source.read_meta_graph(path) if path.is_file() else protos.MetaGraphDef()
