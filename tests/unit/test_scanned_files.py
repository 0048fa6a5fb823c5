"""Files are looked through for what runs code or reaches out; what cannot be read is not clean."""

import base64
import gzip
import io
import json
import os
import pickle

import pytest

import zoo
from tests import hostile_graphs as hostile
from tests.made_plugins import BUNDLED, offers, plugin
from tests.packed import tarred, zipped
from zoo import keras_findings, plugins, protos, wire
from zoo.cli import main
from zoo.errors import UnknownNameError
from zoo.samples import sample_model


@pytest.fixture
def scan(tmp_path):
    """Return what scans a file of these bytes, or a folder of such files."""

    def scanned(content, name="model.pb"):
        files = content if isinstance(content, dict) else {name: content}
        for file, data in files.items():
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_bytes(data)
        return zoo.scan(tmp_path if isinstance(content, dict) else tmp_path / name)

    return scanned


def ops(document):
    return {one["op"]: one["level"] for one in document["findings"]}


def text_of(message):
    from google.protobuf import text_format

    return text_format.MessageToString(message).encode()


def binary(message):
    return message.SerializeToString()


EVIL, GOOD = hostile.in_function(), hostile.meta_graph()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("frozen.pb", binary(EVIL.graph_def)),
        ("frozen.pbtxt", text_of(EVIL.graph_def)),
        ("frozen.pb", text_of(EVIL.graph_def)),
        ("model.meta", binary(EVIL)),
        ("model.meta", text_of(EVIL)),
        ("graph", binary(EVIL.graph_def)),
        ("saved_model.pb", binary(hostile.saved_model(GOOD, EVIL))),
        ("saved_model.pbtxt", text_of(hostile.saved_model(GOOD, EVIL))),
        ("model.pb", binary(hostile.saved_model(EVIL))),
        ("library-first.pb", binary(protos.GraphDef(library=EVIL.graph_def.library))),
        ("commented.pbtxt", b"# a net\n\n" + text_of(EVIL.graph_def)),
    ],
)
def test_m01_a_graph_is_read_in_every_form(scan, name, data):
    """Binary and text, a GraphDef, a MetaGraphDef, a SavedModel and each of its MetaGraphs."""
    document = scan(data, name)

    assert (document["verdict"], ops(document)) == ("findings", {"WriteFile": "io"})


def test_m01_the_text_beside_the_binary_is_read_too(scan):
    """Which of the two a loader takes is its own affair."""
    good, evil = hostile.saved_model(GOOD), hostile.saved_model(EVIL)
    document = scan({"saved_model.pb": binary(good), "saved_model.pbtxt": text_of(evil)})

    assert [one["file"] for one in document["findings"]] == ["saved_model.pbtxt"]


def test_a_model_that_only_computes_is_clean(scan, tmp_path):
    """A frozen graph, a SavedModel with weights and a text beside, a checkpoint without a graph."""
    assert scan(binary(GOOD.graph_def))["verdict"] == "clean"
    for form in ("saved_model", "checkpoint", "npz", "safetensors"):
        target = tmp_path / form / "model"
        zoo.save(sample_model(), target, format=form)
        assert zoo.scan(target)["verdict"] == "clean", form
    (tmp_path / "checkpoint" / "model.meta").unlink()
    document = zoo.scan(tmp_path / "checkpoint" / "model")
    assert (document["verdict"], document["levels"]) == ("clean", {})
    (tmp_path / "saved_model" / "model" / "README.md").write_text("# a net")
    document = zoo.scan(tmp_path / "saved_model" / "model")
    assert document["verdict"] == "clean"
    assert document["notes"] == ["not looked into, as no graph or net: 1 file"]


@pytest.mark.parametrize("form", ["npz", "safetensors"])
def test_a_graph_that_is_carried_among_arrays_is_read(tmp_path, form):
    """What these formats put in besides the weights comes out as a graph that runs."""
    path = tmp_path / "model"
    zoo.save(zoo.model.Model(EVIL, sample_model().weights.only([])), path, format=form)

    assert ops(zoo.scan(path)) == {"WriteFile": "io"}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("model.pb", b""),
        ("model.pb", b"\x00" * 100),
        ("model.pb", binary(EVIL.graph_def)[:-3]),
        ("saved_model.pb", b"\x08\x01\x12\x7f"),
        ("saved_model.pb", b""),
        ("saved_model.pbtxt", b"meta_graphs { graph_def { node { op: 'WriteFile' } } } what"),
        ("model.pbtxt", b"node { name: 'n' op: 'WriteFile' unheard_of: 1 }"),
        ("model.h5", b"\x89HDF\r\n\x1a\n" + b"\x07" * 50),
        ("model.keras", b"PK\x03\x04 and so on"),
        ("model.tflite", b"\x1c\x00\x00\x00TFL3" + b"\x00" * 40),
        ("model.onnx", b"\x08\x07\x12\x07pytorch\x1a\x03"),
        ("model.index", b"no table"),
        ("model.bin", b"anything at all"),
        ("net.tar.gz", gzip.compress(b"no tar", mtime=0)),
    ],
)
def test_m04_what_cannot_be_read_is_unknown(scan, name, data):
    """Never clean, alone or in a folder."""
    alone, inside = scan(data, name), scan({f"folder/{name}": data})

    assert alone["verdict"] == inside["verdict"] == "unknown"
    assert (alone["level"], alone["unread"] != []) == ("unknown", True)


def test_m04_a_file_that_may_not_be_read_and_a_pipe_are_unknown(tmp_path):
    """Nor is a link to nowhere clean; nothing waits for a writer."""
    os.mkfifo(tmp_path / "saved_model.pb")
    (tmp_path / "other.pb").symlink_to("nowhere")

    document = zoo.scan(tmp_path)
    assert (document["verdict"], len(document["unread"])) == ("unknown", 3)


def test_links_in_a_circle_are_unknown(tmp_path):
    """Beside a model that is clean without them, and no traceback."""
    (tmp_path / "m" / "assets").mkdir(parents=True)
    (tmp_path / "m" / "saved_model.pb").write_bytes(binary(hostile.saved_model(GOOD)))
    assert zoo.scan(tmp_path / "m")["verdict"] == "clean"
    for name, end in (("a", "b"), ("b", "a")):
        (tmp_path / "m" / "assets" / name).symlink_to(end)

    document = zoo.scan(tmp_path / "m")

    assert (document["verdict"], len(document["unread"])) == ("unknown", 2)


def test_what_is_not_there_is_an_error(tmp_path):
    """66, as everywhere."""
    with pytest.raises(UnknownNameError):
        zoo.scan(tmp_path / "nothing")
    with pytest.raises(UnknownNameError):
        zoo.scan("no-such-model")


class _Harmless:
    """What a pickle of it would call, if anybody read it."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was read",))


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("name", ["model", "model.pkl", "model.joblib", "model.pt"])
def test_m18_pickles_are_recognised_and_never_read(scan, name, protocol):
    """By their first bytes, or by their names."""
    data = pickle.dumps(_Harmless(), protocol)

    for document in (scan(data, name), scan({f"folder/{name}": data})):
        assert ops(document) == {"pickle": "python"}


def test_m18_arrays_of_objects_are_pickles(scan):
    """Alone, and among others in an archive; arrays of numbers are none."""
    import numpy as np

    def saved(save, *arrays):
        file = io.BytesIO()
        save(file, *arrays)
        return file.getvalue()

    objects = np.array([{"a": 1}, None], object)
    assert ops(scan(saved(np.save, objects), "a.npy")) == {"pickle": "python"}
    assert ops(scan(saved(np.savez, np.zeros(2), objects), "a.npz")) == {"pickle": "python"}
    assert scan(saved(np.save, np.zeros(2)), "a.npy")["verdict"] == "clean"
    assert scan(saved(np.savez, np.zeros(2)), "a.npz")["verdict"] == "clean"


def test_a_torch_file_is_a_pickle_in_a_zip(scan):
    """As PyTorch writes them, whatever the file is called."""
    document = scan(zipped({"net/data.pkl": pickle.dumps(1), "net/data/0": b"1234"}), "net.bin")

    assert ops(document) == {"pickle": "python"}


def test_a_library_beside_a_model_is_custom_code(scan):
    """Operations of one's own come in such files."""
    files = {"saved_model.pb": binary(hostile.saved_model(GOOD)), "ops.so": b"\x7fELF" + bytes(60)}

    document = scan(files)
    assert (document["verdict"], ops(document)) == ("unknown", {"library": "custom-op"})


@pytest.mark.parametrize("pack", [zipped, tarred, lambda files: tarred(files, "w")])
def test_archives_are_looked_into(scan, pack):
    """Zip and tar, one in the other; the path of a finding leads through them."""
    inner = pack({"net/saved_model.pb": binary(hostile.saved_model(EVIL))})
    document = scan(pack({"a/inner.bin": inner, "good.pb": binary(GOOD.graph_def)}), "nets.bin")

    (one,) = document["findings"]
    assert (one["op"], one["file"]) == ("WriteFile", "a/inner.bin/net/saved_model.pb")
    assert document["format"] == "archive"


def test_members_that_would_lie_elsewhere_are_found(scan):
    """Names that lead out of the folder, and links."""
    document = scan(zipped({"../../evil.pb": b"x", "good.pb": binary(GOOD.graph_def)}), "net.zip")
    assert ops(document) == {"archive member": "io"}
    document = scan(tarred({"link": None, "good.pb": binary(GOOD.graph_def)}), "net.tgz")
    assert document["verdict"] != "clean"


def test_archives_in_archives_have_an_end(scan):
    """What is deeper than anybody packs models is not read, and said."""
    data = binary(GOOD.graph_def)
    for depth in range(5):
        data = zipped({f"level{depth}.zip": data})

    document = scan(data, "deep.zip")
    assert (document["verdict"], "archives" in document["unread"][0]) == ("unknown", True)


def layer(kind, module="keras.layers", registered=None, **settings):
    return {
        "module": module,
        "class_name": kind,
        "config": {"name": "the_layer", **settings},
        "registered_name": registered,
    }


def net(*layers):
    inner = {"name": "net", "layers": list(layers)}
    return {"module": "keras", "class_name": "Sequential", "config": inner}


LAMBDA = {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}
STRANGERS = [
    (layer("Lambda", function=LAMBDA), "python"),
    ({"class_name": "Lambda", "config": {"name": "l", "function": ["4wEAAAA=", None, None]}},
     "python"),
    (layer("TFSMLayer", filepath="/nets/evil"), "io"),
    (layer("TorchModuleWrapper", module="keras.layers"), "python"),
    (layer("eval", module="builtins"), "python"),
    ({"class_name": "function", "config": "system", "module": "os"}, "python"),
    (layer("Mine", module=None, registered="mine>Mine"), "unknown"),
    ({"class_name": "Mine", "config": {"name": "m"}}, "unknown"),
    (layer("StringLookup", vocabulary="/etc/passwd"), "io"),
    (layer("TextVectorization", vocabulary="http://host/words"), "network"),
    (layer("Wrapper", layer=layer("get_file", module="keras.utils")), "python"),
    ({"class_name": "TensorFlowOpLayer", "config": {"node_def": '{"name": "n", "op": "ReadFile"}'}},
     "io"),
    ({"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}, "io"),
    ({"class_name": "TFOpLambda", "config": {"function": "py_function"}}, "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("described", "level"), STRANGERS)
def test_m11_what_a_configuration_names_is_judged(scan, described, level):
    """Code, other modules, classes of the author's own, files; as .keras, as JSON alone."""
    config = json.dumps(net(layer("Dense", units=2), described))
    packed = zipped({"config.json": config, "metadata.json": "{}", "model.weights.h5": b""})
    alone = scan(config.encode(), "model.json")

    assert {one["level"] for one in alone["findings"]} == {level}
    assert level in ops(scan(packed, "model.keras")).values()


def test_m11_what_trains_a_model_is_judged_too(scan):
    """Keras makes losses and optimizers of the file, as it does layers."""
    config = net(layer("Dense", units=2)) | {
        "compile_config": {"loss": {"class_name": "function", "config": "x", "module": "evil"}}
    }
    assert ops(scan(json.dumps(config).encode(), "model.json")) == {"function": "python"}


def test_nets_of_keras_alone_are_clean():
    """Layers of today and of the oldest releases, functions of Keras by name, our own layer."""
    today = net(
        layer("Dense", activation="relu", kernel_initializer=layer("GlorotUniform",
              module="keras.initializers")),
        layer("StringLookup", vocabulary=["a", "b"]),
        layer("Lambda", function="relu"),
        layer("GraphLayer", module="zoo.keras_layer", registered="zoo>GraphLayer",
              graph=base64.b64encode(binary(GOOD.graph_def)).decode()),
    )  # fmt: skip
    old = {"class_name": "Sequential", "config": [
        {"class_name": "Convolution2D", "config": {"name": "c"}},
        {"class_name": "TFOpLambda", "config": {"function": "math.add"}},
        {"class_name": "TensorFlowOpLayer", "config": {"node_def": '{"op": "AddV2"}'}},
    ]}  # fmt: skip

    assert keras_findings.findings(today) == keras_findings.findings(old) == []


def test_a_configuration_without_end_is_not_clean(scan):
    """Nested deeper than any net, or than Python reads."""
    nested = b'{"class_name":"Sequential","config":' * 200 + b"1" + b"}" * 200
    endless = b'{"class_name":"Sequential","config":' + b"[" * 100_000

    for data in (nested, endless):
        assert scan(data, "model.json")["verdict"] == "unknown"


def test_m11_settings_of_keras_beside_a_saved_model_are_read(scan):
    """A Lambda in them runs when Keras loads the folder; classes of the author's do not."""

    def metadata(settings):
        inner = wire.field(4, b"_tf_keras_layer") + wire.field(5, json.dumps(settings).encode())
        return wire.field(1, inner)

    coded = metadata({"class_name": "Lambda", "config": {"function": ["4wEAAAA=", None, None]}})
    own = metadata({"class_name": "Custom>Mine", "config": {}})
    model = {"saved_model.pb": binary(hostile.saved_model(GOOD))}

    assert scan(model | {"keras_metadata.pb": own})["verdict"] == "clean"
    assert ops(scan(model | {"keras_metadata.pb": coded})) == {"Lambda": "python"}
    assert scan(model | {"keras_metadata.pb": b"\x0a\x7f"})["verdict"] == "unknown"


def test_m12_links_out_of_an_hdf5_file_are_found(tmp_path):
    """To other files, and values that lie in one."""
    h5py = pytest.importorskip("h5py")
    for name, link in (("a", h5py.ExternalLink("/etc/passwd", "/")), ("b", h5py.SoftLink("/x"))):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["model_weights"] = link
        assert ops(zoo.scan(tmp_path / f"{name}.h5")) == {"HDF5 link": "io"}
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("w", (2,), "f4", external=[("/etc/passwd", 0, 8)])
    assert ops(zoo.scan(tmp_path / "c.h5")) == {"HDF5 link": "io"}


def ended(*words):
    """Return the exit code of a command."""
    with pytest.raises(SystemExit) as end:
        main([*words])
    return end.value.code or 0


def test_the_command_says_it_and_ends_with_1(tmp_path, capsys):
    """The verdict first; then each finding below its level."""
    path = tmp_path / "evil.pb"
    path.write_bytes(binary(EVIL.graph_def))

    assert ended("scan", str(path)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "findings    what to know before it is run: 1 finding"
    assert "io: touches files" in lines
    assert any("WriteFile" in line and "the graph > call" in line for line in lines)
    path.write_bytes(binary(GOOD.graph_def))
    assert ended("scan", str(path)) == 0
    assert capsys.readouterr().out.startswith("clean ")
    assert ended("scan", str(tmp_path / "none")) == 66


def test_the_document_has_what_scripts_rely_on(tmp_path, capsys):
    """Every key, and those of a finding."""
    path = tmp_path / "evil.pb"
    path.write_bytes(binary(EVIL.graph_def))
    ended("scan", str(path), "--json")

    document = json.loads(capsys.readouterr().out)
    assert set(document) == {
        "schema", "path", "format", "verdict", "level", "levels", "findings", "unread", "notes",
    }  # fmt: skip
    assert (document["format"], document["verdict"], document["level"]) == (
        "frozen", "findings", "io",
    )  # fmt: skip
    (one,) = document["findings"]
    assert set(one) == {"op", "node", "function", "level", "why", "path"}
    ended("inspect", str(path), "--json")
    assert json.loads(capsys.readouterr().out)["findings"] == document["findings"]


@pytest.mark.filterwarnings("ignore::zoo.loaded.PluginWarning")
def test_rules_of_plugins_add_findings(tmp_path, monkeypatch):
    """A rule that fails costs itself; one that finds something counts as ours does."""
    path = tmp_path / "good.pb"
    path.write_bytes(binary(GOOD.graph_def))
    finding = zoo.Finding("Add", "y", "adds", "io")

    def install(find):
        rule = zoo.ScanRule("mine", "a rule", find)
        entry = plugin("ruling", zoo_scan_rules=offers("zoo_scan_rules", rule))
        loaded = plugins.load([*BUNDLED, entry])
        monkeypatch.setattr(plugins, "installed", lambda: loaded)
        return loaded

    install(lambda model: [finding])
    assert ops(zoo.scan(path)) == {"Add": "io"}
    for wrong in (lambda model: 1 / 0, lambda model: ["Add"],
                  lambda model: [zoo.Finding("Add", "y", "adds", "grave")]):  # fmt: skip
        loaded = install(wrong)
        assert zoo.scan(path)["verdict"] == "clean"
        assert [one.name for one in loaded.broken] == ["ruling"]


def test_a_graph_that_a_plugin_builds_is_said_to_be():
    """The file of the weights is looked through, and has no graph."""
    document = zoo.scan("toy-adder")

    assert (document["verdict"], document["levels"]) == ("clean", {})
    assert document["notes"] == ["its graph is built by a plugin: toy-adder"]


def test_m06_what_would_swell_is_unknown(scan, monkeypatch):
    """Nodes without end are not parsed to be judged, whatever file they are in."""
    monkeypatch.setenv("ZOO_BUDGET", "1MB")
    nodes = wire.field(1, wire.field(1, b"n") + wire.field(2, b"NoOp")) * 30_000

    for content, name in (
        (nodes, "model.pb"),
        (b"\x08\x01" + wire.field(2, wire.field(2, nodes)), "saved_model.pb"),
        (b"node {}\n" * 60_000, "model.pbtxt"),
    ):
        document = scan(content, name)
        assert document["verdict"] == "unknown"
        assert "would take more room" in document["unread"][0]
