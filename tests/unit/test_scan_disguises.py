"""Files that are several things, and things with the names of others, are seen through."""

import io
import pickle
import zipfile

import pytest

import zoo
from tests import hostile_graphs as hostile
from zoo import protos, wire

EVIL, GOOD = hostile.in_function(), hostile.meta_graph()
DECOY = wire.field(1, wire.field(1, b"a") + wire.field(2, b"NoOp"))
"""A node of a graph, which other messages take for settings of theirs."""


@pytest.fixture
def scan(tmp_path):
    """Return what scans a file of these bytes."""

    def scanned(content, name="model.pb"):
        (tmp_path / name).write_bytes(content)
        return zoo.scan(tmp_path / name)

    return scanned


def ops(document):
    return {one["op"]: one["level"] for one in document["findings"]}


def zipped(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


@pytest.mark.parametrize("name", ["saved_model.pb", "model.meta", "model.pb", "model"])
@pytest.mark.parametrize("form", ["saved model", "meta graph"])
def test_m01_a_message_behind_the_nodes_of_another_is_read(scan, name, form):
    """What begins as a frozen graph is a SavedModel, or a MetaGraph, to those that load it."""
    whole = EVIL.SerializeToString()
    document = scan(DECOY + (wire.field(2, whole) if form == "saved model" else whole), name)

    assert (document["verdict"], ops(document)) == ("findings", {"WriteFile": "io"})
    assert any("several messages" in one for one in document["unread"])


def test_m01_a_graph_with_functions_is_one_message(scan):
    """Its library is no graph to anybody."""
    graph = protos.GraphDef()
    graph.CopyFrom(GOOD.graph_def)
    made = graph.library.function.add()
    made.signature.name = "double"
    made.node_def.add(name="n", op="NoOp")
    graph.library.gradient.add(function_name="double", gradient_func="double")

    assert scan(graph.SerializeToString())["unread"] == []


KERAS = {"config.json": "{}", "metadata.json": "{}", "model.weights.h5": b"\x89HDF\r\n\x1a\n"}


@pytest.mark.parametrize(
    ("name", "data", "op"),
    [
        ("saved_model.pb", hostile.saved_model(EVIL).SerializeToString(), "WriteFile"),
        ("sub/frozen.pb", EVIL.graph_def.SerializeToString(), "WriteFile"),
        ("evil.pkl", pickle.dumps(print), "pickle"),
        ("assets/words.pkl", pickle.dumps(print), "pickle"),
    ],
)
def test_m11_what_else_is_in_a_file_of_keras_is_looked_at(scan, name, data, op):
    """Whoever unpacks it finds more than a net."""
    assert op in ops(scan(zipped({**KERAS, name: data}), "net.keras"))


def test_m11_words_in_a_file_of_keras_are_its_own(scan):
    """Its assets are no models, and nothing is said of them but that."""
    plain = scan(zipped(KERAS), "net.keras")
    document = scan(zipped({**KERAS, "assets/vocabulary.txt": b"a\nb\n"}), "net.keras")

    assert document["unread"] == plain["unread"]
    assert document["findings"] == []


def test_m01_a_file_called_as_shards_are_is_looked_at(scan, tmp_path):
    """Values of a checkpoint lie beside its index."""
    name, data = "net.data-00000-of-00001", EVIL.graph_def.SerializeToString()
    assert ops(scan(data, name)) == {"WriteFile": "io"}
    assert ops(zoo.scan(tmp_path)) == {"WriteFile": "io"}
    assert scan(bytes(64), name)["verdict"] == "unknown"
