"""What a graph says of a tensor is used, and nothing is made up."""

import pytest

from zoo import specs
from zoo.errors import UnknownNameError
from zoo.nodes import node, placeholder
from zoo.protos import MetaGraphDef
from zoo.samples import FLOAT, sample_model
from zoo.specs import TensorSpec


@pytest.mark.parametrize(
    ("producer", "sizes", "shape"),
    [(21, [], None), (22, [], ()), (21, [2], (2,)), (22, None, None)],
)
def test_old_placeholders_without_a_shape(producer, sizes, shape):
    """Up to producer 21 a scalar placeholder meant one of any shape."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.versions.producer = producer
    meta_graph.graph_def.node.append(placeholder("x", FLOAT, sizes))

    assert specs.spec_of(meta_graph.graph_def, "x").shape == shape


def test_shapes_from_hints_and_constants():
    """What the graph says of a shape is used, and nothing is made up."""
    hinted = node("y", "Neg", ["x"], T=FLOAT)
    hinted.attr["_output_shapes"].list.shape.add().dim.add(size=-1)
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.node.extend([hinted, node("z", "Neg", ["x"], T=FLOAT)])

    assert specs.spec_of(meta_graph.graph_def, "y:0").shape == (None,)
    assert specs.spec_of(meta_graph.graph_def, "z").shape is None


@pytest.mark.parametrize("tensor", ["nobody:0", "probabilities:7"])
def test_a_tensor_that_is_not_there(tensor):
    """Neither an unknown node nor an output that its operation does not have."""
    with pytest.raises(UnknownNameError):
        specs.spec_of(sample_model().graph, tensor)


def test_a_specification_says_itself():
    """Dtype and shape, with open axes as question marks."""
    assert str(TensorSpec("x:0", FLOAT, None)) == "float32 unknown shape"
    assert str(TensorSpec("x:0", FLOAT, (None, 3))) == "float32 (?, 3)"
