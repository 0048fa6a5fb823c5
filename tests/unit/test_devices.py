"""Every operation goes to one device, or to none in particular."""

import pytest

from zoo.devices import placed
from zoo.errors import UsageError
from zoo.nodes import node
from zoo.protos import FunctionDef, MetaGraphDef
from zoo.samples import FLOAT


@pytest.fixture
def scattered():
    """Return a graph and a function in it with a device each."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.node.append(node("y", "Neg", ["x"], device="/gpu:3", T=FLOAT))
    function = FunctionDef()
    function.node_def.append(node("z", "Neg", ["a"], device="/job:ps/task:1", T=FLOAT))
    meta_graph.graph_def.library.function.append(function)
    return meta_graph


@pytest.mark.parametrize("device", ["/cpu:0", "/device:GPU:1", "/job:worker/task:0", None])
def test_functions_move_too(scattered, device):
    """What they call their operations' devices counts as much as the graph's."""
    moved = placed(scattered, device).graph_def

    nodes = [*moved.node, *moved.library.function[0].node_def]
    assert [one.device for one in nodes] == [device or ""] * 2
    assert scattered.graph_def.node[0].device == "/gpu:3"


@pytest.mark.parametrize("name", ["", "gpu", "cpu:0", "/gpu", "the fast one"])
def test_what_is_no_device(scattered, name):
    """TensorFlow would say so only when it runs."""
    with pytest.raises(UsageError):
        placed(scattered, name)
