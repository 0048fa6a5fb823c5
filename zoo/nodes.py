"""Make `NodeDef`s: a name, an operation, inputs and typed attributes, in one call.

>>> print(node("y", "Mul", ["x", "w:0"], T=dtypes.dtype(1)).input)
['x', 'w:0']
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zoo import dtypes, protos
from zoo.dtypes import DType
from zoo.tensor_protos import to_proto
from zoo.tensors import Tensor

Size = int | None


@dataclass(frozen=True)
class Dims:
    """The value of a ``shape`` attribute: a size for each axis, None for an open one.

    ``Dims(None)`` is a shape of unknown rank.
    """

    sizes: Sequence[Size] | None


@dataclass(frozen=True)
class Integers:
    """The value of an attribute that is a list of whole numbers: strides, sizes of a window."""

    values: Sequence[int]


Value = (
    bool | int | float | str | DType | Dims | Integers | Tensor | Sequence[DType] | Sequence[str]
)


def node(
    name: str, op: str, inputs: Iterable[str] = (), *, device: str = "", **attrs: Value
) -> protos.NodeDef:
    """Return a node; each of `attrs` becomes an attribute of the kind that its value has."""
    made = protos.NodeDef(name=name, op=op, device=device)
    made.input.extend(inputs)
    for key, value in attrs.items():
        made.attr[key].CopyFrom(attribute(value))
    return made


def placeholder(name: str, dtype: DType, sizes: Sequence[Size] | None = None) -> protos.NodeDef:
    """Return a ``Placeholder`` of `dtype` with the axes `sizes`, of unknown rank by default."""
    return node(name, "Placeholder", dtype=dtype, shape=Dims(sizes))


def strings(name: str, texts: Sequence[str]) -> protos.NodeDef:
    """Return a ``Const`` node that holds `texts` as a vector; no numpy is imported for it."""
    made = node(name, "Const", dtype=dtypes.STRING)
    proto = made.attr["value"].tensor
    proto.dtype = dtypes.STRING.number
    proto.tensor_shape.dim.add(size=len(texts))
    proto.string_val.extend(text.encode() for text in texts)
    return made


def text(name: str, value: str) -> protos.NodeDef:
    """Return a ``Const`` node that holds one string."""
    made = strings(name, [value])
    made.attr["value"].tensor.tensor_shape.Clear()
    made.attr["value"].tensor.tensor_shape.SetInParent()
    return made


def whole_number(name: str, value: int) -> protos.NodeDef:
    """Return a ``Const`` node that holds one int32; no numpy is imported for it."""
    made = node(name, "Const", dtype=dtypes.INT32)
    proto = made.attr["value"].tensor
    proto.dtype = dtypes.INT32.number
    proto.tensor_shape.SetInParent()
    proto.int_val.append(value)
    return made


def whole_numbers(name: str, values: Sequence[int]) -> protos.NodeDef:
    """Return a ``Const`` node that holds a vector of int32; no numpy is imported for it."""
    made = whole_number(name, 0)
    proto = made.attr["value"].tensor
    proto.tensor_shape.dim.add(size=len(values))
    proto.int_val[:] = values
    return made


def attribute(value: Value) -> protos.AttrValue:
    """Return `value` as the message in which a node keeps an attribute."""
    made = protos.AttrValue()
    if isinstance(value, bool):  # before int, of which it is one
        made.b = value
    elif isinstance(value, int):
        made.i = value
    elif isinstance(value, float):
        made.f = value
    elif isinstance(value, str):
        made.s = value.encode()
    elif isinstance(value, DType):
        made.type = value.number
    elif isinstance(value, Dims):
        made.shape.CopyFrom(shape(value.sizes))
    elif isinstance(value, Tensor):
        made.tensor.CopyFrom(to_proto(value))
    else:
        _fill_list(made, value)
    return made


def shape(sizes: Sequence[Size] | None) -> protos.TensorShapeProto:
    """Return `sizes` as a message; None for an unknown rank."""
    made = protos.TensorShapeProto(unknown_rank=sizes is None)
    for size in sizes or ():
        made.dim.add(size=-1 if size is None else size)
    return made


def _fill_list(made: protos.AttrValue, values: Integers | Sequence[DType] | Sequence[str]) -> None:
    made.list.SetInParent()
    if isinstance(values, Integers):
        made.list.i.extend(values.values)
        return
    for value in values:
        if isinstance(value, DType):
            made.list.type.append(value.number)
        else:
            made.list.s.append(value.encode())
