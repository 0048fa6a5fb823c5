"""A ``GraphDef`` in a file: read without its large constants, written by streaming them in.

Source: ``tensorflow/core/framework/graph.proto``, ``node_def.proto``, ``attr_value.proto`` and
``tensor.proto``; the numbers below are theirs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import dtypes, output, protos, weighing, wire
from zoo.errors import FormatError, UnsupportedError, counted
from zoo.graph import shell
from zoo.mapped import MappedFile
from zoo.streams import Stream
from zoo.tensor_protos import from_proto, header, one_value, shape_of, to_proto
from zoo.tensors import FileTensor, FilledTensor, Shape, Tensor, afford

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np

    from zoo.checksums import Piece
    from zoo.dtypes import DType
    from zoo.weights import Weights

_GRAPH_NODE, _NODE_NAME, _NODE_OP, _NODE_ATTR, _ENTRY_KEY, _ENTRY_VALUE = 1, 1, 2, 5, 1, 2
_ATTR_TENSOR, _TENSOR_HEAD, _TENSOR_CONTENT = 8, {1, 2, 3}, 4
_MAPPED_LISTS = {5: "float32", 6: "float64"}
_LARGE = 4096
"""Bytes from which on a node's value is left in the file."""
_AROUND = 40
"""Bytes that may stand around one value: tags, and how long what follows is."""
MOST = (1 << 31) - 1
"""Bytes that a serialized message may have, a rule of protobuf."""


def refuse_endless(path: Path) -> None:
    """Refuse to read the file at `path` whole if no message can be as long as it is.

    Raises
    ------
    FormatError
        It is longer than `MOST`.
    """
    size = path.stat().st_size
    if size > MOST:
        raise FormatError(f"{path} is damaged, or no message", found=f"{size} bytes")


def recognises(start: bytes) -> bool:
    """Tell whether a file that begins with `start` (a kilobyte) begins as a graph does."""
    try:
        first = next(_fields_of_cut(start))
        inner = _fields_of_cut(start[first.start : first.end])
        name, op = next(inner), next(inner)
    except (wire.Damaged, StopIteration):
        return False
    numbers = (first.number, name.number, op.number) == (_GRAPH_NODE, _NODE_NAME, _NODE_OP)
    kinds = {first.kind, name.kind, op.kind} == {wire.BYTES}
    word = start[first.start + op.start : first.start + op.end]
    return numbers and kinds and word.replace(b">", b"").replace(b"_", b"").isalnum()


def _fields_of_cut(data: bytes) -> Iterator[wire.Field]:
    """Yield the fields that begin in `data`, which may end in the middle of one."""
    at = 0
    while at < len(data):
        key, start = wire.varint(data, at, len(data))
        length, start = wire.varint(data, start, len(data))
        yield wire.Field(key >> 3, key & 7, at, start, min(start + length, len(data)))
        at = start + length


def read(path: Path) -> tuple[protos.GraphDef, dict[str, Tensor]]:
    """Return the graph in the file at `path`, and the values of its large constants by node.

    The nodes of these keep dtype and shape; their values stay in the file.

    Raises
    ------
    FormatError
        The file is cut off, or no graph.
    """
    from google.protobuf.message import DecodeError

    file = MappedFile(path)
    parts: list[bytes] = []
    tensors: dict[str, Tensor] = {}
    try:
        data = file.view()
        copied = 0
        for field in weighing.fields(data, path):
            large = field.number == _GRAPH_NODE and field.end - field.start > _LARGE
            reduced = _reduced(file, field, tensors) if large and field.kind == wire.BYTES else None
            if reduced is not None:
                parts += data[copied : field.head], reduced
                copied = field.end
        small = b"".join([*parts, data[copied:]])
        weighing.refuse_swollen(small, "GraphDef", path, len(data))
        graph = protos.GraphDef.FromString(small)
    except (wire.Damaged, DecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is damaged, or no graph", found=str(error)) from error
    if not graph.node:
        raise FormatError(f"{path} is no graph", found=f"no nodes in {counted(len(data), 'byte')}")
    return graph, tensors


def _reduced(file: MappedFile, node: wire.Field, tensors: dict[str, Tensor]) -> bytes | None:
    """Return `node` as a field of a graph without its value, which goes into `tensors`.

    None if it is no constant, or spelled as no serializer spells one.
    """
    data: Any = file.view()
    name, op, rest = b"", b"", []
    value: wire.Field | None = None
    for field in wire.fields(data, node.start, node.end):
        if field.number == _NODE_ATTR and _entry_key(data, field) == b"value":
            if value is not None:
                return None
            value = field
            continue
        if field.number == _NODE_NAME:
            name = data[field.start : field.end]
        elif field.number == _NODE_OP:
            op = data[field.start : field.end]
        rest.append(data[field.head : field.end])
    place = _tensor_of(data, value) if value is not None and op == b"Const" else None
    if place is None:
        return None
    head, tensor = _placed(file, place, name.decode(errors="replace"))
    tensors[name.decode()] = tensor
    entry = wire.field(_ENTRY_KEY, b"value") + wire.field(
        _ENTRY_VALUE, wire.field(_ATTR_TENSOR, head)
    )
    return wire.field(_GRAPH_NODE, b"".join(rest) + wire.field(_NODE_ATTR, entry))


def _entry_key(data: bytes, entry: wire.Field) -> bytes:
    for field in wire.fields(data, entry.start, entry.end):
        if field.number == _ENTRY_KEY and field.kind == wire.BYTES:
            return data[field.start : field.end]
    return b""


def _tensor_of(data: bytes, entry: wire.Field) -> wire.Field | None:
    """Return where in the attribute `entry` its one tensor lies."""
    values = [f for f in wire.fields(data, entry.start, entry.end) if f.number == _ENTRY_VALUE]
    if len(values) != 1:
        return None
    inner = list(wire.fields(data, values[0].start, values[0].end))
    return inner[0] if len(inner) == 1 and inner[0].number == _ATTR_TENSOR else None


def _placed(file: MappedFile, place: wire.Field, name: str) -> tuple[bytes, Tensor]:
    """Return the head of the ``TensorProto`` at `place`, and the tensor whose values stay there."""
    data: Any = file.view()
    head, payload = b"", []
    for field in wire.fields(data, place.start, place.end):
        if field.number in _TENSOR_HEAD:
            head += data[field.head : field.end]
        else:
            payload.append(field)
    proto = protos.TensorProto.FromString(head)
    dtype, shape = dtypes.dtype(proto.dtype), shape_of(proto.tensor_shape)
    if len(payload) == 1 and _is_plain(payload[0], dtype, shape):
        return head, FileTensor(file, payload[0].start, dtype, shape, name)
    return head, _Placed(file, place.start, place.end, dtype, shape)


@dataclass(frozen=True, eq=False)
class _Placed(Tensor):
    """A constant in a list of a ``TensorProto`` that lies in a file from `start` to `end`."""

    file: MappedFile
    start: int
    end: int
    dtype: DType
    shape: Shape

    @property
    def held(self) -> int:
        """Bytes of the message."""
        return self.end - self.start

    def read(self) -> np.ndarray:
        """Return the values, read from the file now."""
        data: Any = self.file.view()
        stored = data[self.start : self.end]
        return from_proto(protos.TensorProto.FromString(stored)).read()


def _is_plain(payload: wire.Field, dtype: DType, shape: Shape) -> bool:
    """Tell whether `payload` is just the little-endian values of a tensor of this shape."""
    if not dtype.itemsize or payload.kind != wire.BYTES:
        return False
    raw = payload.number == _TENSOR_CONTENT
    listed = _MAPPED_LISTS.get(payload.number) == dtype.name
    size = math.prod(shape) * dtype.itemsize
    return (raw or listed) and payload.end - payload.start == size


def write(path: Path, graph: protos.GraphDef, weights: Weights) -> None:
    """Write `graph` to `path`, with the values of those of its constants that are `weights`.

    Raises
    ------
    UnsupportedError
        It would be larger than a message can be.
    """
    refuse_too_large(graph, weights)
    with Stream(path) as file:
        for node in graph.node:
            if node.op == "Const" and node.name in weights:
                file.writelines(_pieces(node, weights.tensor(node.name)))
            else:
                file.write(wire.field(_GRAPH_NODE, node.SerializeToString(deterministic=True)))
        file.write(shell(graph).SerializeToString(deterministic=True))


def filled(graph: protos.GraphDef, weights: Weights) -> protos.GraphDef:
    """Return `graph` with the values of those of its constants that are `weights`, all in memory.

    Raises
    ------
    UnsupportedError
        It would be larger than a message can be.
    """
    names = [node.name for node in graph.node if node.op == "Const" and node.name in weights]
    if not names:
        return graph
    refuse_too_large(graph, weights)
    whole = protos.GraphDef()
    whole.CopyFrom(graph)
    for node in whole.node:
        if node.op == "Const" and node.name in weights:
            node.attr["value"].tensor.CopyFrom(to_proto(weights.tensor(node.name)))
    return whole


def refuse_too_large(graph: protos.GraphDef, weights: Weights) -> None:
    """Refuse `graph` if no message can hold it with the values of those constants in `weights`.

    Nothing is read for this.

    Raises
    ------
    UnsupportedError
        It would be larger than `MOST`.
    """
    names = [node.name for node in graph.node if node.op == "Const" and node.name in weights]
    tensors = [weights.tensor(name) for name in names]
    afford((t for t in tensors if not isinstance(t, FilledTensor)), "what is written")
    values = sum(_stored_size(tensor) + _AROUND for tensor in tensors)
    size = graph.ByteSize() + values
    if size > MOST:
        raise UnsupportedError(
            "the graph is too large with its constants in it",
            found=f"{output.size(size)} ({size} bytes), where protobuf allows {MOST}",
            hint="a checkpoint or a SavedModel holds weights of any size, and --shard-size splits"
            " them; --dtype float16 halves them, -o keeps what some outputs need",
        )


def _stored_size(tensor: Tensor) -> int:
    return len(tensor.element) if isinstance(tensor, FilledTensor) else tensor.nbytes


def _pieces(node: protos.NodeDef, tensor: Tensor) -> Iterator[Piece]:
    """Yield `node`, a field of a graph, with the values of `tensor` in it."""
    bare = protos.NodeDef()
    bare.CopyFrom(node)
    bare.attr.pop("value", None)
    if tensor.dtype is dtypes.STRING or isinstance(tensor, FilledTensor):
        proto = to_proto(tensor) if tensor.dtype is dtypes.STRING else header(tensor)
        if isinstance(tensor, FilledTensor):
            proto.MergeFrom(one_value(tensor))
        bare.attr["value"].tensor.CopyFrom(proto)
        yield wire.field(_GRAPH_NODE, bare.SerializeToString(deterministic=True))
        return
    start = bare.SerializeToString(deterministic=True)
    head = (
        header(tensor).SerializeToString() + wire.tag(_TENSOR_CONTENT) + wire.encode(tensor.nbytes)
    )
    opening = _opening((_ATTR_TENSOR, _ENTRY_VALUE), head, tensor.nbytes)
    opening = wire.field(_ENTRY_KEY, b"value") + opening
    opening = start + wire.tag(_NODE_ATTR) + wire.encode(len(opening) + tensor.nbytes) + opening
    yield wire.tag(_GRAPH_NODE) + wire.encode(len(opening) + tensor.nbytes) + opening
    yield from tensor.chunks()


def _opening(numbers: tuple[int, ...], head: bytes, follows: int) -> bytes:
    """Return `head` inside messages of these field `numbers`; `follows` bytes come after it."""
    for number in numbers:
        head = wire.tag(number) + wire.encode(len(head) + follows) + head
    return head
