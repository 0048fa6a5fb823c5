"""Graphs: binary and as text, with constants that lie about themselves."""

import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import strategies as st

import zoo
from tests.fuzz.edits import NUMBERS, Specimen, trees
from tests.fuzz.targets import BESIDE, Target, read_all
from zoo import graph_source, protos, tensor_protos
from zoo.errors import ZooError
from zoo.samples import sample_model
from zoo.tensors import ArrayTensor

pytestmark = pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")
WORDS = (b"node {", b"{", b"}", b"attr {", b"dim { size: 99999999999 }", b'"', b": -1", b"[", b"<")


def large_constants():
    """Return a frozen graph, two of whose constants are left in the file."""
    kernel = ArrayTensor.of(np.ones((40, 50), "f"))
    model = sample_model(kernel, ArrayTensor.of(np.arange(50, dtype="f")))
    with tempfile.TemporaryDirectory() as room:
        zoo.save(model, Path(room, "net.pb"), "frozen")
        return Path(room, "net.pb").read_bytes()


def specimens():
    """Return graphs and MetaGraphs, binary and as text."""
    model = sample_model()
    with tempfile.TemporaryDirectory() as room:
        zoo.save(model, Path(room, "net.pb"), "frozen")
        frozen = Path(room, "net.pb").read_bytes()
    meta = model.meta_graph.SerializeToString()
    graph = protos.GraphDef.FromString(frozen)
    binary = [{"g": frozen}, {"g": large_constants()}, {"g": meta}]
    texts = [text_format.MessageToString(one).encode() for one in (graph, model.meta_graph)]
    return [
        *(Specimen(tree, messages=messages) for tree in binary for messages in (False, True, True)),
        *(Specimen({"g": text}) for text in texts),
    ]


def look(folder):
    """Read the graph, the constants that lie in the file and those in its nodes."""
    path = folder / "g"
    graph_source.is_text(path)
    graph_source.is_meta_graph(path)
    meta_graph, tensors = graph_source.read(path)
    read_all(tensors.values())
    for node in meta_graph.graph_def.node:
        if "value" in node.attr:
            try:
                read_all([tensor_protos.from_proto(node.attr["value"].tensor)])
            except ZooError as error:
                str(error)


def look_whole(folder):
    """Say of the graph all that ``zoo inspect`` says."""
    (folder / "g").rename(folder / "net.pb")
    zoo.inspect(folder / "net.pb")


@st.composite
def tensors(draw):
    """Return a tree with a constant that was made up from nothing."""
    sizes = st.one_of(st.integers(-2, 6), st.sampled_from([*NUMBERS[:14], -(1 << 63), 1 << 30]))
    proto = protos.TensorProto(dtype=draw(st.integers(0, 35) | st.sampled_from([101, 107, -1])))
    for size in draw(st.lists(sizes, max_size=4)):
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_shape.unknown_rank = draw(st.integers(0, 9)) == 9
    for _ in range(draw(st.integers(0, 2))):
        field = draw(st.sampled_from(sorted(_VALUES)))
        if field in ("tensor_content", "float8_val"):
            setattr(proto, field, draw(_VALUES[field]))
        else:
            getattr(proto, field).extend(draw(st.lists(_VALUES[field], max_size=5)))
    return {"t": proto.SerializeToString()}


_SMALL = st.integers(-(1 << 31), (1 << 31) - 1)
_VALUES = {
    "tensor_content": st.binary(max_size=40), "float8_val": st.binary(max_size=4),
    "float_val": st.floats(width=32), "double_val": st.floats(), "int_val": _SMALL,
    "half_val": _SMALL, "int64_val": _SMALL, "bool_val": st.booleans(),
    "string_val": st.binary(max_size=4), "scomplex_val": st.floats(width=32),
    "dcomplex_val": st.floats(), "uint32_val": st.integers(0, 9), "uint64_val": st.integers(0, 9),
}  # fmt: skip


def constant(folder):
    return protos.TensorProto.FromString((folder / "t").read_bytes())


def look_constant(folder):
    """Read the constant in every way there is."""
    proto = constant(folder)
    for way in (tensor_protos.number, tensor_protos.texts):
        try:
            way(proto)
        except ZooError as error:
            str(error)
    one = tensor_protos.from_proto(proto)
    tensor_protos.to_proto(one)
    read_all([one])


TARGETS = [
    Target("graph", trees(specimens, WORDS), look),
    Target("inspect_graph", trees(specimens, WORDS), look_whole),
    Target("constant", tensors(), look_constant),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_graphs_are_read_or_refused(target):
    """Every node and constant, whatever the file says."""
    read, refused = target.fuzz()

    assert read
    assert refused


@pytest.mark.tensorflow
def test_constants_are_those_that_tensorflow_reads(tf):
    """What is taken of a made-up constant, TensorFlow takes for the same values."""

    def look_beside(folder):
        proto = constant(folder)
        ours = tensor_protos.from_proto(proto)
        if ours.nbytes > 1 << 20 or math.prod(max(size, 1) for size in ours.shape) > 1 << 16:
            return
        values = ours.read()
        try:
            theirs = _of_tensorflow(tf, proto)
        except (ValueError, tf.errors.OpError):  # a kind of constant that it does not run
            return
        assert theirs.shape == values.shape
        assert theirs.tolist() == values.tolist() or theirs.tobytes() == values.tobytes()

    assert Target("constant_tensorflow", tensors(), look_beside, memory=BESIDE).fuzz(300)[0]


def _of_tensorflow(tf, proto):
    """Return the values of the constant as TensorFlow's kernel has them."""
    stated = tf.compat.v1.AttrValue(tensor=proto.SerializeToString() and _theirs(proto))
    with tf.Graph().as_default() as graph:
        node = tf.compat.v1.NodeDef(name="c", op="Const")
        node.attr["value"].CopyFrom(stated)
        node.attr["dtype"].type = stated.tensor.dtype
        tf.import_graph_def(tf.compat.v1.GraphDef(node=[node]), name="")
        with tf.compat.v1.Session(graph=graph) as session:
            return np.asarray(session.run("c:0"))


def _theirs(proto):
    from tensorflow.core.framework import tensor_pb2

    return tensor_pb2.TensorProto.FromString(proto.SerializeToString())


@pytest.mark.tensorflow
def test_graphs_that_are_taken_are_those_that_tensorflow_parses(tf):
    """A graph that is read with its constants left aside is the one that protobuf parses."""

    def look_beside(folder):
        meta_graph, left = graph_source.read(folder / "g")
        data = (folder / "g").read_bytes()
        theirs = tf.compat.v1.GraphDef()
        try:
            theirs.ParseFromString(data)
        except Exception as error:  # its kind moves between releases
            raise AssertionError("TensorFlow does not parse it") from error
        ours = {node.name: node.op for node in meta_graph.graph_def.node}
        assert ours == {node.name: node.op for node in theirs.node}
        for node in theirs.node:
            if node.name in left:
                proto = protos.TensorProto.FromString(node.attr["value"].tensor.SerializeToString())
                assert left[node.name].tobytes() == tensor_protos.from_proto(proto).tobytes()

    only = [Specimen({"g": large_constants()}, messages=m) for m in (False, True)]
    assert Target("graph_tensorflow", trees(lambda: only), look_beside, memory=BESIDE).fuzz(150)[0]
