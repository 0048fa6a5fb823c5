"""Running: names, checks, state, sessions, and that TensorFlow's failures are errors of ours."""

import gc
import json
import subprocess
import sys

import numpy as np
import pytest

import zoo
from zoo import dtypes
from zoo.cli import run
from zoo.errors import InputError, RunError, UnknownNameError, UsageError
from zoo.model import Model
from zoo.nodes import Dims, node, placeholder, text
from zoo.protos import MetaGraphDef
from zoo.samples import FLOAT, sample_model
from zoo.weights import Weights


@pytest.fixture(scope="module")
def adder():
    model = zoo.load("toy-adder")
    yield model
    model.close()


def test_the_tutorials_numbers(tf, adder):
    """4 and 8 give 24; 13 and 17, fed to the restored graph, give 60."""
    assert adder(w1=4.0, w2=8.0) == {"op_to_restore": 24.0}
    assert adder.run("op_to_restore:0", {"w1:0": 13.0, "w2:0": 17.0}) == 60.0
    assert adder.run(["op_to_restore", "Add"], {"w1": 13, "w2:0": 17}) == [60.0, 30.0]
    assert adder.run({"twice": "bias:0"}) == {"twice": 2.0}
    assert adder(w1=[1.0, 2.0], w2=[3.0, 4.0])["op_to_restore"].tolist() == [8.0, 12.0]


def test_any_tensor_can_be_fed(tf, adder):
    """An inner tensor takes a value, and what comes before it is not needed."""
    assert adder.run("op_to_restore:0", {"Add:0": 5.0}) == 10.0


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        ({"w1": 1.0}, InputError),
        ({"w1": "one", "w2": 2.0}, InputError),
        ({"w1": 1.0, "w3": 2.0}, UnknownNameError),
    ],
)
def test_what_does_not_fit_is_said(tf, adder, inputs, kind):
    """Missing, wrong and unknown inputs are errors before anything runs."""
    with pytest.raises(kind):
        adder(**inputs)


def test_unknown_outputs_get_their_neighbours(tf, adder):
    """A slip in the name of an output."""
    with pytest.raises(UnknownNameError) as caught:
        adder.run("op_to_restor", {"w1": 1.0, "w2": 1.0})

    assert "op_to_restore" in caught.value.hint


def test_tensorflows_failures_name_the_node(tf, adder):
    """What only TensorFlow can notice is one error with its words."""
    with pytest.raises(RunError) as caught:
        adder(w1=[1.0, 2.0], w2=[1.0, 2.0, 3.0])

    assert "'Add'" in caught.value.found
    assert "Incompatible shapes" in caught.value.found


def convolution():
    """Return a net whose placeholder leaves its rank open, as old frozen graphs do."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.versions.producer = 21
    kernel = np.ones((1, 1, 1, 1), np.float32)
    meta_graph.graph_def.node.extend(
        [
            placeholder("x", FLOAT, []),
            node("k", "Const", dtype=FLOAT),
            node("y", "Conv2D", ["x", "k"], T=FLOAT, padding="VALID"),
        ]
    )
    meta_graph.graph_def.node[2].attr["strides"].list.i.extend([1, 1, 1, 1])
    meta_graph.graph_def.node[1].attr["value"].tensor.dtype = 1
    return Model(meta_graph, {"k": kernel})


def test_a_wrong_rank_is_not_an_abort(tf):
    """Some kernels end the process on a wrong rank; shape inference says so before they run."""
    model = convolution()

    with pytest.raises(RunError) as caught:
        model(x=[[1.0, 2.0]])

    assert "rank 2 for x" in caught.value.problem
    assert model(x=np.ones((1, 2, 2, 1)))["y"].shape == (1, 2, 2, 1)


def test_without_the_check_it_would_abort(tf):
    """The kernel really ends the process: that is what the check is for."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import test_running as t; from zoo.running import Runner;"
        "Runner._check_ranks = lambda self, feeds: None; t.convolution()(x=[[1.0, 2.0]])"
    )
    folder = str(__file__).rpartition("/")[0]
    done = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True)

    assert done.returncode == -6, done.stderr[-500:]


def test_sizes_that_are_none_are_not_an_abort(tf):
    """Three kernels make a shape of the sizes they are given, without a look at them."""
    model = transposed()

    with pytest.raises(RunError) as caught:
        model.run("y", {"sizes": [1, -5, 2, 1]})

    assert "'y'" in caught.value.problem
    assert "-5" in caught.value.found
    assert model.run("y", {"sizes": [1, 2, 2, 1]}).shape == (1, 2, 2, 1)


def transposed():
    """Return a transposed convolution whose output has the sizes that are fed."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.versions.producer = 27
    image = np.ones((1, 2, 2, 1), np.float32)
    meta_graph.graph_def.node.extend(
        [
            placeholder("sizes", dtypes.named("int32"), [4]),
            node("grad", "Const", dtype=FLOAT),
            node("k", "Const", dtype=FLOAT),
            node("y", "Conv2DBackpropInput", ["sizes", "k", "grad"], T=FLOAT, padding="SAME"),
        ]
    )
    meta_graph.graph_def.node[3].attr["strides"].list.i.extend([1, 1, 1, 1])
    return Model(meta_graph, {"k": image[:, :1, :1], "grad": image})


def test_without_the_check_of_sizes_it_would_abort(tf):
    """The kernel really ends the process: that is what the check is for."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import test_running as t; from zoo.running import Runner;"
        "Runner._check_sizes = lambda self, call, feeds: None;"
        "t.transposed().run('y', {'sizes': [1, -5, 2, 1]})"
    )
    folder = str(__file__).rpartition("/")[0]
    done = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True)

    assert done.returncode == -6, done.stderr[-500:]


def foreign():
    """Return a graph with operations that no TensorFlow has: one inside of a function."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.versions.producer = 27
    meta_graph.graph_def.node.extend(
        [
            placeholder("x", FLOAT, [None]),
            node("strange", "ConstrainedSequence", ["x"]),
            node("after", "Identity", ["x", "^strange"], T=FLOAT),
            node("called", "inner", ["x"]),
            node("y", "Neg", ["x"], T=FLOAT),
        ]
    )
    function = meta_graph.graph_def.library.function.add()
    function.signature.name = "inner"
    function.signature.input_arg.add(name="a", type=1)
    function.signature.output_arg.add(name="b", type=1)
    function.node_def.append(node("odd", "FromElsewhere", ["a"]))
    function.ret["b"] = "odd:b:0"
    return Model(meta_graph, {})


def test_foreign_operations_stop_only_what_needs_them(tf):
    """TensorFlow imports a graph whole or not at all; what does without them runs."""
    model = foreign()

    assert model.run("y", {"x": [1.0]}).tolist() == [-1]
    with pytest.raises(RunError, match="strange"):
        model.run("y", {"x": [1.0], "after": [5.0]})


@pytest.mark.parametrize(
    ("fetch", "operation", "helps"),
    [
        ("strange", "'strange': ConstrainedSequence", "import tensorflow_text"),
        ("after", "'strange': ConstrainedSequence", "import tensorflow_text"),
        ("called", "'called': FromElsewhere", "load the library that registers it"),
    ],
)
def test_who_needs_foreign_operations_is_told(tf, fetch, operation, helps):
    """The node, its operation, and the library that has it."""
    with pytest.raises(RunError) as caught:
        foreign().run(fetch, {"x": [1.0]})

    assert operation in caught.value.found
    assert helps in caught.value.hint


def test_an_operation_without_a_kernel_stops_only_what_needs_it(tf):
    """TensorFlow would place the whole graph before it runs any of it."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.versions.producer = 27
    buckets = node("buckets", "BoostedTreesBucketize", ["x", "x"], num_features=1)
    meta_graph.graph_def.node.extend(
        [placeholder("x", FLOAT, [None]), buckets, node("y", "Neg", ["x"], T=FLOAT)]
    )
    model = Model(meta_graph, {})

    assert model.run("y", {"x": [1.0]}).tolist() == [-1]
    with pytest.raises(RunError, match="BoostedTreesBucketize") as caught:
        model.run("buckets", {"x": [1.0]})
    assert "choose outputs that do without" in caught.value.hint


def counter():
    """Return a model with a reference variable that one output counts up."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.versions.producer = 27
    meta_graph.graph_def.node.extend(
        [
            node("n", "VariableV2", dtype=FLOAT, shape=Dims([])),
            placeholder("by", FLOAT, []),
            node("count", "AssignAdd", ["n", "by"], T=FLOAT),
            node("look", "Identity", ["n"], T=FLOAT),
        ]
    )
    return Model(meta_graph, {"n": np.float32(5)})


def test_a_call_starts_from_the_stored_weights(tf):
    """A model is a value: what one call changed is not there in the next."""
    model = counter()

    assert [model.run("count", {"by": 2.0}) for _ in range(2)] == [7.0, 7.0]
    assert model.run("look") == 5.0


def test_a_session_keeps_state(tf):
    """A session is TensorFlow 1's own: same names, same values, and it remembers."""
    model = counter()

    with model.session() as session:
        assert session.run("count:0", {"by:0": 2.0}) == 7.0
        assert session.run("count:0", {"by:0": 2.0}) == 9.0
        assert session.run("look:0") == 9.0
    assert model.run("look") == 5.0


def test_a_session_has_the_collections(tf, fixtures):
    """Variables, the training operation and whatever else the graph lists."""
    model = zoo.load(fixtures / "dotnet-mnist-conv-model")
    v1 = tf.compat.v1

    with model.session(config=v1.ConfigProto(allow_soft_placement=True)) as session:
        assert len(session.graph.get_collection("variables")) == 20
        assert len(v1.trainable_variables()) == 10
        (train,) = session.graph.get_collection("train_op")
        assert train.type in ("NoOp", "AssignAdd", "Assign")
        value = session.run(v1.trainable_variables()[0])
    assert np.array_equal(value, model.weights["Variable"])


def test_frozen_models_have_sessions_too(tf, fixtures):
    """Names and values are those of the file; its constants can be fetched."""
    model = zoo.load(fixtures / "dl4j-lenet-frozen-pb")

    with model.session() as session:
        value = session.run("Lenet/fc9/biases:0")
    assert np.array_equal(value, model.weights["Lenet/fc9/biases"])


def test_two_models_do_not_meet(tf):
    """Two models with the same names in one program share nothing."""
    one = sample_model()
    other = Model(
        one.meta_graph, Weights.of({n: np.zeros_like(one.weights[n]) for n in one.weights})
    )
    x = np.zeros((1, 3), np.float32)

    assert other(x=x)["probabilities"].tolist() == [[0.5, 0.5]]
    first = one.run("dense/bias", {})
    assert np.array_equal(first.view(np.uint32), one.weights["dense/bias"].view(np.uint32))
    assert other(x=x)["probabilities"].tolist() == [[0.5, 0.5]]


def test_two_sessions_do_not_meet(tf):
    """Both open at once: each keeps its own state, and the default graph is left alone."""
    one, other = counter(), counter()
    default = tf.compat.v1.get_default_graph()
    before = len(default.get_operations())

    with one.session() as first, other.session() as second:
        assert first.run("count:0", {"by:0": 2.0}) == 7.0
        assert second.run("look:0") == 5.0
        assert other.run("count", {"by": 1.0}) == 6.0
        assert first.run("look:0") == 7.0
    assert tf.compat.v1.get_default_graph() is default
    assert len(default.get_operations()) == before


def test_extending(tf, tmp_path):
    """Operations added with TensorFlow: 13 and 17 doubled are 120, before and after saving."""
    model = zoo.load("toy-adder").extend(lambda t: {"doubled": t["op_to_restore:0"] * 2})

    assert model(w1=13.0, w2=17.0) == {"op_to_restore": 60.0, "doubled": 120.0}
    for form in ("checkpoint", "frozen", "saved_model"):
        saved = zoo.save(model, tmp_path / form / "m", form)
        assert zoo.load(saved.path).run("doubled:0", {"w1:0": 13.0, "w2:0": 17.0}) == 120.0


def test_extending_with_variables(tf):
    """A variable that is added becomes a weight, with its initial value, and trains."""

    def add(tensors):
        scale = tf.compat.v1.get_variable("scale", initializer=[3.0], dtype=tf.float32)
        return {"scaled": tensors["op_to_restore"] * scale}

    base = zoo.load("toy-adder")
    model = base.extend(add)

    assert model.weights["scale"].tolist() == [3.0]
    assert model(w1=1.0, w2=2.0)["scaled"].tolist() == [18.0]
    with model.session():
        assert [v.op.name for v in tf.compat.v1.trainable_variables()] == ["bias", "scale"]
    assert list(base.weights) == ["bias"]


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda t: {"bias": t["w1"]}, "already"),
        (lambda t: {"x": 5}, "no tensor of the graph"),
        (lambda t: t["w1"], "must return a dict"),
        (lambda t: {"x": t["w9"]}, "w9"),
    ],
)
def test_extending_wrongly(tf, build, words):
    """A taken name, no tensor, nothing to call it by, a tensor that is not there."""
    with pytest.raises((UsageError, RunError)) as caught:
        zoo.load("toy-adder").extend(build)

    assert words in str(caught.value)


def test_an_extension_leaves_the_rest_alone(tf):
    """The nodes that were there are bit for bit those that were there."""
    base = zoo.load("toy-adder")
    model = base.extend(lambda t: {"doubled": t["op_to_restore:0"] * 2})

    old = {n.name: n.SerializeToString(deterministic=True) for n in base.graph.node}
    new = {n.name: n.SerializeToString(deterministic=True) for n in model.graph.node}
    assert {name: new[name] for name in old} == old


def test_text_goes_in_and_out(tf):
    """Bytes of any content, NULs at the end too."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.versions.producer = 27
    join = node("y", "StringJoin", ["x", "tail"], N=2)
    meta_graph.graph_def.node.extend(
        [placeholder("x", dtypes.STRING, [None]), text("tail", "!"), join]
    )
    model = Model(meta_graph, {})

    assert model(x=["größe", b"\0\0"])["y"].tolist() == ["größe!".encode(), b"\0\0!"]


def test_a_closed_model_runs_again(tf):
    """Closing gives memory back; the next call takes it again."""
    model = sample_model()
    x = np.ones((1, 3), np.float32)
    before = model.run("dense/MatMul", {"x": x})

    model.close()

    assert np.array_equal(model.run("dense/MatMul", {"x": x}), before, equal_nan=True)


def test_a_model_that_is_dropped_is_gone(tf):
    """Nothing keeps a model alive that nobody holds."""
    import weakref

    model = sample_model()
    model(x=np.ones((1, 3), np.float32))
    gone = weakref.ref(model)
    model.close()

    del model
    gc.collect()

    assert gone() is None


def test_graphs_that_tensorflow_refuses_are_told(tf):
    """An operation nobody has is one error with its name."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.node.append(node("y", "Resampler"))

    with pytest.raises(RunError) as caught:
        Model(meta_graph, {}).run("y")

    assert "Resampler" in caught.value.found


def test_photos_are_prepared_as_the_registry_says(tf, tmp_path, capsys):
    """Decoded, resized, channels in their order, scaled: a red photo for a net that wants BGR."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.versions.producer = 27
    meta_graph.graph_def.node.extend(
        [placeholder("x", FLOAT, [None, 2, 3, 3]), node("y", "Identity", ["x"], T=FLOAT)]
    )
    zoo.save(Model(meta_graph, {}), tmp_path / "net.pb", "frozen")
    red = np.zeros((8, 8, 3), np.uint8) + np.array([200, 100, 0], np.uint8)
    (tmp_path / "red.png").write_bytes(tf.io.encode_png(red).numpy())
    import hashlib

    data = (tmp_path / "net.pb").read_bytes()
    (tmp_path / "r.yaml").write_text(
        "version: 1\nmodels:\n  net:\n    summary: x\n    weights:\n      w: {format: frozen, "
        f"urls: ['file:net.pb'], sha256: {hashlib.sha256(data).hexdigest()}, size: {len(data)}}}\n"
        "    preprocessing: {size: [2, 3], channels: bgr, mean: [0, 100, 200], scale: 0.5}\n"
    )

    code = run(
        [
            "run",
            "net",
            "--registry",
            str(tmp_path / "r.yaml"),
            "--json",
            "-i",
            f"x=@{tmp_path}/red.png",
        ]
    )

    shown = capsys.readouterr()
    assert code == 0, shown.err
    assert json.loads(shown.out)["outputs"]["y"] == [[[[0.0, 0.0, 0.0]] * 3] * 2]


def test_results_are_saved(tf, tmp_path, capsys):
    """``--save`` writes arrays that numpy reads without pickle."""
    code = run(
        ["run", "toy-adder", "-i", "w1=[1,2]", "-i", "w2=[3,4]", "--save", f"{tmp_path}/o.npz"]
    )

    assert code == 0
    assert np.load(tmp_path / "o.npz", allow_pickle=False)["op_to_restore"].tolist() == [8.0, 12.0]
    assert capsys.readouterr().out == ""


def test_the_terminal_stays_quiet(tmp_path):
    """``zoo run`` prints its answer, and nothing of TensorFlow's greetings."""
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "run", "toy-adder", "-i", "w1=13", "-i", "w2=17"],
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "op_to_restore = 60.0\n", "")


def test_the_command_survives_what_ends_tensorflow(tmp_path):
    """A kernel that ends the process gives an error, as a document too."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.versions.producer = 27
    meta_graph.graph_def.node.extend(
        [placeholder("x", FLOAT, [None]), node("y", "Neg", ["x"], T=FLOAT)]
    )
    saved = zoo.save(Model(meta_graph, {}), tmp_path / "m.pb", "frozen")
    program = (
        "import os, sys; from zoo import calls, cli;"
        "calls.Calls.run = lambda *_: os.abort(); cli.main(sys.argv[1:])"
    )
    given = ["run", str(saved.path), "-i", "x=[1]", "--json"]
    done = subprocess.run([sys.executable, "-c", program, *given], capture_output=True, text=True)

    assert done.returncode == 65, done.stderr
    assert json.loads(done.stdout)["error"]["found"].startswith("SIGABRT")
    assert "zoo: TensorFlow ended its process" in done.stderr
