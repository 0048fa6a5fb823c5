"""Thawing is the inverse of freezing."""

from hypothesis import given
from hypothesis import strategies as st

from zoo.graph import by_name
from zoo.listed import definitions
from zoo.model import Model
from zoo.nodes import node
from zoo.protos import MetaGraphDef
from zoo.samples import FLOAT, sample_model
from zoo.tensors import ArrayTensor
from zoo.thaw import thaw


def test_a_constant_becomes_a_variable_of_its_name():
    """The node that named the constant's value becomes the one that reads the variable."""
    thawed = sample_model().freeze().thaw()
    nodes = by_name(thawed.graph)

    assert (nodes["dense/kernel"].op, nodes["dense/kernel/read"].op) == (
        "VarHandleOp",
        "ReadVariableOp",
    )
    assert nodes["dense/kernel"].attr["shared_name"].s == b"dense/kernel"
    assert list(definitions(thawed.meta_graph)) == ["dense/kernel", "dense/bias"]


def test_freezing_again_gives_the_frozen_graph():
    """Freeze and thaw undo each other, node by node."""
    frozen = sample_model().freeze()

    again = frozen.thaw().freeze()

    assert {n.name: n for n in again.graph.node} == {n.name: n for n in frozen.graph.node}
    assert again.weights["dense/kernel"].tobytes() == frozen.weights["dense/kernel"].tobytes()


@given(st.lists(st.floats(width=32), min_size=2, max_size=2))
def test_values_do_not_change(values):
    """Whatever a weight holds, it holds the same in either form."""
    model = sample_model(bias=ArrayTensor.of(ArrayTensor.of(values).array.astype("f4")))

    there_and_back = model.freeze().thaw()

    assert there_and_back.weights["dense/bias"].tobytes() == model.weights["dense/bias"].tobytes()


def test_a_constant_that_is_used_directly_gets_a_read():
    """Uses other than a naming one go through a read of the variable."""
    meta_graph = MetaGraphDef()
    frozen = sample_model().freeze()
    meta_graph.CopyFrom(frozen.meta_graph)
    for one in meta_graph.graph_def.node:
        if one.name == "dense/MatMul":
            one.input[1] = "dense/kernel"

    nodes = by_name(thaw(meta_graph, frozen.weights)[0].graph_def)

    assert nodes["dense/MatMul"].input[1] == "dense/kernel/Read/ReadVariableOp"


def test_a_signature_that_puts_out_a_constant_puts_out_its_value():
    """A handle is not what a caller wants."""
    frozen = sample_model().freeze()
    meta_graph = MetaGraphDef()
    meta_graph.CopyFrom(frozen.meta_graph)
    meta_graph.signature_def["s"].outputs["w"].name = "dense/kernel:0"

    edited, _, trained = thaw(meta_graph, frozen.weights)

    assert edited.signature_def["s"].outputs["w"].name == "dense/kernel/Read/ReadVariableOp:0"
    assert trained == {"dense/kernel", "dense/bias"}


def test_a_constant_of_a_loop_stays():
    """A constant that waits for something belongs to a loop or a branch, and stays."""
    frozen = sample_model().freeze()
    meta_graph = MetaGraphDef()
    meta_graph.CopyFrom(frozen.meta_graph)
    by_name(meta_graph.graph_def)["dense/bias"].input.append("^x")

    nodes = by_name(thaw(meta_graph, frozen.weights)[0].graph_def)

    assert (nodes["dense/bias"].op, nodes["dense/kernel"].op) == ("Const", "VarHandleOp")


def test_a_model_without_weights_is_left_alone():
    """There is nothing to thaw in a sum."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.node.append(node("x", "Placeholder", dtype=FLOAT))
    model = Model(meta_graph, {})

    assert model.thaw().meta_graph is meta_graph
