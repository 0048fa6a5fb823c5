"""Sizes that kernels take as they come: which are looked at, and which are refused."""

import numpy as np
import pytest

from zoo.errors import RunError
from zoo.graph import by_name
from zoo.nodes import node, placeholder
from zoo.protos import GraphDef
from zoo.samples import FLOAT
from zoo.sizes import check, fed_sizes

LSTM = {"y": ["steps:0", "x:0"]}


def graph(operation):
    """Return the nodes of a graph in which ``y`` takes sizes that are computed of ``n``."""
    made = GraphDef()
    made.node.extend(
        [
            placeholder("n", FLOAT, []),
            placeholder("x", FLOAT, []),
            node("steps", "Cast", ["n"]),
            node("y", operation, ["steps", "x", "x"]),
        ]
    )
    return by_name(made)


@pytest.mark.parametrize(
    ("operation", "feeds", "found"),
    [
        ("BlockLSTM", ["n:0"], LSTM),
        ("BlockLSTMV2", ["steps:0"], LSTM),
        ("Conv2DBackpropInput", ["n"], {"y": ["steps:0"]}),
        ("BlockLSTM", ["x:0"], {}),
        ("BlockLSTM", [], {}),
        ("Conv2D", ["n"], {}),
    ],
)
def test_only_sizes_that_depend_on_what_is_fed(operation, feeds, found):
    """Others were there when the graph was made, and a call pays nothing for them."""
    assert fed_sizes(graph(operation), ["steps", "y"], feeds) == found


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ([[1, -5, 2, 1]], "-5"),
        ([[2147483647] * 4], "2147483647"),
        ([5, np.ones((4, 1, 3))], "where there are 4"),
        ([-1, np.ones((4, 1, 3))], "-1"),
    ],
)
def test_what_are_no_sizes(sizes, found):
    """Negative, more than there can be, more steps than values."""
    with pytest.raises(RunError) as caught:
        check("y", [np.array(value) for value in sizes])

    assert "'y'" in caught.value.problem
    assert found in caught.value.found


@pytest.mark.parametrize(
    "sizes", [[[1, 2, 2, 1]], [[0, 4]], [4, np.ones((4, 1, 3))], [0, np.ones((4, 1))], [3, 1.0]]
)
def test_what_are_sizes(sizes):
    """None at all too; and what has no axis of steps is left to the kernel."""
    check("y", [np.array(value) for value in sizes])
