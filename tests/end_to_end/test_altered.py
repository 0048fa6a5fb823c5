"""Other shapes and names: plain TensorFlow builds, loads and calls what was altered."""

import subprocess
import sys

import numpy as np
import pytest

import zoo
from zoo import protos
from zoo.graph_file import write
from zoo.model import Model
from zoo.nodes import node, placeholder, whole_numbers
from zoo.samples import FLOAT

FORMS = ("checkpoint", "frozen", "saved_model")
MODELS = (
    "vgg-digits",
    "dl4j-lenet-frozen-pb/lenet_frozen.pb",
    "mlperf-tiny-kws-savedmodel/kws_ref_model",
    "dotnet-mnist-conv-model",
)


def shape_in(tf, form, path, tensor):
    """Return what plain TensorFlow says of the shape of `tensor`."""
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        if form == "frozen":
            tf.import_graph_def(v1.GraphDef.FromString(path.read_bytes()), name="")
        elif form == "checkpoint":
            v1.train.import_meta_graph(f"{path}.meta")
        else:
            v1.saved_model.load(session, ["serve"], str(path))
        return graph.get_tensor_by_name(tensor).shape.as_list()


@pytest.fixture(params=MODELS)
def ref(request):
    """Return what opens the model, from the fixtures where it is not one of ours."""
    if "-digits" in request.param:
        return request.param
    return request.getfixturevalue("fixtures") / request.param


def fixed(model):
    """Return the first input of `model`, and its shape with a batch of 2."""
    name, spec = next(iter(model.signature().inputs.items()))
    return name, spec.tensor, (2, *(spec.shape or (None, 784))[1:])


@pytest.mark.parametrize("form", FORMS)
def test_a_fixed_batch(tf, plain, ref, tmp_path, form):
    """The placeholder has it, shapes are inferred with it, and the numbers are the same."""
    model = zoo.load(ref)
    name, tensor, sizes = fixed(model)
    feeds = {tensor: np.random.default_rng(1).normal(size=sizes).astype(np.float32)}
    feeds |= {
        s.tensor: np.float32(1)
        for s in model.signature().inputs.values()
        if s.tensor != tensor and s.shape in ((), None)
    }
    fetches = [spec.tensor for spec in model.signature().outputs.values()]
    whole = zoo.convert(ref, tmp_path / "whole" / "m", to=form)

    done = zoo.convert(ref, tmp_path / "fixed" / "m", to=form, shapes={name: sizes})

    path = done.target.path
    assert shape_in(tf, form, path, tensor) == list(sizes)
    assert shape_in(tf, form, path, fetches[0])[:1] == [2]
    values = getattr(plain, form)(path, feeds, fetches)
    expected = getattr(plain, form)(whole.target.path, feeds, fetches)
    assert [v.tobytes() for v in values] == [e.tobytes() for e in expected]
    shapes = {s.tensor: s.shape for s in zoo.load(path).signature().inputs.values()}
    assert shapes[tensor] == sizes


def test_the_second_loader_wants_the_new_shape(tf, fixtures, tmp_path):
    """A signature of a SavedModel of TensorFlow 2 says what it takes."""
    ref = fixtures / "mlperf-tiny-kws-savedmodel" / "kws_ref_model"
    name, _, sizes = fixed(zoo.load(ref))

    zoo.convert(ref, tmp_path / "m", to="saved_model", shapes={name: sizes})

    call = tf.saved_model.load(str(tmp_path / "m")).signatures["serving_default"]
    assert call.structured_input_signature[1][name].shape.as_list() == list(sizes)
    (output,) = call.structured_outputs.values()
    assert output.shape.as_list()[0] == 2


def averages(tmp_path, shape):
    """Return a frozen graph that averages `x` over its second axis."""
    graph = protos.GraphDef()
    graph.versions.producer = 1000
    graph.node.append(placeholder("x", FLOAT, shape))
    graph.node.append(whole_numbers("axes", [1]))
    mean = node("y", "Mean", ["x", "axes"], T=FLOAT, keep_dims=False)
    mean.attr["_output_shapes"].list.shape.add().dim.add(size=7)
    graph.node.append(mean)
    write(tmp_path / "net.pb", graph, Model(protos.MetaGraphDef(graph_def=graph), {}).weights)
    return tmp_path / "net.pb"


def test_another_fixed_size_is_told(tf, tmp_path):
    """It may be what the graph was made for alone; shapes inferred of the old one are gone."""
    path = averages(tmp_path, [7, 5])

    done = zoo.convert(path, tmp_path / "m", to="saved_model", shapes={"x": (2, None)})

    assert (
        "changed the fixed shape of the input x: float32 (7, 5) to float32 (2, ?)" in done.repairs
    )
    assert shape_in(tf, "saved_model", tmp_path / "m", "y:0") == [2]
    assert zoo.load(tmp_path / "m").run("y:0", {"x": np.ones((2, 9))}).tolist() == [1, 1]


NAMES = {"rename_inputs": {"images": "pixels"}, "rename_outputs": {"probabilities": "digits"}}
IMAGES = np.linspace(0, 16, 64, dtype=np.float32).reshape(1, 8, 8, 1)


def test_names_of_a_signature(plain, tmp_path):
    """Tensors keep theirs; the signature's are the new ones."""
    expected = zoo.load("vgg-digits")(images=IMAGES)["probabilities"]

    path = zoo.convert("vgg-digits", tmp_path / "m", to="saved_model", **NAMES).target.path

    values = plain.signature(path, "serving_default", pixels=IMAGES)
    assert values["digits"].tobytes() == expected.tobytes()
    (same,) = plain.saved_model(path, {"images:0": IMAGES}, ["prob:0"])
    assert same.tobytes() == expected.tobytes()


def test_names_of_nodes(plain, tmp_path):
    """A frozen graph has no other ones, and shows them when it is read."""
    expected = zoo.load("vgg-digits")(images=IMAGES)["probabilities"]

    path = zoo.convert("vgg-digits", tmp_path / "m.pb", to="frozen", **NAMES).target.path

    (value,) = plain.frozen(path, {"pixels:0": IMAGES}, ["digits:0"])
    assert value.tobytes() == expected.tobytes()
    signature = zoo.load(path).signature()
    assert (list(signature.inputs), list(signature.outputs)) == (["pixels"], ["digits"])
    assert "images" not in {node.name for node in zoo.load(path).graph.node}


@pytest.mark.parametrize("names", [{side: NAMES[side]} for side in NAMES])
@pytest.mark.parametrize("form", ["frozen", "saved_model"])
def test_what_is_renamed_can_be_verified(tmp_path, form, names):
    """Each output is held against what it was called, on inputs by their new names."""
    given = {"inputs": {"pixels": IMAGES}} if "rename_inputs" in names else True

    done = zoo.convert("vgg-digits", tmp_path / "m", to=form, verify=given, **names)

    assert done.verified.max_abs_diff == 0
    (output,) = done.verified.differences
    assert output.endswith("digits" if "rename_outputs" in names else "probabilities")


def test_names_of_a_model_of_tensorflow_2(plain, fixtures, tmp_path):
    """Its objects, which had signatures of their own, go, and that is said."""
    ref = fixtures / "mlperf-tiny-kws-savedmodel" / "kws_ref_model"
    signature = zoo.load(ref).signature()
    (old,), (given,) = signature.inputs, signature.outputs
    sound = np.random.default_rng(2).normal(size=(1, 49, 10, 1)).astype(np.float32)
    feeds, fetches = {signature.inputs[old].tensor: sound}, [signature.outputs[given].tensor]
    names = {"rename_inputs": {old: "a"}, "rename_outputs": {given: "b"}}

    done = zoo.convert(ref, tmp_path / "m", to="saved_model", **names)

    values = plain.signature(done.target.path, "serving_default", a=sound)
    (expected,) = plain.saved_model(ref, feeds, fetches)
    assert values["b"].tobytes() == expected.tobytes()
    assert any("object graph" in note for note in done.repairs)


def test_names_can_be_exchanged(tmp_path):
    """All are renamed at once, in a signature as in a graph."""
    expected = zoo.load("toy-adder").run("op_to_restore:0", {"w1": 1.0, "w2": 2.0})
    names = {"w1": "w2", "w2": "w1"}
    model = zoo.load("toy-adder").renamed(names, nodes=True)

    assert {k: s.tensor for k, s in model.signature().inputs.items()} == {
        "w1": "w1:0",
        "w2": "w2:0",
    }
    (add,) = [n for n in model.graph.node if n.op == "Add"]
    assert list(add.input) == ["w2", "w1"]
    assert model(w1=2.0, w2=1.0)["op_to_restore"] == expected


def command(*arguments):
    """Run ``zoo convert`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "zoo", "convert", *map(str, arguments)],
        capture_output=True,
        text=True,
    )


def test_the_command_line(tmp_path):
    """All of it at once, shapes by the names before."""
    done = command(
        *("vgg-digits", tmp_path / "net", "--to", "saved_model", "--version", "next"),
        *("--shape", "images=?,8,8,1", "--rename-input", "images=pixels", "--dtype", "float16"),
        *("--rename-output", "probabilities=digits", "--shard-size", "20kB"),
    )

    assert done.returncode == 0, done.stderr
    model = zoo.load(tmp_path / "net" / "1")
    assert model.signature().inputs["pixels"].shape == (None, 8, 8, 1)
    assert list(model.signature().outputs) == ["digits"]
    assert len(list((tmp_path / "net" / "1" / "variables").iterdir())) > 2
    assert "14 weights stored as float16" in done.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ["--shape", "images"],
        ["--shape", "images=1,two"],
        ["--rename-input", "=x"],
        ["--rename-input", "images=a", "--rename-input", "images=b"],
        ["--dtype", "float8"],
        ["--shard-size", "many"],
        ["--version", "newest"],
    ],
)
def test_arguments_that_are_none(tmp_path, wrong):
    """Exit code 2, one message, no traceback, and nothing written."""
    done = command("vgg-digits", tmp_path / "m", "--to", "saved_model", *wrong)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_format_without_such_an_option(tmp_path):
    """A frozen graph is one file."""
    done = command("vgg-digits", tmp_path / "m.pb", "--to", "frozen", "--shard-size", "1MB")

    assert done.returncode == 2
    assert "no option 'shard_size'" in done.stderr
