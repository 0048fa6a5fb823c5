"""Frozen graphs: large constants stay in the file, and come out again as they were."""

import numpy as np
import pytest

from zoo import dtypes, graph_file
from zoo.errors import FormatError, UnsupportedError
from zoo.nodes import node, text
from zoo.protos import GraphDef, MetaGraphDef, TensorProto
from zoo.samples import FLOAT, odd_weights, sample_model
from zoo.tensors import ArrayTensor, FileTensor, FilledTensor, LazyTensor
from zoo.weights import Weights


def graph_with(proto):
    """Return a graph with one constant of `proto`, and some nodes around it."""
    graph = GraphDef()
    graph.node.append(text("before", "x" * 10))
    made = node("w", "Const", device="/cpu:0", dtype=dtypes.dtype(proto.dtype))
    made.attr["value"].tensor.CopyFrom(proto)
    made.attr["_note"].s = b"kept"
    graph.node.append(made)
    graph.node.append(node("after", "Identity", ["w"], T=dtypes.dtype(proto.dtype)))
    graph.versions.producer = 99
    return graph


def spelled(**values):
    proto = TensorProto(dtype=1)
    proto.tensor_shape.dim.add(size=2000)
    for key, value in values.items():
        if isinstance(value, bytes):
            setattr(proto, key, value)
        else:
            getattr(proto, key).extend(value)
    return proto


NUMBERS = np.linspace(0, 1, 2000, dtype=np.float32)
SPELLINGS = {
    "content": (spelled(tensor_content=NUMBERS.tobytes()), FileTensor),
    "list": (spelled(float_val=NUMBERS.tolist()), FileTensor),
    "short list": (spelled(float_val=NUMBERS[:1500].tolist()), graph_file._Placed),
}


@pytest.mark.parametrize("kind", sorted(SPELLINGS))
def test_large_constants_stay_in_the_file(tmp_path, kind):
    """Plain bytes are mapped, other spellings parsed when read; the node keeps the rest."""
    proto, place = SPELLINGS[kind]
    graph = graph_with(proto)
    (tmp_path / "g.pb").write_bytes(graph.SerializeToString())

    read, tensors = graph_file.read(tmp_path / "g.pb")

    assert isinstance(tensors["w"], place)
    padded = np.pad(NUMBERS[:1500], (0, 500), mode="edge") if kind == "short list" else NUMBERS
    assert np.array_equal(tensors["w"].read(), padded)
    for made in graph.node:
        made.attr["value"].tensor.ClearField("tensor_content")
        made.attr["value"].tensor.ClearField("float_val")
    kept = next(n for n in read.node if n.name == "w")
    assert (kept.device, kept.attr["_note"].s) == ("/cpu:0", b"kept")
    assert not kept.attr["value"].tensor.float_val
    assert [n.name for n in read.node] == ["before", "w", "after"]
    assert read.versions.producer == 99


def test_fields_out_of_order_are_read(tmp_path):
    """A graph may be written in any order, also with its large node spelled oddly."""
    proto = spelled(tensor_content=NUMBERS.tobytes())
    graph = graph_with(proto)
    pieces = [b"\x22\x02\x08\x63"]  # versions first
    pieces += [
        b"\x0a" + graph_file.wire.encode(n.ByteSize()) + n.SerializeToString() for n in graph.node
    ]
    (tmp_path / "g.pb").write_bytes(b"".join(reversed(pieces)))

    read, tensors = graph_file.read(tmp_path / "g.pb")

    assert read.versions.producer == 99
    assert np.array_equal(tensors["w"].read(), NUMBERS)


@pytest.mark.parametrize("name", sorted(odd_weights()))
def test_odd_weights_are_streamed_as_protobuf_reads_them(tmp_path, name):
    """What the writer streams is what a full parse of the file finds."""
    tensor = odd_weights()[name]
    graph = graph_with(graph_file.header(tensor))

    graph_file.write(tmp_path / "g.pb", graph, Weights({"w": tensor}))

    parsed = GraphDef.FromString((tmp_path / "g.pb").read_bytes())
    constant = parsed.node[1].attr["value"].tensor
    assert parsed.versions.producer == 99
    assert [d.size for d in constant.tensor_shape.dim] == list(tensor.shape)
    values = graph_file.from_proto(constant).read()
    expected = tensor.read()
    assert values.tolist() == expected.tolist() or values.tobytes() == tensor.tobytes()


def test_one_value_for_many_places_stays_one(tmp_path):
    """A constant of zeros does not grow when it is written again."""
    zeros = FilledTensor(bytes(4), FLOAT, (1 << 20,))

    graph_file.write(tmp_path / "g.pb", graph_with(graph_file.header(zeros)), Weights({"w": zeros}))

    assert (tmp_path / "g.pb").stat().st_size < 200


def test_more_than_a_message_can_hold_is_refused_at_once(tmp_path):
    """Two gigabytes are too many, and nothing is written before that is known."""
    large = LazyTensor(FLOAT, (1 << 20, 600), lambda: pytest.fail("read"))

    with pytest.raises(UnsupportedError) as caught:
        graph_file.write(
            tmp_path / "g.pb", graph_with(graph_file.header(large)), Weights({"w": large})
        )

    assert "2516582" in caught.value.found
    assert not (tmp_path / "g.pb").exists()
    with pytest.raises(UnsupportedError):
        graph_file.filled(graph_with(graph_file.header(large)), Weights({"w": large}))


def test_constants_are_filled_in_memory():
    """Where a graph is part of a larger message its constants are put back."""
    tensor = ArrayTensor.of(NUMBERS)
    graph = graph_with(graph_file.header(tensor))

    whole = graph_file.filled(graph, Weights({"w": tensor}))

    assert whole.node[1].attr["value"].tensor.tensor_content == NUMBERS.tobytes()
    assert not graph.node[1].attr["value"].tensor.tensor_content
    assert graph_file.filled(graph, Weights({})) is graph


@pytest.mark.parametrize(
    "data", [b"", b"\x0a", b"<html>", b"\x0a\x05ab", b"\x08\x01\x12\x00", b"\x00" * 50]
)
def test_what_is_no_graph_is_said(tmp_path, data):
    """Junk is a FormatError with the path, and not recognised."""
    (tmp_path / "g.pb").write_bytes(data)

    with pytest.raises(FormatError, match=r"g\.pb"):
        graph_file.read(tmp_path / "g.pb")
    assert not graph_file.recognises(data)


def test_a_graph_is_told_from_its_neighbours():
    """Messages that begin alike are told apart: a MetaGraph, a SavedModel."""
    meta_graph = MetaGraphDef()
    meta_graph.CopyFrom(sample_model().meta_graph)
    meta_graph.meta_info_def.meta_graph_version = "v1"
    meta_graph.meta_info_def.stripped_op_list.op.add(name="Neg")

    assert graph_file.recognises(sample_model().graph.SerializeToString()[:64])
    assert not graph_file.recognises(meta_graph.SerializeToString())
    assert not graph_file.recognises(sample_model().meta_graph.SerializeToString())
