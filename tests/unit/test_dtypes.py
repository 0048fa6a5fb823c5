"""The one table of dtypes agrees with numpy, and says what it does not know."""

import numpy as np
import pytest

from zoo import dtypes
from zoo.errors import UnsupportedError

STORED = [row for row in dtypes._TABLE if row.storage and row.name != "string"]


@pytest.mark.parametrize("row", STORED, ids=str)
def test_item_sizes_are_numpys(row):
    """An element takes as many bytes as numpy gives it."""
    assert row.numpy.itemsize == row.itemsize


@pytest.mark.parametrize("row", [r for r in STORED if not r.name.startswith("q")], ids=str)
def test_arrays_go_back_to_their_dtype(row):
    """An array of a dtype is stored under that dtype; quantized ones look like plain integers."""
    assert dtypes.of_array(np.zeros(1, row.numpy)) is row


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([b"a"]), np.array([b"a"], object)])
def test_text_is_string(array):
    """Text, bytes and objects are all TensorFlow's one string type."""
    assert dtypes.of_array(array) is dtypes.STRING


def test_a_reference_is_its_base_type():
    """``DT_FLOAT_REF`` is a float."""
    assert dtypes.dtype(101) is dtypes.dtype(1)


def test_only_numbers_that_differ_have_a_gradient():
    """Floats and complex numbers train, nothing else does."""
    floating = {row.name for row in dtypes._TABLE if row.floating}

    assert {"float32", "bfloat16", "float8_e5m2", "complex64"} <= floating
    assert not floating & {"int32", "bool", "string", "qint8", "resource"}


@pytest.mark.parametrize(
    "ask",
    [
        lambda: dtypes.dtype(77),
        lambda: dtypes.named("float31"),
        lambda: dtypes.RESOURCE.numpy,
        lambda: dtypes.of_array(np.zeros(1, "datetime64[s]")),
    ],
)
def test_what_is_not_known_is_said(ask):
    """A dtype nobody knows is an error of ours, not a KeyError."""
    with pytest.raises(UnsupportedError):
        ask()
