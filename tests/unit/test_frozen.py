"""What is not a whole frozen graph is refused when it is opened."""

import pytest

import zoo
from zoo import graph_file
from zoo.errors import FormatError, UnsupportedError
from zoo.nodes import node
from zoo.protos import GraphDef
from zoo.samples import FLOAT, sample_model
from zoo.tensors import LazyTensor


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


@pytest.mark.parametrize("held_as", ["variables", "constants"])
def test_what_no_graph_can_hold_is_refused_at_once(tmp_path, held_as):
    """Before a byte is read or a folder made, with the size and what works in its place."""
    large = LazyTensor(FLOAT, (1 << 20, 600), lambda: pytest.fail("read"))
    model = sample_model(kernel=large)
    model = model if held_as == "variables" else model.freeze()

    with pytest.raises(UnsupportedError) as caught:
        zoo.save(model, tmp_path / "new" / "net.pb", "frozen")

    assert "2.5 GB (25165" in caught.value.found
    assert str(graph_file.MOST) in caught.value.found
    assert all(word in caught.value.hint for word in ("SavedModel", "--shard-size", "--dtype"))
    assert list(tmp_path.iterdir()) == []


def test_it_is_refused_before_a_folder_is_made(tmp_path):
    """What is wrong with the place is not found out: nobody went there."""
    (tmp_path / "file").touch()
    large = LazyTensor(FLOAT, (1 << 20, 600), lambda: pytest.fail("read"))

    with pytest.raises(UnsupportedError, match="too large"):
        zoo.save(sample_model(kernel=large), tmp_path / "file" / "net.pb", "frozen")


def nearly_full(rest):
    """Return a frozen model that leaves `rest` bytes of what a graph can have."""
    room = graph_file.MOST - sample_model().freeze().graph.ByteSize() - rest
    tensor = LazyTensor(FLOAT, (room // 4, 1), lambda: pytest.fail("read"))
    return sample_model(kernel=tensor).freeze()


def test_what_stands_around_values_counts():
    """A graph just below the limit is not refused, and one that only its lengths make too large."""
    fits, full = nearly_full(200), nearly_full(16)

    graph_file.refuse_too_large(fits.graph, fits.weights)
    with pytest.raises(UnsupportedError, match="too large"):
        graph_file.refuse_too_large(full.graph, full.weights)
