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


def noted():
    """Return the adder with all that may speak of its first input by name."""
    meta_graph = zoo.load("toy-adder").with_signature({"w1": "w1:0"}, {"sum": "Add:0"}).meta_graph
    (add,) = (one for one in meta_graph.graph_def.node if one.op == "Add")
    add.attr["_class"].list.s.extend([b"loc:@w1", b"loc:@w2"])
    meta_graph.collection_def["mine"].node_list.value.extend(["w1:0", "w2:0"])
    meta_graph.collection_def["while_context"].bytes_list.value.append(b"of w1")
    meta_graph.collection_def["cond_context"].bytes_list.value.append(b"of w1")
    meta_graph.signature_def["__saved_model_init_op"].outputs["init"].name = "Add:0"
    return zoo.Model(meta_graph, zoo.load("toy-adder").weights)


def test_what_speaks_of_a_node_by_name_follows_it():
    """What stands beside it, and collections; records that cannot follow go."""
    meta_graph = noted().renamed({"w1": "a"}, nodes=True).meta_graph

    (add,) = (one for one in meta_graph.graph_def.node if one.op == "Add")
    assert list(add.attr["_class"].list.s) == [b"loc:@a", b"loc:@w2"]
    assert list(meta_graph.collection_def["mine"].node_list.value) == ["a:0", "w2:0"]
    assert {"while_context", "cond_context"}.isdisjoint(meta_graph.collection_def)


def test_names_of_a_signature_leave_the_graph_alone():
    """Records and collections too."""
    model = noted()

    meta_graph = model.renamed({"w1": "a"}).meta_graph

    assert meta_graph.graph_def == model.graph
    assert dict(meta_graph.collection_def) == dict(model.meta_graph.collection_def)


def test_signatures_of_tensorflow_itself_are_not_renamed():
    """They say what runs first, and are nobody's to call."""
    with pytest.raises(UnknownNameError, match="no output 'init'"):
        noted().renamed({}, {"init": "x"})


def test_an_input_that_is_no_placeholder_keeps_its_name():
    """Anything can be fed; what computes it has a name of its own."""
    model = zoo.load("toy-adder").with_signature({"s": "Add:0"}, {"sum": "Add:0"})

    assert list(model.renamed({"s": "a"}).signature().inputs) == ["a"]
    with pytest.raises(UnsupportedError, match="'Add' is no placeholder"):
        model.renamed({"s": "a"}, nodes=True)
