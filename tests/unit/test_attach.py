"""Stored tensors find their variables, and must fit them."""

import numpy as np
import pytest

from zoo.attach import attach
from zoo.errors import FormatError
from zoo.nodes import Dims, node
from zoo.protos import MetaGraphDef
from zoo.samples import FLOAT
from zoo.tensors import ArrayTensor


def graph(shape, op="VariableV2"):
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.node.append(node("w", op, dtype=FLOAT, shape=Dims(shape)))
    return meta_graph


@pytest.mark.parametrize(
    ("shape", "op"),
    [([2, 3], "VariableV2"), (None, "VariableV2"), ([None, 3], "VariableV2"), ([], "Variable")],
)
def test_shapes_fit_as_far_as_they_are_known(shape, op):
    """An open axis, an open rank, and how the oldest graphs said that."""
    stored = {"w": ArrayTensor.of(np.ones((2, 3), np.float32)), "step": ArrayTensor.of(7)}

    assert list(attach(graph(shape, op), stored)) == ["w", "step"]


@pytest.mark.parametrize(
    "values",
    [
        np.ones((3, 2), np.float32),
        np.ones(6, np.float32),
        np.ones((2, 3)),
        np.ones((2, 3), np.int32),
    ],
)
def test_another_shape_or_dtype_is_another_models(values):
    """TensorFlow would say so when it restores; here it is said when the two are put together."""
    with pytest.raises(FormatError, match="does not fit"):
        attach(graph([2, 3]), {"w": ArrayTensor.of(values)})
