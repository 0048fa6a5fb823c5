"""Files that are several things, and things with the names of others, are seen through."""

import base64
import json
import pickle

import pytest

import zoo
from tests import hostile_graphs as hostile
from tests.packed import zipped
from zoo import keras_findings, keras_trust, protos, wire

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


@pytest.mark.parametrize("name", ["saved_model.pb", "model.meta", "model.pb", "model"])
@pytest.mark.parametrize("form", ["saved model", "meta graph"])
def test_m01_a_message_behind_the_nodes_of_another_is_read(scan, name, form):
    """What begins as a frozen graph is a SavedModel, or a MetaGraph, to those that load it."""
    whole = EVIL.SerializeToString()
    document = scan(DECOY + (wire.field(2, whole) if form == "saved model" else whole), name)

    assert (document["verdict"], ops(document)) == ("findings", {"WriteFile": "io"})
    assert any("several messages" in one for one in document["unread"])


def test_m01_a_message_in_a_comment_of_a_text_is_read(scan):
    """A text may begin as a message does, and have the rest of one behind a #."""
    start = b'ode { name: "a" op: "NoOp" } #'
    text = b"\nn" + start.ljust(ord("n"), b" ")
    node = wire.field(1, b"#12345678") + wire.field(2, b"ReadFile") + wire.field(15, b" " * 12)
    assert len(node) == ord("#")  # so that each line which a tag begins is a comment
    data = text + wire.field(2, wire.field(2, wire.field(1, node)))

    assert ops(scan(data, "model.meta")) == {"ReadFile": "network"}  # a file nobody names


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


def described(kind, module=None, registered=None, **settings):
    settings = {"name": "the_layer", **settings}
    named = {} if module is None else {"module": module, "registered_name": registered}
    return {"class_name": kind, "config": settings, **named}


def function(module, name, registered=None):
    said = {"class_name": "function", "config": name, "module": module}
    return said | {"registered_name": registered}


def levels(*layers):
    """Return the levels of what is found in a net of `layers`."""
    net = {"class_name": "Sequential", "config": {"name": "net", "layers": list(layers)}}
    return {one.level for one in keras_findings.findings(net)}


def graph_layer(graph, kind="GraphLayer", registered="zoo>GraphLayer"):
    return described(kind, "zoo.keras_layer", registered, graph=graph)


@pytest.mark.parametrize("kind", ["GraphLayer", "Other"])
def test_m11_the_graph_of_a_layer_of_ours_is_looked_at(kind):
    """It is carried in the settings, whatever its class is called beside its registered name."""
    data = base64.b64encode(EVIL.graph_def.SerializeToString()).decode()
    assert "io" in levels(graph_layer(data, kind))
    assert "io" in levels(described("zoo>GraphLayer", graph=data))


@pytest.mark.parametrize("graph", ["", "?", "AAAA", None, 7, ["x"]])
def test_m11_a_graph_in_a_layer_that_cannot_be_read_is_unknown(graph):
    """Anything may stand where a graph should."""
    assert levels(graph_layer(graph)) == {"unknown"}


def test_m11_a_graph_in_a_layer_that_only_computes_is_clean():
    """As `Model.layer` makes them."""
    data = base64.b64encode(GOOD.graph_def.SerializeToString()).decode()
    assert levels(graph_layer(data)) == levels(described("zoo>GraphLayer", graph=data)) == set()


BORROWED = [
    described("get_file", "keras.utils", "zoo>x"),
    function("os", "system", "zoo>x"),
    function("os", "system", "zoo>hard_sigmoid"),
    described("TFOpLambda", "os", "zoo>TFOpLambda", function="math.add"),
    described("Other", "zoo", "zoo>TFOpLambda", function="math.add"),
    function("keras.models", "load_model"),
    function("keras.models", "model_from_json"),
    function("keras.saving", "load_model"),
    function("keras.utils", "get_file"),
    function("keras.layers", "deserialize"),
    function("keras.layers", "TFSMLayer"),
    function("keras.losses", "deserialize"),
    function("keras.src.models.model", "model_from_json"),
    function("keras.src.applications.vgg16", "VGG16"),
]


@pytest.mark.parametrize("named", BORROWED)
def test_m11_a_borrowed_name_excuses_nothing(named):
    """Neither one of ours with another module, nor a module of Keras with what makes objects."""
    config = described("Activation", "keras.layers", activation=named)

    assert levels(config) & {"python", "unknown"}
    assert [*keras_trust._strange(config)]


@pytest.mark.parametrize(
    "named",
    [
        function("keras.activations", "relu"),
        function("builtins", "relu"),
        function("builtins", "zoo>hard_sigmoid", "zoo>hard_sigmoid"),
        described("Sequential", "keras.models"),
        described("Functional", "keras.src.models.functional"),
        described("Add", "keras.src.ops.numpy"),
        described("LayerScale", "keras.src.applications.convnext"),
    ],
)
def test_m11_what_is_keras_s_or_ours_is_let_be(named):
    """As files of Keras name it."""
    assert levels(named) == set()
    assert [*keras_trust._strange(named)] == []


READ_FILE = protos.NodeDef(name="n", op="ReadFile").SerializeToString().decode()
NODES = [
    ({"name": "n", "op": "ReadFile"}, {"io"}),
    (READ_FILE, {"io"}),
    ('name: "n" op: "ReadFile"', {"io"}),
    (r'op: "Read\x46ile"', {"io"}),
    (r'{"op": "Read\u0046ile"}', {"io"}),
    ({"op": "NoOp", "name": {"op": "x"}}, {"unknown"}),
    ('op: "NoOp" \n\x08ReadFile', {"unknown"}),
    ({"class_name": "__bytes__", "config": {"value": READ_FILE}}, {"unknown"}),
    ([{"op": "NoOp"}], {"unknown"}),
    (None, {"unknown"}),
    ({"name": "n", "op": "AddV2"}, set()),
    ('{"name": "n", "op": "AddV2"}', set()),
    (protos.NodeDef(name="n", op="AddV2").SerializeToString().decode(), set()),
]


@pytest.mark.parametrize(("node", "found"), NODES)
def test_m11_an_operation_as_a_layer_is_read_and_not_searched(node, found):
    """As a mapping, as JSON, as text and as the message itself; a decoy in it says nothing."""
    layer = described("TensorFlowOpLayer", node_def=json.loads(json.dumps(node)))
    assert levels(layer) == found


@pytest.mark.parametrize("kind", ["TFOpLambda", "SlicingOpLambda"])
def test_m11_functions_of_tensorflow_are_those_that_we_know(kind):
    """What nobody looked at is unknown, be it called as innocently as one likes."""
    for name in ("import_graph_def", "io.decode_proto", "strings.x", "math.__init__", "", None):
        assert levels(described(kind, function=name)) == {"unknown"}
    assert levels(described(kind, function="io.write_file")) == {"io"}
    for name in ("math.add", "__operators__.getitem", "__operators__.mul", "concat"):
        assert levels(described(kind, function=name)) == set()
