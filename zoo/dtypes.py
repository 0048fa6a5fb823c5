"""The one table of TensorFlow's dtypes: number in files, name, item size, numpy's name.

Source: ``tensorflow/core/framework/types.proto``.  Looking a dtype up imports nothing; only
`DType.numpy` brings in numpy (and ml_dtypes for the types numpy lacks).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.errors import UnsupportedError

if TYPE_CHECKING:
    import numpy as np

_REF = 100
"""A reference type is the number of its base type plus this."""


@dataclass(frozen=True)
class DType:
    """A dtype as TensorFlow's files number it.

    Attributes
    ----------
    number
        The value of the ``DataType`` enum.
    name
        TensorFlow's own name, ``"float32"``.
    itemsize
        Bytes for one element as checkpoints store it; 0 where elements have no fixed size.
    storage
        The numpy or ml_dtypes name of the array that holds such elements; quantized types are
        held as plain integers of the same width.  Empty for what is never stored.
    code
        How the `struct` module packs one element, as graphs list it: half-precision numbers as
        their bits.
    """

    number: int
    name: str
    itemsize: int
    storage: str
    code: str

    @property
    def floating(self) -> bool:
        """Tell whether a gradient can flow into values of this type."""
        return "float" in self.name or self.name.startswith("complex")

    @property
    def numpy(self) -> np.dtype:
        """The numpy dtype of arrays that hold this type, ``object`` (of bytes) for strings.

        Raises
        ------
        UnsupportedError
            Values of this type live only inside a running TensorFlow (resource, variant).
        """
        import numpy as np

        if not self.storage:
            raise UnsupportedError(f"values of dtype {self.name} cannot be stored")
        if hasattr(np, self.storage):
            plain: np.dtype = np.dtype(getattr(np, self.storage))
            return plain
        import ml_dtypes

        other: np.dtype = np.dtype(getattr(ml_dtypes, self.storage))
        return other

    def __str__(self) -> str:
        return self.name


_TABLE = [
    DType(*row)
    for row in (
        (1, "float32", 4, "float32", "f"),
        (2, "float64", 8, "float64", "d"),
        (3, "int32", 4, "int32", "i"),
        (4, "uint8", 1, "uint8", "B"),
        (5, "int16", 2, "int16", "h"),
        (6, "int8", 1, "int8", "b"),
        (7, "string", 0, "object_", ""),
        (8, "complex64", 8, "complex64", "ff"),
        (9, "int64", 8, "int64", "q"),
        (10, "bool", 1, "bool_", "?"),
        (11, "qint8", 1, "int8", "b"),
        (12, "quint8", 1, "uint8", "B"),
        (13, "qint32", 4, "int32", "i"),
        (14, "bfloat16", 2, "bfloat16", "H"),
        (15, "qint16", 2, "int16", "h"),
        (16, "quint16", 2, "uint16", "H"),
        (17, "uint16", 2, "uint16", "H"),
        (18, "complex128", 16, "complex128", "dd"),
        (19, "float16", 2, "float16", "H"),
        (20, "resource", 0, "", ""),
        (21, "variant", 0, "", ""),
        (22, "uint32", 4, "uint32", "I"),
        (23, "uint64", 8, "uint64", "Q"),
        (24, "float8_e5m2", 1, "float8_e5m2", "B"),
        (25, "float8_e4m3fn", 1, "float8_e4m3fn", "B"),
        (26, "float8_e4m3fnuz", 1, "float8_e4m3fnuz", "B"),
        (27, "float8_e4m3b11fnuz", 1, "float8_e4m3b11fnuz", "B"),
        (28, "float8_e5m2fnuz", 1, "float8_e5m2fnuz", "B"),
        (29, "int4", 1, "int4", "b"),
        (30, "uint4", 1, "uint4", "B"),
        (31, "int2", 1, "int2", "b"),
        (32, "uint2", 1, "uint2", "B"),
        (33, "float4_e2m1fn", 1, "float4_e2m1fn", "B"),
    )
]
_BY_NUMBER = {row.number: row for row in _TABLE}
_BY_NAME = {row.name: row for row in _TABLE}
_BY_STORAGE = {
    row.storage.rstrip("_"): row for row in _TABLE if row.storage and "q" not in row.name
}

STRING = _BY_NAME["string"]
RESOURCE = _BY_NAME["resource"]
INT32 = _BY_NAME["int32"]
INT64 = _BY_NAME["int64"]
BOOL = _BY_NAME["bool"]
VARIANT = _BY_NAME["variant"]
INVALID = DType(0, "invalid", 0, "", "")
"""What a graph states that was made by hand, and states no dtype; no tensor has it."""


def dtype(number: int) -> DType:
    """Return the dtype that files call `number`; a reference type gives its base type.

    >>> dtype(101).name
    'float32'

    Raises
    ------
    UnsupportedError
        No TensorFlow that zoo knows has such a type.
    """
    found = _BY_NUMBER.get(number - _REF if number > _REF else number)
    if found is None:
        raise UnsupportedError("a tensor has a dtype zoo does not know", found=f"number {number}")
    return found


def named(name: str) -> DType:
    """Return the dtype that TensorFlow calls `name`.

    Raises
    ------
    UnsupportedError
        There is none.
    """
    if name not in _BY_NAME:
        raise UnsupportedError(f"TensorFlow has no dtype {name!r}")
    return _BY_NAME[name]


def of_array(array: np.ndarray) -> DType:
    """Return the dtype under which `array` is stored; text and objects are strings.

    Raises
    ------
    UnsupportedError
        TensorFlow has no such type (a structured array, a date).
    """
    if array.dtype.kind in "SUO":
        return STRING
    found = _BY_STORAGE.get(array.dtype.name)
    if found is None:
        raise UnsupportedError(f"TensorFlow has no dtype for numpy's {array.dtype}")
    return found
