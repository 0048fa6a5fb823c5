"""A graph in a file of its own: a ``GraphDef`` or a ``MetaGraphDef``, binary or as text.

It comes without the values of its variables, which a checkpoint holds.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from zoo import graph_file, protos, weighing, wire
from zoo.errors import FormatError
from zoo.graph import dangling
from zoo.mapped import MappedFile

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.tensors import Tensor

_GRAPH_STARTS = (b"node {", b"node{", b"versions {", b"library {")
_META_STARTS = (b"meta_info_def {", b"graph_def {", b"saver_def {", b"collection_def {")
_START, _LOOK = 1024, 10_000
"""Bytes, and fields, by which a graph is told from other files."""
_GRAPH_OF_META, _LAST_FIELD_OF_META = 2, 8


def is_graph(path: Path) -> bool:
    """Tell whether the file at `path` begins as a ``GraphDef`` does, in binary or as text."""
    try:
        start = _start(path)
    except FormatError:
        return False
    return graph_file.recognises(start) or start.lstrip().startswith(_GRAPH_STARTS)


def is_text(path: Path) -> bool:
    """Tell whether the file at `path` begins as a graph of either kind does in text form."""
    try:
        return _start(path).lstrip().startswith(_GRAPH_STARTS + _META_STARTS)
    except FormatError:
        return False


def is_meta_graph(path: Path) -> bool:
    """Tell whether the file at `path` begins as a ``MetaGraphDef`` does; never raises."""
    try:
        start = _start(path)
    except FormatError:
        return False
    if start.lstrip().startswith(_META_STARTS):
        return True
    return _holds_graph(path) and not is_graph(path)


def _holds_graph(path: Path) -> bool:
    """Tell whether one of the fields of the message at `path` is a graph."""
    try:
        data: Any = MappedFile(path).view()
        for field in itertools.islice(wire.fields(data, 0, len(data)), _LOOK):
            if field.number > _LAST_FIELD_OF_META:
                return False
            if field.number == _GRAPH_OF_META and field.kind == wire.BYTES:
                start = data[field.start : min(field.start + _START, field.end)]
                return graph_file.recognises(start)
    except (wire.Damaged, FormatError):
        return False
    return False


def read_graph(path: Path) -> tuple[protos.GraphDef, dict[str, Tensor]]:
    """Return the ``GraphDef`` at `path`, and the values of its large constants, still in the file.

    Raises
    ------
    FormatError
        The file is damaged, or no graph.
    """
    if _start(path).lstrip().startswith(_GRAPH_STARTS):
        graph = _parsed_text(path, protos.GraphDef())
        tensors: dict[str, Tensor] = {}
    else:
        graph, tensors = graph_file.read(path)
    loose = dangling(graph)
    if loose:
        raise FormatError(f"{path} is damaged, or only part of a graph", found=loose)
    return graph, tensors


def read(path: Path) -> tuple[protos.MetaGraphDef, dict[str, Tensor]]:
    """Return the graph at `path`, of either kind, and the values of its large constants.

    Raises
    ------
    FormatError
        The file is damaged, or no graph.
    """
    if is_graph(path):
        graph, tensors = read_graph(path)
        return protos.MetaGraphDef(graph_def=graph), tensors
    return read_meta_graph(path), {}


def read_meta_graph(path: Path) -> protos.MetaGraphDef:
    """Return the ``MetaGraphDef`` at `path`.

    Raises
    ------
    FormatError
        The file is damaged, or holds none.
    """
    from google.protobuf.message import DecodeError

    if _start(path).lstrip().startswith(_META_STARTS):
        meta_graph = _parsed_text(path, protos.MetaGraphDef())
    else:
        try:
            graph_file.refuse_endless(path)
            data = path.read_bytes()
            weighing.refuse_swollen(data, "MetaGraphDef", path)
            meta_graph = protos.MetaGraphDef.FromString(data)
        except (OSError, wire.Damaged, DecodeError) as error:
            raise FormatError(f"{path} is damaged, or no graph", found=str(error)) from error
    loose = dangling(meta_graph.graph_def)
    if loose or not meta_graph.graph_def.node:
        raise FormatError(f"{path} is damaged, or no graph", found=loose or "no nodes")
    return meta_graph


def _parsed_text(path: Path, message: Any) -> Any:
    from google.protobuf import text_format

    try:
        graph_file.refuse_endless(path)
        text = path.read_text(encoding="utf-8")
        weighing.refuse_swollen_text(text, path)
        return text_format.Parse(text, message)
    except (OSError, text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"{path} is no graph in text form", found=str(error)) from error


def _start(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        raise FormatError(f"{path} is no file", found="a folder, a pipe or a device")
    try:
        with path.open("rb") as file:
            return file.read(_START)
    except OSError as error:
        raise FormatError(f"{path} cannot be read", found=error.strerror or str(error)) from error
