"""`TensorProto`, in which a graph holds a constant, to a `Tensor` and back.

The message has many spellings for one value: raw little-endian bytes, a list of numbers, a list
that stops early (the last number then goes on to the end), none at all (zeros).

Source: ``tensorflow/core/framework/tensor.proto`` and ``Tensor::FromProto`` in ``tensor.cc``.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zoo import budget, dtypes, protos, wire
from zoo.errors import FormatError
from zoo.mapped import CHUNK
from zoo.tensors import FilledTensor, Shape, SpelledTensor, Tensor, afford

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from zoo.checksums import Piece
    from zoo.dtypes import DType

_MOST_ELEMENTS = 1 << 58
"""Elements of which numpy can count the bytes, whatever their dtype and where there are none."""
_MOST_REPEATED = 1 << 20
"""Strings that are spelled by leaving them out; more are no model's but an attack."""
_LISTS = {
    "float32": "float_val",
    "float64": "double_val",
    "int64": "int64_val",
    "bool": "bool_val",
    "complex64": "scomplex_val",
    "complex128": "dcomplex_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "float16": "half_val",
    "bfloat16": "half_val",
    "string": "string_val",
}
_BITS_IN_HALF_VAL = {"float16", "bfloat16"}
_COMPLEX = {"complex64", "complex128"}


@dataclass(frozen=True, eq=False)
class ProtoTensor(Tensor):
    """A tensor that is still a `TensorProto`."""

    proto: protos.TensorProto
    dtype: DType = field(init=False)
    shape: Shape = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", dtypes.dtype(self.proto.dtype))
        object.__setattr__(self, "shape", shape_of(self.proto.tensor_shape))

    @property
    def nbytes(self) -> int:
        """Bytes of the values; for strings the sum of their lengths as stored."""
        if self.dtype is dtypes.STRING:
            return len(self.proto.tensor_content) + sum(map(len, self.proto.string_val))
        return super().nbytes

    @property
    def held(self) -> int:
        """Bytes of the message."""
        size: int = self.proto.ByteSize()
        return size

    def read(self) -> np.ndarray:
        """Return the values as a read-only array.

        Raises
        ------
        FormatError
            The message holds more or fewer values than its shape promises.
        """
        if self.dtype is dtypes.STRING:
            return _objects(texts(self.proto), self.shape)
        afford([self], "a constant")
        if self.proto.tensor_content:
            return _from_content(self.proto.tensor_content, self.dtype, self.shape)
        return _from_list(self.proto, self.dtype, self.shape)

    def chunks(self) -> Iterator[Piece]:
        """Yield the bytes as the message holds them, without numpy, or those of its numbers."""
        content = self.proto.tensor_content
        if not content or self.dtype is dtypes.STRING:
            yield from super().chunks()
            return
        _check_length(content, self.dtype, self.shape)
        for start in range(0, len(content), CHUNK):
            yield content[start : start + CHUNK]


def texts(proto: protos.TensorProto) -> list[bytes]:
    """Return the strings that `proto` holds, in row-major order; no numpy is imported for it.

    Raises
    ------
    FormatError
        It holds more strings than its shape has places, or bytes that are no strings.
    """
    count = math.prod(shape_of(proto.tensor_shape))
    if proto.tensor_content:
        return _split(proto.tensor_content, count)
    stored = list(proto.string_val)
    if not 0 <= count - len(stored) <= _MOST_REPEATED:
        raise _disagrees(f"{len(stored)} values", dtypes.STRING, (count,))
    return stored + [stored[-1] if stored else b""] * (count - len(stored))


def from_proto(proto: protos.TensorProto) -> Tensor:
    """Return the tensor that `proto` spells; one number for all places stays one number."""
    tensor = ProtoTensor(proto)
    if tensor.dtype.itemsize and not proto.tensor_content and _count(proto, tensor.dtype) <= 1:
        return SpelledTensor(_element(proto, tensor.dtype), tensor.dtype, tensor.shape)
    return tensor


def to_proto(tensor: Tensor) -> protos.TensorProto:
    """Return `tensor` as a message that holds its values; meant for small ones."""
    proto = header(tensor)
    if tensor.dtype is dtypes.STRING:
        proto.string_val.extend(tensor.read().reshape(-1).tolist())
    elif isinstance(tensor, FilledTensor):
        proto.MergeFrom(one_value(tensor))
    elif isinstance(tensor, ProtoTensor):
        proto.CopyFrom(tensor.proto)
    else:
        proto.tensor_content = tensor.tobytes()
    return proto


def number(proto: protos.TensorProto) -> Any:
    """Return the number or truth that `proto` holds.

    None where it holds several or a text; and where its values are not in it, which a message of
    zeros may leave out, too.
    """
    tensor = from_proto(proto)
    if tensor.dtype is dtypes.STRING or not tensor.dtype.itemsize or tensor.size != 1:
        return None
    if not proto.tensor_content and not getattr(proto, _list_field(tensor.dtype)):
        return None
    return tensor.read().reshape(-1)[0].item()


def header(tensor: Tensor) -> protos.TensorProto:
    """Return the message for `tensor` without its values: dtype and shape."""
    proto = protos.TensorProto(dtype=tensor.dtype.number)
    for size in tensor.shape:
        proto.tensor_shape.dim.add(size=size)
    if not tensor.shape:
        proto.tensor_shape.SetInParent()
    return proto


def one_value(tensor: FilledTensor) -> protos.TensorProto:
    """Return a message with the one value of `tensor` in its list, and nothing else."""
    proto = protos.TensorProto()
    where = _list_field(tensor.dtype)
    if where == "float8_val":
        proto.float8_val = tensor.element
    else:
        getattr(proto, where).extend(struct.unpack("<" + tensor.dtype.code, tensor.element))
    return proto


def shape_of(proto: protos.TensorShapeProto) -> Shape:
    """Return the sizes in `proto`, all of which must be known.

    Raises
    ------
    FormatError
        A size is missing or negative, or there are more axes or elements than an array can have.
    """
    sizes = tuple([dim.size for dim in proto.dim])
    if len(sizes) > budget.MOST_AXES:
        raise FormatError("a stored tensor has too many axes", found=f"{len(sizes):,} axes")
    count = math.prod(sizes)
    if 0 < count <= _MOST_ELEMENTS and not proto.unknown_rank and min(sizes, default=0) >= 0:
        return sizes
    countless = math.prod(max(size, 1) for size in sizes) > _MOST_ELEMENTS
    if proto.unknown_rank or countless or any(size < 0 for size in sizes):
        raise FormatError("a stored tensor has no definite shape", found=str(list(sizes)))
    return sizes


def _element(proto: protos.TensorProto, dtype: DType) -> bytes:
    """Return the bytes of the first number in the list of `proto`, of 0 where it is empty."""
    stored = _stored(proto, dtype)
    if isinstance(stored, bytes):
        return stored or bytes(dtype.itemsize)
    try:
        return struct.pack("<" + dtype.code, *(stored or [0] * len(dtype.code)))
    except struct.error as error:
        raise FormatError("a stored number does not fit its dtype", found=str(error)) from error


def _list_field(dtype: DType) -> str:
    if dtype.name.startswith("float8") or dtype.name.startswith("float4"):
        return "float8_val"
    return _LISTS.get(dtype.name, "int_val")


def _stored(proto: protos.TensorProto, dtype: DType) -> Any:
    """Return the list of `proto`, less half a complex number at its end, as TensorFlow reads it."""
    stored = getattr(proto, _list_field(dtype))
    return stored[: len(stored) // 2 * 2] if dtype.name in _COMPLEX else stored


def _count(proto: protos.TensorProto, dtype: DType) -> int:
    values = len(getattr(proto, _list_field(dtype)))
    return values // 2 if dtype.name in _COMPLEX else values


def _from_content(content: bytes, dtype: DType, shape: Shape) -> np.ndarray:
    import numpy as np

    _check_length(content, dtype, shape)
    return np.frombuffer(content, dtype.numpy).reshape(shape)


def _check_length(content: bytes, dtype: DType, shape: Shape) -> None:
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise _disagrees(f"{len(content)} bytes", dtype, shape)


def _from_list(proto: protos.TensorProto, dtype: DType, shape: Shape) -> np.ndarray:
    import numpy as np

    values = _numbers(proto, dtype)
    size = math.prod(shape)
    if values.size > size:
        raise _disagrees(f"{values.size} values", dtype, shape)
    if values.size <= 1:
        return np.broadcast_to(values[0] if values.size else np.zeros((), values.dtype), shape)
    padding = np.broadcast_to(values[-1], (size - values.size,))
    return np.concatenate([values, padding]).reshape(shape)


def _numbers(proto: protos.TensorProto, dtype: DType) -> np.ndarray:
    import numpy as np

    stored = _stored(proto, dtype)
    if isinstance(stored, bytes):
        return np.frombuffer(stored, dtype.numpy)
    if dtype.name in _BITS_IN_HALF_VAL:
        return np.array(stored, np.uint16).view(dtype.numpy)
    if dtype.name in _COMPLEX:
        return np.array(stored, np.float64).view(np.complex128).astype(dtype.numpy)
    return np.array(stored).astype(dtype.numpy)


def _objects(values: list[bytes], shape: Shape) -> np.ndarray:
    import numpy as np

    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape)


def _split(content: bytes, count: int) -> list[bytes]:
    """Return the `count` strings of ``tensor_content``: all their lengths, then all their bytes."""
    try:
        at, lengths = 0, []
        for _ in range(count):
            length, at = wire.varint(content, at, len(content))
            lengths.append(length)
    except wire.Damaged as error:
        raise _disagrees(str(error), dtypes.STRING, (count,)) from error
    found = []
    for length in lengths:
        found.append(content[at : at + length])
        at += length
    if at != len(content):
        raise _disagrees(f"{len(content)} bytes", dtypes.STRING, (count,))
    return found


def _disagrees(found: str, dtype: DType, shape: Shape) -> FormatError:
    return FormatError(
        "a stored tensor does not fill its shape", found=f"{found} for {dtype} {list(shape)}"
    )
