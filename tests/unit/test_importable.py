"""What is handed to TensorFlow imports, and the model stays as it was."""

import pytest

from zoo.graph import by_name
from zoo.importable import importable, parsable
from zoo.nodes import node
from zoo.protos import MetaGraphDef
from zoo.samples import FLOAT, sample_model
from zoo.weights import Weights


@pytest.mark.parametrize(
    ("version", "part"),
    [
        ("0.12.head", "0.12"),
        ("1.1.0-rc2", "1.1.0-rc2"),
        ("2.0.0-beta1", "2.0.0-beta1"),
        ("head", ""),
        ("2.21.0", "2.21.0"),
    ],
)
def test_versions_nobody_parses(version, part):
    """TensorFlow dies on the strings of its own development versions."""
    assert parsable(version) == part


def test_stale_hints_and_lost_clusters_go():
    """Shapes that TensorFlow infers itself, and machines that are not there."""
    meta_graph = MetaGraphDef()
    made = node("y", "Neg", ["x"], device="/job:ps/task:3/device:GPU:0", T=FLOAT)
    made.attr["_output_shapes"].list.shape.add()
    meta_graph.graph_def.node.append(made)
    meta_graph.meta_info_def.tensorflow_version = "0.12.head"
    before = meta_graph.SerializeToString(deterministic=True)

    prepared = importable(meta_graph, Weights({}))

    (prepared_node,) = prepared.graph_def.node
    assert (prepared_node.device, sorted(prepared_node.attr)) == ("/device:GPU:0", ["T"])
    assert prepared.meta_info_def.tensorflow_version == "0.12"
    assert meta_graph.SerializeToString(deterministic=True) == before


def test_constants_without_values_become_variables():
    """A constant whose value lies outside is filled after the import, not before."""
    frozen = sample_model().freeze()

    nodes = by_name(importable(frozen.meta_graph, frozen.weights).graph_def)

    assert nodes["dense/kernel"].op == "VariableV2"
    assert [d.size for d in nodes["dense/kernel"].attr["shape"].shape.dim] == [3, 2]


def test_constants_of_a_loop_keep_their_values():
    """A variable in the place of a constant with a control input would be in the wrong frame."""
    frozen = sample_model().freeze()
    meta_graph = MetaGraphDef()
    meta_graph.CopyFrom(frozen.meta_graph)
    by_name(meta_graph.graph_def)["dense/kernel"].input.append("^x")

    kernel = by_name(importable(meta_graph, frozen.weights).graph_def)["dense/kernel"]

    assert (kernel.op, list(kernel.input)) == ("Const", ["^x"])
    assert len(kernel.attr["value"].tensor.tensor_content) == 3 * 2 * 4


def test_variables_without_a_shared_name_get_their_own():
    """With no shared name all variables of a session would be one."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.node.append(node("v", "VarHandleOp", dtype=FLOAT, shared_name=""))

    (made,) = importable(meta_graph, Weights({})).graph_def.node

    assert made.attr["shared_name"].s == b"v"


def test_ranks_are_written_into_placeholders():
    """A rank that the graph leaves open is given for one trial."""
    model = sample_model()

    nodes = by_name(importable(model.meta_graph, model.weights, {"x": [None, None]}).graph_def)

    assert [d.size for d in nodes["x"].attr["shape"].shape.dim] == [-1, -1]
