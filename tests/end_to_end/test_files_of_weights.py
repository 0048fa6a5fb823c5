"""Nets in safetensors and npz: they run, convert to all others and back, and are fine-tuned."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo import bundle
from zoo.errors import FormatError, UnsupportedError, UsageError
from zoo.samples import sample_model

FORMS = {"checkpoint": "c/m", "frozen": "f.pb", "saved_model": "s", "safetensors": "w.safetensors",
         "npz": "w.npz"}  # fmt: skip
OURS = ("safetensors", "npz")
X = np.arange(2 * 64, dtype=np.float32).reshape(2, 8, 8, 1) % 17


@pytest.mark.parametrize("form", OURS)
def test_vgg_digits_runs(tmp_path, form):
    """The same bits, by the names of its signature; and a name in a registry."""
    digits = zoo.load("vgg-digits")
    zoo.save(digits, tmp_path / FORMS[form], format=form)

    loaded = zoo.load(tmp_path / FORMS[form])

    wanted = digits(images=X)["probabilities"]
    assert loaded(images=X)["probabilities"].tobytes() == wanted.tobytes()
    assert zoo.diff(digits, loaded)["equal"]


PAIRS = [pair for pair in itertools.permutations(FORMS, 2) if {*pair} & {*OURS}]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_vgg_digits_converts_to_all_others_and_back(tmp_path, first, second):
    """Fourteen directions, each verified, and nothing differs after the way back."""
    there, other, back = (tmp_path / name / FORMS[form] for name, form in
                          (("a", first), ("b", second), ("c", first)))  # fmt: skip
    zoo.convert("vgg-digits", there, to=first)

    found = zoo.convert(there, other, to=second, verify=True)
    zoo.convert(other, back, to=first)

    assert found.verified.max_abs_diff == 0
    assert zoo.diff(there, other)["equal"]
    assert zoo.diff(there, back)["equal"]


@pytest.mark.parametrize("form", OURS)
def test_there_and_back_is_byte_for_byte_the_same(tmp_path, form):
    """A format that keeps everything gives the next one what it would have had."""
    for source in ("checkpoint", "saved_model"):
        direct, there, back = tmp_path / f"{source}1", tmp_path / f"{source}.w", tmp_path / source
        zoo.convert("vgg-digits", direct / "m", to=source)
        zoo.convert(direct / "m", there, to=form)
        zoo.convert(there, back / "m", to=source)

        assert contents(direct) == contents(back)


def contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder): path.read_bytes() for path in files}


@pytest.mark.parametrize("form", OURS)
@pytest.mark.parametrize(
    "name",
    ["tfjs-module-with-multiple-signatures", "hub-saved-model-v2-mini", "dotnet-mnist-conv-model"],
)  # fmt: skip
def test_what_tensorflow_2_keeps_of_its_objects_comes_back(fixtures, tmp_path, name, form):
    """Objects, keys and signatures: the SavedModel is written back as it was."""
    zoo.convert(fixtures / name, tmp_path / "direct", to="saved_model")
    zoo.convert(fixtures / name, tmp_path / "w", to=form)
    zoo.convert(tmp_path / "w", tmp_path / "back", to="saved_model")

    graphs = [(tmp_path / one / "saved_model.pb").read_bytes() for one in ("direct", "back")]
    assert graphs[0] == graphs[1]
    stored = [bundle.read(tmp_path / one / "variables/variables") for one in ("direct", "back")]
    direct, back = ({key: one.read().tolist() for key, one in side.items()} for side in stored)
    assert direct == back


@pytest.mark.parametrize("form", OURS)
@pytest.mark.parametrize(
    "name",
    ["arm-kws/CNN/CNN_S.pb", "tf2onnx-gru", "dl4j-ckpt-simple-graph/data-all-1000",
     "made-here-gaps/quantized_dequantize", "made-here-gaps/partitioned_ref/model.ckpt-7",
     "mlperf-tiny-resnet-cifar10-h5/pretrainedResnet.h5", "tf-session-bundle-v1ckpt/00000123"],
)  # fmt: skip
def test_models_of_others_convert(fixtures, tmp_path, name, form):
    """Frozen, trained long ago, quantised, partitioned, by Keras: no difference is found."""
    found = zoo.convert(fixtures / name, tmp_path / "w", to=form, verify=True)

    assert found.verified.max_abs_diff == 0
    assert zoo.diff(fixtures / name, tmp_path / "w")["equal"]


@pytest.mark.parametrize("form", OURS)
def test_files_that_outputs_need_are_refused(fixtures, tmp_path, form):
    """Vocabularies have no room beside arrays; nothing is written then."""
    with pytest.raises(UnsupportedError, match="cannot hold what the outputs need"):
        zoo.convert(fixtures / "tfx-transform-fn", tmp_path / "w", to=form)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", OURS)
def test_vgg_digits_is_fine_tuned(tmp_path, form):
    """A new head on what the file holds, written in the format that it came in."""
    zoo.convert("vgg-digits", tmp_path / FORMS[form], to=form)
    x = np.random.default_rng(0).uniform(0, 16, (40, 8, 8, 1)).astype("f4")
    data = (x, np.arange(40) % 2)

    result = zoo.finetune(tmp_path / FORMS[form], data, outputs=2, epochs=1)
    saved = result.save(tmp_path / f"new-{FORMS[form]}", format=form)

    assert zoo.inspect(saved.path)["format"] == form
    tuned = zoo.load(saved.path)
    assert next(iter(tuned(images=X).values())).shape == (2, 2)
    kept = zoo.load("vgg-digits").weights["conv1_1/kernel"]
    assert tuned.weights["conv1_1/kernel"].tobytes() == kept.tobytes()


def weights_alone(path, form, names=lambda name: name):
    """Write the weights of ``vgg-digits`` without its graph."""
    digits = zoo.load("vgg-digits")
    stored = {names(name): digits.weights[name] for name in digits.weights}
    zoo.save(zoo.Model(zoo.protos.MetaGraphDef(), stored), path, format=form)
    return path


def as_others_call_it(name):
    """Return what ``vgg16_weights.npz`` calls a weight: ``conv1_1_W``, ``fc6_b``."""
    return name.replace("/kernel", "_W").replace("/bias", "_b")


@pytest.mark.parametrize("form", OURS)
def test_an_architecture_gets_weights_by_name(tmp_path, form):
    """As ``vgg16_weights.npz`` has them."""
    path = weights_alone(tmp_path / FORMS[form], form, as_others_call_it)

    model = zoo.load(path, architecture="vgg-digits")

    assert model.run("prob:0", {"images:0": X}).tobytes() == digits_of(X).tobytes()
    assert model.attached.matched["conv1_1/kernel"] == "conv1_1_W"


@pytest.mark.parametrize("form", OURS)
@pytest.mark.parametrize("suffix", [".meta", ".pb", ".pbtxt"])
def test_a_graph_beside_is_the_models(tmp_path, form, suffix):
    """Of the same name, with variables that all find their weights; the folder is the model too."""
    path = weights_alone(tmp_path / f"net.{form}", form)
    graph_beside(path, suffix)

    for ref in (path, tmp_path):
        model = zoo.load(ref)
        assert model.run("prob:0", {"images:0": X}).tobytes() == digits_of(X).tobytes()
    assert zoo.inspect(tmp_path)["format"] == form


def graph_beside(path, suffix):
    from google.protobuf import text_format

    meta_graph = zoo.load("vgg-digits").meta_graph
    graph = {".meta": meta_graph.SerializeToString(),
             ".pb": meta_graph.graph_def.SerializeToString(),
             ".pbtxt": text_format.MessageToString(meta_graph.graph_def).encode()}  # fmt: skip
    path.with_suffix(suffix).write_bytes(graph[suffix])


def digits_of(images):
    return zoo.load("vgg-digits")(images=images)["probabilities"]


@pytest.mark.parametrize("form", OURS)
def test_weights_and_the_graph_beside_are_registered_together(tmp_path, form):
    """Both files go into the store, and the name means both."""
    path = weights_alone(tmp_path / f"net.{form}", form)
    graph_beside(path, ".meta")

    done = subprocess.run(
        [sys.executable, "-m", "zoo", "add", path, "--name", "mine"], capture_output=True, text=True
    )
    path.unlink()

    assert done.returncode == 0, done.stderr
    assert zoo.load("mine").run("prob:0", {"images:0": X}).tobytes() == digits_of(X).tobytes()


@pytest.mark.parametrize("form", OURS)
def test_a_graph_beside_that_is_anothers_is_said_and_left(tmp_path, form):
    """Its variables find no weights; a frozen graph has none, and is a model of its own."""
    path = weights_alone(tmp_path / f"net.{form}", form)
    (tmp_path / "net.meta").write_bytes(sample_model().meta_graph.SerializeToString())
    zoo.save(sample_model(), tmp_path / "net.pb", format="frozen")

    assert not zoo.load(path).graph.node
    notes = zoo.convert(path, tmp_path / "w" / "m", to="checkpoint").repairs
    assert notes[0] == "left out a graph beside that has other variables: net.meta"


@pytest.mark.parametrize("form", OURS)
def test_a_model_goes_before_weights_alone_in_a_folder(tmp_path, form):
    """Arrays beside a model are no second model; two of weights alone are two."""
    weights_alone(tmp_path / f"answers.{form}", form)
    with_graph = tmp_path / "net"
    zoo.save(sample_model(), with_graph, format="saved_model")
    assert zoo.inspect(tmp_path)["format"] == "saved_model"

    weights_alone(tmp_path / "two" / f"a.{form}", form)
    weights_alone(tmp_path / "two" / f"b.{form}", form)
    with pytest.raises(UsageError, match="several models"):
        zoo.load(tmp_path / "two")


@pytest.mark.parametrize("form", OURS)
def test_without_the_graph_when_asked(tmp_path, form):
    """``write_meta_graph=false``: the weights are all that is in the file."""
    zoo.convert("vgg-digits", tmp_path / FORMS[form], to=form, write_meta_graph=False)

    model = zoo.load(tmp_path / FORMS[form])

    assert not model.graph.node
    assert {*model.weights} == {*zoo.load("vgg-digits").weights}


@pytest.mark.parametrize("form", OURS)
def test_a_folder_of_several_files_of_weights_is_no_model(tmp_path, form):
    """By the format's own name it says so too."""
    for name in ("a", "b"):
        weights_alone(tmp_path / f"{name}.{form}", form)

    with pytest.raises(FormatError, match="no folder of one model"):
        zoo.load(tmp_path, format=form)


PROGRAM = """
import sys
import zoo_{form}
from zoo.samples import bag_model
from zoo.dtypes import named
from zoo.tensors import FilledTensor
one = FilledTensor(b"\\0\\0\\x80\\x3f", named("float32"), (64 << 20,))
zoo_{form}.save(bag_model({{"w": one}}), __import__("pathlib").Path(sys.argv[1]))
assert "numpy" not in sys.modules
print(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is told by Linux")
@pytest.mark.parametrize("form", OURS)
def test_large_weights_go_through_in_pieces(tmp_path, form):
    """256 MB are written in 60, without numpy."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(form=form), tmp_path / "w"],
        capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 60_000
    assert zoo.load(tmp_path / "w").weights.tensor("w").nbytes == 256 << 20
