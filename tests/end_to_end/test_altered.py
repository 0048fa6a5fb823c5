"""Other shapes and names: plain TensorFlow builds, loads and calls what was altered."""

import subprocess
import sys

import numpy as np
import pytest

import zoo
from zoo import protos
from zoo.errors import InputError, UnknownNameError, UnsupportedError, UsageError
from zoo.graph_file import write
from zoo.model import Model
from zoo.nodes import Dims, node, placeholder, whole_numbers
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


def convolution(tmp_path, shape, *, reshape=None):
    """Return a frozen graph that averages images; with `reshape`, in that shape."""
    graph = protos.GraphDef()
    graph.versions.producer = 1000
    graph.node.append(placeholder("x", FLOAT, shape))
    taken = "x"
    if reshape is not None:
        graph.node.append(whole_numbers("sizes", reshape))
        graph.node.append(node("flat", "Reshape", ["x", "sizes"], T=FLOAT))
        taken = "flat"
    graph.node.append(whole_numbers("axes", [1]))
    mean = node("y", "Mean", [taken, "axes"], T=FLOAT, keep_dims=False)
    mean.attr["_output_shapes"].list.shape.add().dim.add(size=7)
    graph.node.append(mean)
    write(tmp_path / "net.pb", graph, Model(protos.MetaGraphDef(graph_def=graph), {}).weights)
    return tmp_path / "net.pb"


def test_another_fixed_size_is_told(tf, tmp_path):
    """It may be what the graph was made for alone; shapes inferred of the old one are gone."""
    path = convolution(tmp_path, [7, 5])

    done = zoo.convert(path, tmp_path / "m", to="saved_model", shapes={"x": (2, None)})

    assert (
        "changed the fixed shape of the input x: float32 (7, 5) to float32 (2, ?)" in done.repairs
    )
    assert shape_in(tf, "saved_model", tmp_path / "m", "y:0") == [2]
    assert zoo.load(tmp_path / "m").run("y:0", {"x": np.ones((2, 9))}).tolist() == [1, 1]


def test_sizes_of_outputs_that_may_be_others_are_left_open(tmp_path):
    """A signature that stated a size because of the old input does not state it any more."""
    model = zoo.load(convolution(tmp_path, [7, 5])).with_signature({"x": "x:0"}, {"y": "y:0"})
    assert model.signature().outputs["y"].shape == (7,)

    assert model.with_shapes({"x": (2, 5)}).signature().outputs["y"].shape == (None,)
    assert model.with_shapes({"x": (7, 5)}).signature().outputs["y"].shape == (7,)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((1, 8, 8), "(?, 8, 8, 1), which has 4 axes"),
        ((1, 8, 8, 3), "Conv2D 'conv1_1/Conv2D' with 1 there"),
        ((1 << 40, 1 << 40, 8, 1), "no memory"),
        ((-2, 8, 8, 1), "(-2, 8, 8, 1)"),
        ((1.5, 8, 8, 1), "(1.5, 8, 8, 1)"),
    ],
)
def test_a_shape_that_the_graph_contradicts(sizes, words):
    """Rank, channels, what no memory holds, what is no size."""
    model = zoo.load("vgg-digits")
    if sizes[-1] == 3:
        model = model.with_shapes({"images": (None, None, None, 1)})

    with pytest.raises(InputError) as caught:
        model.with_shapes({"images": sizes})

    assert words in caught.value.found


@pytest.mark.parametrize(
    ("reshape", "sizes", "fits"),
    [
        ([2, 10], (4, 5), True),
        ([2, 10], (2, 5), False),
        ([-1, 5], (3, 5), True),
        ([-1, 10], (3, 5), False),
        ([2, 10], (None, 5), True),
    ],
)
def test_a_reshape_of_the_input_to_fixed_sizes(tmp_path, reshape, sizes, fits):
    """As many values must come as are wanted, where both are known."""
    model = zoo.load(convolution(tmp_path, [None, None], reshape=reshape))

    if fits:
        model.with_shapes({"x": sizes})
        return
    with pytest.raises(InputError, match="cannot have the shape"):
        model.with_shapes({"x": sizes})


def test_an_input_with_a_default(tmp_path):
    """The default must have the new shape too."""
    graph = protos.GraphDef()
    graph.node.append(whole_numbers("default", [1, 2]))
    kind = protos.NodeDef.FromString(graph.node[0].SerializeToString()).attr["dtype"].type
    made = node("x", "PlaceholderWithDefault", ["default"], shape=Dims([2]))
    made.attr["dtype"].type = kind
    graph.node.append(made)
    model = Model(protos.MetaGraphDef(graph_def=graph), {})

    model.with_shapes({"x": (None,)})
    with pytest.raises(InputError, match="cannot have the shape") as caught:
        model.with_shapes({"x": (3,)})

    assert "default" in caught.value.found


def test_no_such_input():
    """The names that there are, and the nearest."""
    with pytest.raises(UnknownNameError) as caught:
        zoo.load("vgg-digits").with_shapes({"image": (1, 8, 8, 1)})

    assert caught.value.found == "images"
    assert "'images'" in caught.value.hint


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


@pytest.mark.parametrize(
    ("inputs", "outputs", "nodes", "error", "words"),
    [
        ({"w1": "w2"}, {}, False, UsageError, "two inputs would be called 'w2'"),
        ({"w3": "x"}, {}, False, UnknownNameError, "no input 'w3'"),
        ({}, {"sum": "x"}, False, UnknownNameError, "no output 'sum'"),
        ({"w1": "bias"}, {}, True, UsageError, "a node of the graph is called 'bias'"),
        ({}, {"op_to_restore": "Add"}, True, UsageError, "a node of the graph is called 'Add'"),
        ({"w1": "a b"}, {}, True, UsageError, "no node can be called 'a b'"),
        ({"w1": ""}, {}, False, UsageError, "would be called ''"),
    ],
)
def test_names_that_cannot_be(inputs, outputs, nodes, error, words):
    """Collisions and unknown names, each with what helps."""
    with pytest.raises(error) as caught:
        zoo.load("toy-adder").renamed(inputs, outputs, nodes=nodes)

    assert words in caught.value.problem
    assert caught.value.hint


def test_one_name_for_two_nodes(tmp_path):
    """Two signatures that mean different tensors by one name have no node to be called so."""
    model = zoo.load("toy-adder").with_signature({"w1": "w1:0"}, {"sum": "Add:0"}, "one")
    model = model.with_signature({"w1": "w2:0"}, {"sum": "Add:0"}, "two")

    assert model.renamed({"w1": "a"}).signatures["two"].inputs["a"].tensor == "w2:0"
    with pytest.raises(UnsupportedError, match="no one node"):
        model.renamed({"w1": "a"}, nodes=True)


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
