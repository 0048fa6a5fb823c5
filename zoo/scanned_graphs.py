"""Files that hold graphs, looked through: SavedModels, frozen graphs, MetaGraphs, as text too.

A file is read as each of the messages that it may be; what loads it may take it for any of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from zoo import graph_file, graph_source, keras_findings, protos, weighing, wire
from zoo.assets import links_out
from zoo.errors import FormatError
from zoo.findings import Finding
from zoo.mapped import MappedFile
from zoo.scanning import look
from zoo.sightings import Sightings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_TEXTS = (".pbtxt", ".pb.txt", ".prototxt", ".pbtext")
_NODES = re.compile(rb"\bop\s*:\s*[\"']|\bnode\s*:?\s*[{<]|\bnode_def\s*:?\s*[{<]")
_FIRST_BYTES = b"\x08\x0a\x12\x1a\x22"
"""What the messages of graphs begin with: the tags of their first fields."""
_GRAPH_NODE = 1
_SEVERAL = "it is several messages at once: what loads it may take it for any of them"
_METADATA = 5
"""The field of a ``SavedObject`` in ``keras_metadata.pb`` that holds its settings as JSON."""


def of_graph(path: Path) -> Sightings | None:
    """Return what is in the binary file at `path`; None if it is no message with a graph.

    Raises
    ------
    FormatError
        It is a graph, and damaged.
    """
    if graph_source.is_graph(path) and not graph_source.is_text(path):
        return _of_frozen(path)
    with path.open("rb") as file:
        if file.read(1) not in [bytes([byte]) for byte in _FIRST_BYTES]:
            return None
    graph_file.refuse_endless(path)
    return _of_bytes(path.read_bytes(), path)


def of_saved_model(path: Path) -> Sightings:
    """Return what is in the graph file of a SavedModel at `path`, binary or text.

    Raises
    ------
    FormatError
        It is damaged.
    """
    found = of_text(path) if path.suffix == ".pbtxt" else of_graph(path)
    if found is None:
        raise FormatError("it is damaged, or no SavedModel")
    for name, end in links_out(path.parent).items():
        why = f"is a link to a file outside of the model: {end}"
        found.add([Finding("asset", name, why, "io", "", ("assets",))])
    return found


def is_text(path: Path) -> bool:
    """Tell whether the file at `path` is, by its name or its beginning, a graph as text."""
    return path.name.endswith(_TEXTS) or graph_source.is_text(path)


def of_text(path: Path) -> Sightings | None:
    """Return what is in the text at `path`; None if it is of no graph.

    Raises
    ------
    FormatError
        It has nodes, and is damaged.
    """
    from google.protobuf import text_format

    graph_file.refuse_endless(path)
    data = path.read_bytes()
    weighing.refuse_swollen_text(data.decode("utf-8", "replace"), path)
    why = ""
    for kind in (protos.SavedModel, protos.MetaGraphDef, protos.GraphDef):
        try:
            found = text_format.Parse(data, kind())
        except (text_format.ParseError, UnicodeDecodeError, RecursionError, ValueError) as error:
            why = why or str(error)
            continue
        meta_graphs = _meta_graphs(found)
        if meta_graphs:
            seen, other = _of_meta_graphs(meta_graphs), _of_bytes(data, path)
            if other is not None:
                seen.join(other)
                seen.unread.append(_SEVERAL)
            return seen
    if _NODES.search(data):
        raise FormatError("it has nodes, and is no graph that can be read", found=why[:200])
    return None


def of_keras_metadata(path: Path) -> Sightings:
    """Return what the settings of Keras beside a SavedModel say: layers that are Python code.

    Raises
    ------
    FormatError
        They are damaged.
    """
    data = path.read_bytes()
    seen = Sightings()
    try:
        for node in wire.fields(data, 0, len(data)):
            if node.kind != wire.BYTES:
                continue
            for one in wire.fields(data, node.start, node.end):
                if one.number == _METADATA and one.kind == wire.BYTES:
                    seen.add(keras_findings.code_of(data[one.start : one.end]))
    except (wire.Damaged, ValueError) as error:
        raise FormatError("its settings of Keras are damaged", found=str(error)) from error
    return seen


def _of_frozen(path: Path) -> Sightings:
    """Return what is in the file at `path`, which begins as a frozen graph.

    Raises
    ------
    FormatError
        It is damaged, and no other message.
    """
    other = _beside_nodes(path)
    try:
        graph, _ = graph_file.read(path)
    except FormatError:
        if other is None:
            raise
        seen = Sightings()
    else:
        seen = _of_meta_graphs([protos.MetaGraphDef(graph_def=graph)])
    if other is not None:
        seen.join(other)
        seen.unread.append(_SEVERAL)
    return seen


def _beside_nodes(path: Path) -> Sightings | None:
    """Return what another reader would find in the file at `path`, a frozen graph; None if nothing.

    Its nodes are nothing to the other messages, whose graphs are in the field of its library: only
    what is not a node is parsed, however large the graph is.
    """
    data: Any = MappedFile(path).view()
    try:
        whole = weighing.fields(data, path)
        rest = b"".join(data[one.head : one.end] for one in whole if one.number != _GRAPH_NODE)
    except wire.Damaged:
        return None
    return _of_bytes(rest, path, (protos.SavedModel, protos.MetaGraphDef))


def _of_bytes(data: bytes, path: Path, kinds: Sequence[Any] = ()) -> Sightings | None:
    """Return what is in the message `data`, taken for each of `kinds`; None for none of them."""
    from google.protobuf.message import DecodeError

    seen, readings = Sightings(), 0
    for kind in kinds or (protos.SavedModel, protos.MetaGraphDef, protos.GraphDef):
        try:
            weighing.refuse_swollen(data, kind.DESCRIPTOR.name, path, path.stat().st_size)
            meta_graphs = _meta_graphs(kind.FromString(data))
        except (DecodeError, wire.Damaged):
            continue
        if meta_graphs:
            seen.join(_of_meta_graphs(meta_graphs))
            readings += 1
    if readings > 1 and not kinds:
        seen.unread.append(_SEVERAL)
    return seen if readings else None


def _meta_graphs(message: Any) -> list[protos.MetaGraphDef]:
    """Return the MetaGraphs that `message` holds; none where no node of them has an operation."""
    name = message.DESCRIPTOR.name
    if name == "SavedModel":
        found = list(message.meta_graphs)
    else:
        found = [message if name == "MetaGraphDef" else protos.MetaGraphDef(graph_def=message)]
    return found if any(_says_something(one) for one in found) else []


def _says_something(meta_graph: protos.MetaGraphDef) -> bool:
    graph = meta_graph.graph_def
    functions = (node for one in graph.library.function for node in one.node_def)
    return any(node.op for node in graph.node) or any(node.op for node in functions)


def _of_meta_graphs(meta_graphs: list[protos.MetaGraphDef]) -> Sightings:
    seen = Sightings()
    for meta_graph in meta_graphs:
        scanned = look(meta_graph)
        seen.add(scanned.findings, scanned.levels())
        for one in _settings(meta_graph):
            seen.join(one)
    return seen


def _settings(meta_graph: protos.MetaGraphDef) -> Iterator[Sightings]:
    """Yield what the settings of Keras say that older releases keep in the graph file."""
    for node in meta_graph.object_graph_def.nodes:
        metadata = node.user_object.metadata
        if node.user_object.identifier.startswith("_tf_keras") and metadata:
            seen = Sightings()
            try:
                seen.add(keras_findings.code_of(metadata))
            except ValueError as error:
                seen.unread.append(f"the settings of a layer are no JSON: {error}")
            yield seen
