"""What is not a whole frozen graph is refused when it is opened."""

import pytest

import zoo
from zoo.errors import FormatError
from zoo.nodes import node
from zoo.protos import GraphDef
from zoo.samples import FLOAT, sample_model


def written(tmp_path, graph):
    path = tmp_path / "net.pb"
    path.write_bytes(graph.SerializeToString())
    return path


def test_a_graph_whose_variables_have_no_values(tmp_path):
    """A GraphDef of a checkpoint is no frozen graph; the hint says what to load instead."""
    path = written(tmp_path, sample_model().graph)

    with pytest.raises(FormatError, match="not a frozen one") as caught:
        zoo.load(path)

    assert "'dense/kernel'" in caught.value.found
    assert "checkpoint" in caught.value.hint


def test_a_graph_with_a_part_missing(tmp_path):
    """An edge from a node that is not there."""
    graph = GraphDef()
    graph.node.append(node("y", "Neg", ["x"], T=FLOAT))

    with pytest.raises(FormatError, match="only part of a graph") as caught:
        zoo.load(written(tmp_path, graph))

    assert "'x'" in caught.value.found
