"""What operations put out is known without TensorFlow."""

import pytest

from zoo import dtypes, ops
from zoo.errors import UnsupportedError
from zoo.nodes import node
from zoo.samples import FLOAT

INT64 = dtypes.named("int64")


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (node("y", "Mul", T=FLOAT), ["float32"]),
        (node("y", "ArgMax", T=FLOAT), ["int64"]),
        (node("y", "ArgMax", T=FLOAT, output_type=dtypes.INT32), ["int32"]),
        (node("y", "Unique", T=FLOAT, out_idx=INT64), ["float32", "int64"]),
        (node("y", "Split", T=FLOAT, num_split=3), ["float32"] * 3),
        (node("y", "IdentityN", T=[FLOAT, INT64]), ["float32", "int64"]),
        (node("y", "VarHandleOp", dtype=FLOAT), ["resource"]),
        (node("y", "NoOp"), []),
        (
            node("y", "ParseExample", Nsparse=2, sparse_types=[FLOAT, INT64], Tdense=[FLOAT]),
            ["int64", "int64", "float32", "int64", "int64", "int64", "float32"],
        ),
    ],
    ids=lambda value: value.op if hasattr(value, "op") else "",
)
def test_dtypes_of_outputs(made, names):
    """Fixed types, types from attributes, their defaults, repeated and listed outputs."""
    assert [dtype.name for dtype in ops.dtypes_of(made)] == names


@pytest.mark.parametrize(
    ("output", "index", "number"),
    [("sparse_indices", 1, 1), ("sparse_values", 0, 2), ("dense_values", 0, 6)],
)
def test_numbers_of_named_outputs(output, index, number):
    """An output that functions name by its argument has a number in a graph."""
    made = node("y", "ParseExample", Nsparse=2, sparse_types=[FLOAT, INT64], Tdense=[FLOAT])

    assert ops.position(made, output, index) == number


def test_reference_inputs():
    """The table knows which inputs are references."""
    assert ops.op("ApplyAdam").refs == (0, 1, 2)
    assert ops.op("Mul").refs == ()
    assert ops.op("NobodysOp") is None


@pytest.mark.parametrize("made", [node("y", "NobodysOp"), node("y", "Mul", T=FLOAT)])
def test_what_is_not_there_is_said(made):
    """An unknown operation or output names the node."""
    with pytest.raises(UnsupportedError, match=r"no output|not one of"):
        ops.position(made, "nothing", 0)
