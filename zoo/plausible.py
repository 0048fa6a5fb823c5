"""Values that an input might be given: seeded, and such that the graph can do something with them.

What an input takes is in its dtype and shape, and in the operations that use it: bytes that are
decoded as a picture must be one, words that are looked up must be words.
"""

from __future__ import annotations

import itertools
import math
import struct
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zoo import dtypes
from zoo.engine import tensorflow
from zoo.graph import source
from zoo.switches import constant_of
from zoo.tensor_protos import from_proto

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np

    from zoo import protos
    from zoo.dtypes import DType
    from zoo.signatures import Signature
    from zoo.specs import TensorSpec
    from zoo.view import View

    Nodes = Mapping[str, protos.NodeDef]

_FED = {"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"}
_PICTURES = {
    "DecodeBmp",
    "DecodeGif",
    "DecodeImage",
    "DecodeJpeg",
    "DecodePng",
    "DecodeAndCropJpeg",
}
_SOUND = {"DecodeWav"}
_EXAMPLES = {"ParseExample", "ParseExampleV2", "ParseSingleExample"}
_PASSED_ON = {
    "ExpandDims", "Identity", "Reshape", "Squeeze", "Substr", "Switch", "TensorArrayScatterV3",
    "Enter", "Merge", "NextIteration", "TensorArrayReadV3", "TensorListFromTensor",
}  # fmt: skip
_WORDS = ("a", "the", "cat", "1", "2.5", "zoo")
_WHOLE_BELOW = 2
_COLOURS = 3
_DENSE_KEYS_OF_V2 = 3
_BATCHES_AND_SIZES = ((2, 8), (2, 32), (1, 64), (1, 3), (2, 1), (1, 224), (4, 16), (1, 1))
_OF_PICTURES = ((1, 224), (1, 299))
"""Tried first for pictures: on one that is too small, a kernel may divide by its size, zero."""
_RANKS = (2, 4, 1, 0, 3)
_RANKS_OF_TEXTS = (0, 1, 2)
_ROWS = 2
"""The rank of a batch of rows."""
_TEXTS = 4
"""How many different texts an input is given at most."""


@dataclass(frozen=True)
class Plan:
    """How open axes are filled.

    Attributes
    ----------
    batch
        Size of an open first axis.
    size
        Size of any other open axis.
    rank
        Number of axes where even that is open.
    """

    batch: int
    size: int
    rank: int


def plans(signature: Signature) -> Iterator[Plan]:
    """Yield the ways to fill what `signature` leaves open, the likeliest first."""
    shapes = [spec.shape for spec in signature.inputs.values()]
    texts = all(spec.dtype is dtypes.STRING for spec in signature.inputs.values())
    usual = _RANKS_OF_TEXTS if texts else _RANKS
    ranks = usual if None in shapes else usual[:1]
    open_axes = None in shapes or any(None in shape for shape in shapes if shape is not None)
    pairs = _BATCHES_AND_SIZES if open_axes else _BATCHES_AND_SIZES[:1]
    if any(_is_picture(spec) for spec in signature.inputs.values()):
        pairs = (*_OF_PICTURES, *pairs)
    for rank, (batch, size) in itertools.product(ranks, pairs):
        yield Plan(batch, size, rank)


def _is_picture(spec: TensorSpec) -> bool:
    """Tell whether an input takes pictures of any size, in the usual numbers of colours."""
    shape = spec.shape
    return shape is not None and len(shape) == 4 and None in shape[1:3] and shape[3] in (1, 3, 4)


def values(view: View, signature: Signature, plan: Plan, seed: int) -> dict[str, np.ndarray]:
    """Return a value for each input of `signature`, the same for the same `seed`.

    Switches between training and use get none, and have their own for use.  Two names of one tensor
    get one value.

    Parameters
    ----------
    view
        The graph, its calls expanded.
    """
    import numpy as np

    drawn = np.random.default_rng(seed)
    by_tensor: dict[str, np.ndarray] = {}
    for spec in signature.inputs.values():
        node = view.nodes.get(source(spec.tensor))
        switch = node is not None and node.op in _FED and constant_of(view, node.name) is not None
        if not switch and spec.tensor not in by_tensor:
            by_tensor[spec.tensor] = _value(_held(view, spec), view, plan, drawn)
    named = signature.inputs.items()
    return {name: by_tensor[spec.tensor] for name, spec in named if spec.tensor in by_tensor}


def _held(view: View, spec: TensorSpec) -> TensorSpec:
    """Return `spec` with the dtype that the graph has; what a signature says may be wrong."""
    node = view.nodes.get(source(spec.tensor))
    if node is None or node.op not in _FED or "dtype" not in node.attr:
        return spec
    return replace(spec, dtype=dtypes.dtype(node.attr["dtype"].type))


def _uses(view: View, tensor: str) -> list[protos.NodeDef]:
    """Return the operations that use `tensor`, through those that only pass it on."""
    found: list[protos.NodeDef] = []
    todo, seen = [source(tensor)], set()
    while todo:
        for user, _ in view.data_users.get(todo.pop(), ()):
            if user in seen:
                continue
            seen.add(user)
            if view.ops[user] in _PASSED_ON:
                todo.append(user)
            else:
                found.append(view.nodes[user])
    return found


def _value(spec: TensorSpec, view: View, plan: Plan, drawn: Any) -> np.ndarray:
    import numpy as np

    shape = _shape(replace(spec, shape=_reshaped(spec, view, plan)), plan)
    if spec.dtype is dtypes.STRING:
        made = np.empty(shape, object)
        users = _uses(view, spec.tensor)
        texts = [_text(view, users, drawn) for _ in range(min(made.size, _TEXTS))]
        for number, place in enumerate(np.ndindex(shape)):
            made[place] = texts[number % _TEXTS]
        return made
    kind = np.dtype(spec.dtype.numpy)
    if kind.kind == "b":
        flags: np.ndarray = drawn.integers(0, 2, shape).astype(bool)
        return flags
    if spec.dtype.name == "uint8":
        return np.asarray(drawn.integers(0, 256, shape), kind)
    if kind.kind in "iu":
        return np.asarray(drawn.integers(0, _WHOLE_BELOW, shape), kind)
    return np.asarray(drawn.random(shape), kind if kind.kind in "fc" else np.float32)


def _text(view: View, users: Sequence[protos.NodeDef], drawn: Any) -> bytes:
    """Return what the operations that use a string can read."""
    for user in users:
        if user.op in _PICTURES:
            return _picture(drawn)
        if user.op in _SOUND:
            return _sound(drawn)
        if user.op in _EXAMPLES:
            return _example(view.nodes, user, drawn)
        if user.op == "StringToNumber":
            return b"1"
    return _WORDS[int(drawn.integers(len(_WORDS)))].encode()


def _picture(drawn: Any) -> bytes:
    """Return a PNG of 32 x 32 pixels in three colours."""
    side = 32
    rows = drawn.integers(0, 256, (side, 3 * side)).astype("u1")
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", packed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def _sound(drawn: Any) -> bytes:
    """Return one second of noise as a WAV file of 16 bits and 16 kHz."""
    rate = 16000
    data: bytes = drawn.integers(-999, 999, rate).astype("<i2").tobytes()
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    body = b"WAVE" + head + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def _example(nodes: Nodes, parser: protos.NodeDef, drawn: Any) -> bytes:
    """Return a ``tf.train.Example`` with the features that `parser` needs."""
    made: Any = tensorflow().train.Example()
    for key, dtype, size in _features(nodes, parser):
        feature = made.features.feature[key]
        if dtype is dtypes.STRING:
            feature.bytes_list.value.extend([b"a"] * size)
        elif dtype.name == "int64":
            feature.int64_list.value.extend(map(int, drawn.integers(0, _WHOLE_BELOW, size)))
        else:
            feature.float_list.value.extend(map(float, drawn.random(size)))
    serialized: bytes = made.SerializeToString()
    return serialized


def _features(nodes: Nodes, parser: protos.NodeDef) -> Iterator[tuple[str, DType, int]]:
    """Yield the dense features that `parser` reads: key, dtype, number of values."""
    kinds = parser.attr["Tdense"].list.type
    shapes = parser.attr["dense_shapes"].list.shape
    for key, kind, shape in zip(_keys(nodes, parser), kinds, shapes, strict=False):
        yield key, dtypes.dtype(kind), math.prod(max(dim.size, 1) for dim in shape.dim)


def _keys(nodes: Nodes, parser: protos.NodeDef) -> list[str]:
    """Return the keys of the dense features, which are attributes or inputs of `parser`."""
    if "dense_keys" in parser.attr:
        return [key.decode() for key in parser.attr["dense_keys"].list.s]
    if parser.op == "ParseExampleV2":
        return _strings(nodes, parser.input[_DENSE_KEYS_OF_V2])
    first = 2 + parser.attr["Nsparse"].i
    edges = parser.input[first : first + parser.attr["Ndense"].i]
    return [key for edge in edges for key in _strings(nodes, edge)]


def _strings(nodes: Nodes, edge: str) -> list[str]:
    node = nodes.get(source(edge))
    if node is None or node.op != "Const":
        return []
    return [text.decode() for text in from_proto(node.attr["value"].tensor).read().ravel().tolist()]


def _reshaped(spec: TensorSpec, view: View, plan: Plan) -> tuple[int | None, ...] | None:
    """Return the shape of `spec`, its one open size or its rank as what reshapes it needs them.

    Rows of 784 numbers are what a graph takes that makes images of 28 by 28 pixels of them.
    """
    needed = _sizes_of_rows(spec.tensor, view)
    if spec.shape is None:
        return (None, needed[0]) if needed and plan.rank == _ROWS else None
    known = math.prod(size for size in spec.shape[1:] if size is not None)
    if spec.shape[1:].count(None) != 1 or not needed or not known or needed[0] % known:
        return spec.shape
    return tuple(needed[0] // known if at and s is None else s for at, s in enumerate(spec.shape))


def _sizes_of_rows(tensor: str, view: View) -> list[int]:
    """Return how many numbers a row has in the shapes that `tensor` is given, its batch open."""
    found = []
    for user, at in view.data_users.get(source(tensor), ()):
        if view.ops[user] != "Reshape" or at:
            continue
        first, *others = _given_sizes(view, source(view.inputs[user][1])) or [0]
        if first is None and len(others) >= _ROWS:
            found += [math.prod(size for size in others if size)] if all(others) else []
    return found


def _given_sizes(view: View, name: str) -> list[int | None]:
    """Return the shape that the node `name` gives, as far as it is constant."""
    op = view.ops.get(name)
    if op == "Const":
        sizes = from_proto(view.nodes[name].attr["value"].tensor).read().ravel().tolist()
        return [None if size < 0 else size for size in sizes]
    if op == "Pack":
        parts = [_given_sizes(view, source(edge)) for edge in view.data_inputs(name)]
        return [part[0] if len(part) == 1 else None for part in parts]
    return []


def _shape(spec: TensorSpec, plan: Plan) -> tuple[int, ...]:
    if spec.shape is None:
        return (plan.batch, plan.size, plan.size, _COLOURS)[: plan.rank]
    sizes = []
    for axis, size in enumerate(spec.shape):
        filled = plan.batch if axis == 0 else plan.size
        sizes.append(filled if size is None else size)
    return tuple(sizes)
