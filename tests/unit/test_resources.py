"""Reference variables become resources under the same names, and so do those who use them."""

import pytest

from zoo.errors import UnsupportedError
from zoo.graph import by_name
from zoo.listed import ALL, definitions
from zoo.nodes import Dims, node, placeholder
from zoo.protos import MetaGraphDef
from zoo.resources import to_resources
from zoo.samples import FLOAT, sample_model
from zoo.variables import declare


def graph_of(*nodes, outputs=()):
    """Return a graph with a reference variable ``v`` and `nodes`, and a signature on `outputs`."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.node.append(node("v", "VariableV2", dtype=FLOAT, shape=Dims([])))
    meta_graph.graph_def.node.append(placeholder("x", FLOAT))
    meta_graph.graph_def.node.extend(nodes)
    for name in outputs:
        meta_graph.signature_def["s"].outputs[name].name = f"{name}:0"
    return meta_graph


def op(name, kind, *inputs, **attrs):
    return node(name, kind, inputs, T=FLOAT, **attrs)


def rewritten(*nodes, outputs=()):
    edited = to_resources(graph_of(*nodes, outputs=outputs))
    return by_name(edited.graph_def), edited


def test_a_variable_becomes_a_handle_and_its_identity_a_read():
    """Names, shape and dtype stay; the shared name keeps variables apart."""
    nodes, _ = rewritten(op("v/read", "Identity", "v"))

    assert (nodes["v"].op, nodes["v"].attr["shared_name"].s) == ("VarHandleOp", b"v")
    assert (nodes["v/read"].op, list(nodes["v/read"].input)) == ("ReadVariableOp", ["v"])


def test_mutations_use_handles():
    """Assignments, optimizers and scatters have counterparts, with their attributes."""
    nodes, _ = rewritten(
        op("v/Assign", "Assign", "v", "x", use_locking=True, validate_shape=True),
        op("add", "AssignAdd", "v", "x"),
        op("descend", "ApplyGradientDescent", "v", "x", "x", use_locking=False),
        op("scatter", "ScatterUpdate", "v", "x", "x", Tindices=FLOAT),
    )

    assert nodes["v/Assign"].op == "AssignVariableOp"
    assert sorted(nodes["v/Assign"].attr) == ["dtype"]
    assert (nodes["add"].op, nodes["descend"].op) == (
        "AssignAddVariableOp",
        "ResourceApplyGradientDescent",
    )
    assert sorted(nodes["descend"].attr) == ["T", "use_locking"]
    assert nodes["scatter"].op == "ResourceScatterUpdate"
    assert sorted(nodes["scatter"].attr) == ["Tindices", "dtype"]


def test_any_other_use_gets_a_read_of_its_own():
    """It reads when its user runs: after what that waits for."""
    nodes, _ = rewritten(op("y", "Mul", "v", "x", "^x"))

    assert list(nodes["y"].input) == ["y/ReadVariableOp", "x", "^x"]
    assert list(nodes["y/ReadVariableOp"].input) == ["v", "^x"]


def test_the_result_of_a_mutation_is_read_after_it():
    """Who used the new value gets it, under the name it had; so does a signature."""
    nodes, _ = rewritten(op("add", "AssignAdd", "v", "x"), op("y", "Neg", "add"), outputs=["add"])

    assert nodes["add/update"].op == "AssignAddVariableOp"
    assert (nodes["add"].op, list(nodes["add"].input)) == ("ReadVariableOp", ["v", "^add/update"])
    assert list(nodes["y"].input) == ["add"]


def test_a_mutation_of_a_result_comes_after_it():
    """A reference that a mutation passes on is the handle, and the order of the two stays."""
    nodes, _ = rewritten(op("first", "Assign", "v", "x"), op("second", "AssignAdd", "first", "x"))

    assert list(nodes["second"].input) == ["v", "x", "^first/update"]


def test_an_initializer_keeps_its_name():
    """Initializers are run by name; what reads their result reads it after them."""
    meta_graph = graph_of(op("y", "Neg", "v/Assign"))
    meta_graph.graph_def.node.append(op("v/Assign", "Assign", "v", "x"))
    meta_graph.graph_def.node.append(op("v/read", "Identity", "v"))
    declare(meta_graph, {"v": ()}, {"v"})
    definition = definitions(meta_graph)["v"]
    definition.initializer_name = "v/Assign"
    meta_graph.collection_def[ALL].bytes_list.value[:] = [definition.SerializeToString()]

    nodes = by_name(to_resources(meta_graph).graph_def)

    assert nodes["v/Assign"].op == "AssignVariableOp"
    assert list(nodes["y"].input) == ["y/ReadVariableOp"]
    assert list(nodes["y/ReadVariableOp"].input) == ["v", "^v/Assign"]


def test_references_through_conditions():
    """A variable that is updated in a branch is passed there as a handle."""
    nodes, _ = rewritten(
        op("switch", "RefSwitch", "v", "x"),
        op("add", "AssignAdd", "switch:1", "x"),
        op("y", "Neg", "switch"),
    )

    assert (nodes["switch"].op, nodes["switch"].attr["T"].type) == ("Switch", 20)
    assert list(nodes["add"].input) == ["switch:1", "x"]
    assert list(nodes["y/ReadVariableOp"].input) == ["switch"]


def test_a_signature_that_puts_out_the_variable_puts_out_its_value():
    """A handle is not what a caller wants."""
    nodes, edited = rewritten(outputs=["v"])

    name = edited.signature_def["s"].outputs["v"].name
    assert nodes[name.partition(":")[0]].op == "ReadVariableOp"


def test_collections_say_that_it_is_a_resource():
    """Every list of variables is told, or a loader makes the wrong kind."""
    meta_graph = sample_model().meta_graph

    edited = to_resources(meta_graph)

    assert all(entry.is_resource for entry in definitions(edited).values())
    assert not any(entry.is_resource for entry in definitions(meta_graph).values())


def test_a_graph_without_references_is_left_alone():
    """There is nothing to do, and nothing is copied."""
    edited = to_resources(sample_model().meta_graph)

    assert to_resources(edited) is edited


def test_what_has_no_counterpart_is_refused():
    """Better an error than a graph that means something else."""
    with pytest.raises(UnsupportedError, match="no counterpart"):
        rewritten(op("s", "RefSelect", "x", "v", "v", N=2))
