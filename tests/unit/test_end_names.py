"""Other names for inputs and outputs: none that is taken, unknown, or no name."""

import pytest

import zoo
from zoo.errors import UnknownNameError, UnsupportedError, UsageError


@pytest.mark.parametrize(
    ("inputs", "outputs", "nodes", "error", "words"),
    [
        ({"w1": "w2"}, {}, False, UsageError, "two inputs would be called 'w2'"),
        ({"w3": "x"}, {}, False, UnknownNameError, "no input 'w3'"),
        ({}, {"sum": "x"}, False, UnknownNameError, "no output 'sum'"),
        ({"w1": "bias"}, {}, True, UsageError, "a node of the graph is called 'bias'"),
        ({}, {"op_to_restore": "Add"}, True, UsageError, "a node of the graph is called 'Add'"),
        ({"w1": "a b"}, {}, True, UsageError, "no node can be called 'a b'"),
        ({"w1": ""}, {}, False, UsageError, "would be called ''"),
    ],
)
def test_names_that_cannot_be(inputs, outputs, nodes, error, words):
    """Collisions and unknown names, each with what helps."""
    with pytest.raises(error) as caught:
        zoo.load("toy-adder").renamed(inputs, outputs, nodes=nodes)

    assert words in caught.value.problem
    assert caught.value.hint


def test_one_name_for_two_nodes(tmp_path):
    """Two signatures that mean different tensors by one name have no node to be called so."""
    model = zoo.load("toy-adder").with_signature({"w1": "w1:0"}, {"sum": "Add:0"}, "one")
    model = model.with_signature({"w1": "w2:0"}, {"sum": "Add:0"}, "two")

    assert model.renamed({"w1": "a"}).signatures["two"].inputs["a"].tensor == "w2:0"
    with pytest.raises(UnsupportedError, match="no one node"):
        model.renamed({"w1": "a"}, nodes=True)
