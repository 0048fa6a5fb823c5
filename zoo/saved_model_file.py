"""The graph file of a SavedModel: ``saved_model.pb``, or the same as text.

Source: ``tensorflow/core/protobuf/saved_model.proto``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import graph_file, protos, weighing, wire
from zoo.errors import FormatError, UnknownNameError, UsageError, some

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

BINARY, TEXT = "saved_model.pb", "saved_model.pbtxt"
SERVE = "serve"
_MAIN, _MAIN_SIGNATURE = "saved_model_main_op", "__saved_model_init_op"


def folder_of(path: Path) -> Path:
    """Return the folder of the SavedModel that `path` names, by itself or by its graph file."""
    return path.parent if path.name in (BINARY, TEXT) else path


def read(folder: Path) -> protos.SavedModel:
    """Return the graph file of the SavedModel in `folder`.

    Raises
    ------
    FormatError
        It is missing or damaged, or holds no MetaGraph.
    """
    path = folder / BINARY if (folder / BINARY).is_file() else folder / TEXT
    try:
        parsed = _parsed_text(path) if path.name == TEXT else parse(path)
    except OSError as error:
        raise FormatError(f"{path} cannot be read", found=error.strerror or "") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is damaged, or no SavedModel", found=str(error)) from error
    if not parsed.meta_graphs:
        raise FormatError(f"{path} is no SavedModel", found="no MetaGraph in it")
    return parsed


def parse(path: Path) -> protos.SavedModel:
    """Return the message in the binary file at `path`, whatever it is called.

    Raises
    ------
    FormatError
        It is no such message.
    OSError
        It cannot be read.
    """
    from google.protobuf.message import DecodeError

    graph_file.refuse_endless(path)
    try:
        data = path.read_bytes()
        weighing.refuse_swollen(data, "SavedModel", path)
        return protos.SavedModel.FromString(data)
    except (wire.Damaged, DecodeError) as error:
        raise FormatError(f"{path} is damaged, or no SavedModel", found=str(error)) from error


def chosen(
    folder: Path, meta_graphs: Sequence[protos.MetaGraphDef], tags: Iterable[str] | None
) -> protos.MetaGraphDef:
    """Return the one of `meta_graphs` that has `tags`, or the one to take when none are given.

    Raises
    ------
    UnknownNameError
        None has these tags.
    UsageError
        There are several and none is for serving.
    """
    by_tags = {frozenset(meta.meta_info_def.tags): meta for meta in meta_graphs}
    there = " | ".join(map(tagged, by_tags.values()))
    if tags is not None:
        wanted = frozenset(tags)
        if wanted not in by_tags:
            raise UnknownNameError(
                f"{folder} has no MetaGraph with the tags {','.join(sorted(wanted))!r}", found=there
            )
        return by_tags[wanted]
    for usual in (frozenset({SERVE}), frozenset()):
        if usual in by_tags:
            return by_tags[usual]
    serving = [tags for tags in by_tags if SERVE in tags]
    if len(by_tags) == 1 or len(serving) == 1:
        return by_tags[(serving or [*by_tags])[0]]
    raise UsageError(f"{folder} has several MetaGraphs", found=there, hint="choose one with --tags")


def in_layout_1(meta_graph: protos.MetaGraphDef) -> protos.MetaGraphDef:
    """Return `meta_graph` with the operation that runs at loading listed as TensorFlow 1 does.

    TensorFlow 2 states it as a signature, too.  Without an object graph ``tf.saved_model.load``
    takes that for one to be called, and refuses it where it needs the path of an asset.
    """
    if _MAIN_SIGNATURE not in meta_graph.signature_def:
        return meta_graph
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    stated = edited.signature_def.pop(_MAIN_SIGNATURE)
    if _MAIN not in edited.collection_def:
        names = [info.name for info in stated.outputs.values()]
        edited.collection_def[_MAIN].node_list.value.extend(names)
    return edited


def tagged(meta_graph: protos.MetaGraphDef) -> str:
    """Return the tags of `meta_graph` as one line."""
    return ",".join(sorted(meta_graph.meta_info_def.tags)) or "(no tags)"


def remarks(meta_graph: protos.MetaGraphDef) -> list[str]:
    """Return a sentence for each thing that loaders need for `meta_graph`, or refuse of it."""
    notes = []
    if any(node.slot_variables for node in meta_graph.object_graph_def.nodes):
        notes.append(
            "kept the optimizer of Keras 2, so that tf.saved_model.load needs the package tf_keras;"
            " the option object_graph=false leaves it out"
        )
    return notes + ([] if meta_graph.object_graph_def.nodes else _named_twice(meta_graph))


def _named_twice(meta_graph: protos.MetaGraphDef) -> list[str]:
    """Return a sentence on each input of a signature that has two names."""
    notes = []
    for key, stated in sorted(meta_graph.signature_def.items()):
        named: dict[str, list[str]] = {}
        for name, info in sorted(stated.inputs.items()):
            named.setdefault(info.name or name, []).append(name)
        notes += [
            f"the signature {key} calls one tensor {some(names)}, which tf.saved_model.load"
            " refuses; TensorFlow 1's loader takes it"
            for names in named.values()
            if len(names) > 1
        ]
    return notes


def _parsed_text(path: Path) -> protos.SavedModel:
    from google.protobuf import text_format

    graph_file.refuse_endless(path)
    text = path.read_text(encoding="utf-8")
    weighing.refuse_swollen_text(text, path)
    try:
        return text_format.Parse(text, protos.SavedModel(), allow_unknown_field=True)
    except (text_format.ParseError, RecursionError) as error:
        raise FormatError(f"{path} is damaged, or no SavedModel", found=str(error)) from error
