"""Models that would do more than compute: refused, their effect never happens; trusted, it does."""

import functools
import json

import numpy as np
import pytest

import zoo
from zoo import trusted
from zoo.cli import run
from zoo.errors import RunError, TrustError, UnsupportedError
from zoo.model import Model
from zoo.nodes import node, placeholder, text
from zoo.protos import MetaGraphDef
from zoo.samples import FLOAT

X = np.float32([[1.0, 2.0]])


def hostile(kind, effect):
    """Return a function of TensorFlow that doubles `x`, and writes the file `effect` on the way."""
    import tensorflow as tf

    def write():
        with tf.control_dependencies([tf.io.write_file(str(effect), "written")]):
            return tf.constant(2.0)

    if kind == "plain":
        return lambda x: write() * x
    if kind == "nested":
        inner = tf.function(lambda x: write() * x, autograph=False)
        return lambda x: inner(x) + 0.0
    if kind == "branch":
        return lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: write() * x, lambda: x)
    if kind == "loop":
        step = functools.partial(tf.while_loop, lambda i, _: i < 1)
        return lambda x: step(lambda i, y: (i + 1, y * write()), [0, x])[1]
    if kind == "map":
        return lambda x: tf.map_fn(lambda row: row * write(), x)
    if kind == "dataset":
        rows = tf.data.Dataset.from_tensor_slices
        return lambda x: rows(x[:1]).map(lambda row: row * write()).batch(1).get_single_element()
    assert kind == "python"
    called = functools.partial(_called, effect)
    return lambda x: tf.ensure_shape(tf.numpy_function(called, [x], tf.float32), [None, 2])


def _called(effect, x):
    effect.write_text("written")
    return x * np.float32(2)


KINDS = ("plain", "nested", "branch", "loop", "map", "dataset", "python")


@pytest.fixture
def effect(tmp_path):
    """Return the path of the file that hostile models write."""
    return tmp_path / "effect"


def saved_model(tf, kind, effect, folder):
    """Save a hostile model of TensorFlow 2, and return its path and what keeps its Python alive."""
    module = tf.Module()
    spec = tf.TensorSpec([None, 2], tf.float32, "x")
    module.call = tf.function(lambda x: {"y": hostile(kind, effect)(x)}, autograph=False)
    concrete = module.call.get_concrete_function(spec)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": concrete})
    effect.unlink(missing_ok=True)  # branches are traced
    return folder, module


@pytest.mark.parametrize("kind", KINDS)
def test_m01_a_saved_model_asks_first(tf, tmp_path, effect, kind):
    """Run in a function, a branch, a loop, a dataset, in Python: the effect does not happen."""
    path, _alive = saved_model(tf, kind, effect, tmp_path / "m")
    model = zoo.load(path)

    for call in (lambda: model(x=X), lambda: model.session().__enter__(), lambda: _extended(model)):
        with pytest.raises(TrustError) as caught:
            call()
        assert caught.value.code == 77
        assert f"zoo trust {path}" in caught.value.hint
    with pytest.raises((TrustError, UnsupportedError)):
        model.function()(x=X)
    assert not effect.exists()

    assert zoo.load(path, trust=True)(x=X)["y"].tolist() == [[2, 4]]
    assert effect.read_text() == "written"


def _extended(model):
    return model.extend(lambda t: {"z": next(iter(t.values()))})


@pytest.mark.parametrize("form", ["frozen", "checkpoint", "saved_model"])
def test_m01_every_format_asks_first(tf, tmp_path, effect, form, capsys):
    """The command says why, with 77; with --trust it runs, and after `zoo trust` it does, too."""
    zoo.save(writer(effect), tmp_path / "m", form)
    path = str(tmp_path / "m")

    assert run(["run", path, "-i", "x=[1]", "-o", "y", "--json"]) == 77
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["kind"], error["code"]) == ("TrustError", 77)
    assert "WriteFile" in error["problem"]
    assert run(["run", path, "-i", "x=[1]", "-o", "z"]) == 0  # it does without
    assert not effect.exists()

    assert run(["run", path, "-i", "x=[1]", "-o", "y", "--trust"]) == 0
    assert effect.read_text() == "hello"
    effect.unlink()
    assert run(["run", path, "-i", "x=[1]", "-o", "y"]) == 77
    assert run(["trust", path]) == 0
    assert run(["run", path, "-i", "x=[1]", "-o", "y"]) == 0
    assert effect.read_text() == "hello"


def writer(effect, *more, init=False):
    """Return a graph whose output ``y`` waits until `effect` is written; ``z`` does not."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.versions.producer = 1000
    meta_graph.graph_def.node.extend(
        [
            text("where", str(effect)),
            text("what", "hello"),
            node("write", "WriteFile", ["where", "what"]),
            placeholder("x", FLOAT, [None]),
            node("y", "Neg", ["x", "^write"], T=FLOAT),
            node("z", "Neg", ["x"], T=FLOAT),
            node("read", "ReadFile", ["where"]),
            node("number", "StringToNumber", ["read"], out_type=FLOAT),
            node("w", "Mul", ["number", "x"], T=FLOAT),
            *more,
        ]
    )
    if init:
        meta_graph.collection_def["saved_model_main_op"].node_list.value.append("write")
    return Model(meta_graph, {})


def test_m01_what_runs_when_a_model_is_loaded(tf, effect):
    """Its main operation: then no call can do without."""
    model = writer(effect, init=True)

    with pytest.raises(TrustError, match="WriteFile"):
        model.run("z", {"x": [1.0]})
    assert not effect.exists()
    assert model.trusted().run("z", {"x": [1.0]}) == [-1]
    assert effect.exists()


def test_what_is_fed_need_not_be_read(tf, effect):
    """What comes before a tensor that is fed does not run; nor is it asked about."""
    model = writer(effect)

    assert model.run("w", {"read": b"3", "x": [2.0]}) == [6]
    assert model.run("w", {"number": 3.0, "x": [2.0]}) == [6]
    with pytest.raises(TrustError, match="ReadFile"):
        model.run("w", {"x": [2.0]})
    assert model.function(["number", "x"], "w")(3.0, [2.0]).numpy() == [6]
    assert model.function(["x"], "z")([2.0]).numpy() == [-2]


def test_the_user_trusts_in_between(tf, tmp_path, effect):
    """A model that is open already: the next call that needs it asks the user's file."""
    zoo.save(writer(effect), tmp_path / "m.pb", "frozen")
    model = zoo.load(tmp_path / "m.pb")

    assert model.run("z", {"x": [1.0]}) == [-1]
    with pytest.raises(TrustError):
        model.run("y", {"x": [1.0]})
    assert run(["trust", str(tmp_path / "m.pb")]) == 0
    assert model.run("y", {"x": [1.0]}) == [-1]
    assert effect.exists()
    assert model.run("z", {"x": [1.0]}) == [-1]


def test_an_import_reads_nothing(tf, tmp_path, effect):
    """TensorFlow evaluates constants for shapes while it imports a graph: it would read the file.

    That shows in the shape that it infers where it may.
    """
    effect.write_text("7")
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        size = tf.strings.to_number(tf.io.read_file(str(effect)), tf.int32)
        tf.reshape(x, [size], name="y")
        tf.negative(x, name="z")
        written = tf.compat.v1.train.export_meta_graph().SerializeToString()
    model = Model(MetaGraphDef.FromString(written), {})

    for one, shape in ((model, [None]), (model.trusted(), [7])):
        one.run("z", {"x": [1.0]})
        (runner,) = one._calls._runners
        assert runner._graph.get_tensor_by_name("y:0").shape.as_list() == shape


def test_m01_an_import_reads_no_path_of_an_author(tf, tmp_path, effect):
    """Where an asset stands, its author's graph has a path of his; the model's own is read."""
    effect.write_text("7")
    (tmp_path / "own").write_text("3")
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        path = tf.constant(str(effect), name="path")
        filled = tf.fill([tf.strings.to_number(tf.io.read_file(path), tf.int32)], 1.0)
        tf.compat.v1.add_to_collection("saved_model_main_op", tf.group(filled, name="init"))
        tf.negative(x, name="z")
        written = tf.compat.v1.train.export_meta_graph().SerializeToString()
    meta_graph = MetaGraphDef.FromString(written)
    meta_graph.collection_def["saved_model_main_op"].node_list.value.append("init")
    meta_graph.asset_file_def.add(filename="own").tensor_info.name = "path:0"
    model = Model(meta_graph, {}, {"own": tmp_path / "own"})

    model.run("z", {"x": [1.0]})

    (runner,) = model._calls._runners
    assert runner._graph.get_tensor_by_name("Fill:0").shape.as_list() == [3]


def test_a_new_head_reads_nothing(tf, tmp_path, effect):
    """The width of what it stands on is not looked up in a file, by nobody's leave."""
    effect.write_text("7")
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        size = tf.strings.to_number(tf.io.read_file(str(effect)), tf.int32)
        tf.reshape(x, [-1, size], name="features")
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.ParseFromString(graph.as_graph_def().SerializeToString())

    with pytest.raises(zoo.ZooError):
        Model(meta_graph, {}).replace_head(2, features="features:0")


def test_a_verification_runs_what_it_compares(tf, tmp_path, effect, capsys):
    """On both sides: what no compared output needs is not even imported by plain TensorFlow."""
    zoo.save(writer(effect), tmp_path / "m", "checkpoint")
    source, target = tmp_path / "m", tmp_path / "out"

    for form in ("saved_model", "checkpoint"):
        done = zoo.convert(source, target / form, form, outputs=["z:0"], verify=True)
        assert done.verified.max_abs_diff == 0
        with pytest.raises(TrustError):
            zoo.convert(source, target / "y", form, outputs=["y:0"], verify=True)
    assert not (target / "y").exists()
    zoo.convert(source, tmp_path / "unproven", "saved_model", outputs=["y:0"])
    assert not effect.exists()

    given = ["convert", str(source), str(tmp_path / "proven"), "--to", "saved_model", "-o", "y"]
    assert run([*given, "--verify"]) == 77
    assert run([*given, "--verify", "--trust"]) == 0
    assert effect.exists()


def test_what_only_zoo_reads_is_proven_by_zoo(tf, tmp_path, effect):
    """The copy that is judged is trusted as its source is."""
    zoo.save(writer(effect), tmp_path / "m", "checkpoint")
    given = {"to": "npz", "outputs": ["y:0"], "verify": True}

    with pytest.raises(TrustError):
        zoo.convert(tmp_path / "m", tmp_path / "no.npz", **given)
    assert zoo.convert(tmp_path / "m", tmp_path / "n.npz", trust=True, **given).verified
    assert effect.exists()


def test_a_judge_of_somebody_else_gets_what_may_run_whole(tf, tmp_path, effect):
    """It imports all there is, and nobody can tell it what not to."""
    from dataclasses import replace

    from zoo import conversions, plain, plugins
    from zoo.both_sides import Asked

    form = plugins.format_named(plugins.installed(), "frozen")
    theirs = replace(form, judge=functools.partial(plain.frozen))
    model = writer(effect).with_signature({"x": "x:0"}, {"z": "z:0"})
    given = (tmp_path / "m.pb", {}, Asked())

    assert conversions._proven(form, model, model, *given).differences
    with pytest.raises(TrustError, match="WriteFile"):
        conversions._proven(theirs, model, model, *given)
    trusted_one = model.trusted()
    assert conversions._proven(theirs, trusted_one, trusted_one, *given).differences


def test_plain_tensorflow_gets_no_more_than_is_trusted(tf, tmp_path, effect):
    """All of a checkpoint is written, and all of it read by the judge, but for what may not run."""
    from zoo import plain
    from zoo.trust import trusting

    for form, judge in zip(("checkpoint", "frozen", "saved_model"), plain.JUDGES, strict=True):
        zoo.save(writer(effect), tmp_path / form, form)
        with judge(tmp_path / form) as opened:
            assert opened({"x:0": [1.0]}, ["y:0"])[0] == [-1]
        assert not effect.exists()
        with trusting(), judge(tmp_path / form) as opened:
            opened({"x:0": [1.0]}, ["y:0"])
        effect.unlink()


def test_what_is_added_by_hand_is_trusted(tf, tmp_path):
    """Whoever extends a model knows what with; the model below must be one that may run."""
    effect = tmp_path / "effect"
    model = zoo.load("toy-adder")

    def add(tensors):
        with tf.control_dependencies([tf.io.write_file(str(effect), "mine")]):
            return {"twice": tensors["op_to_restore:0"] * 2}

    extended = model.extend(add)
    assert extended.run("twice", {"w1": 1.0, "w2": 2.0}) == 12
    assert effect.read_text() == "mine"
    assert not model.trust.is_full


def test_a_graph_of_ones_own_gets_no_stranger(tf, effect):
    """Imported into another graph, what a model reads would be read when that runs."""
    with tf.Graph().as_default():
        one = tf.compat.v1.placeholder(tf.float32, [None])
        for wanted in (["y"], ["w"]):
            with pytest.raises(TrustError):
                writer(effect).import_graph_def({"x": one}, wanted)
        assert writer(effect).import_graph_def({"x": one}, ["z"])


def dense(tf, effect):
    """Return a model with a last layer, which writes a file when it runs."""
    rng = np.random.default_rng(0)
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 4], name="x")
        with tf.control_dependencies([tf.io.write_file(str(effect), "written")]):
            features = tf.nn.relu(x @ tf.constant(rng.random((4, 8), np.float32)), name="features")
        logits = features @ tf.constant(rng.random((8, 3), np.float32), name="logits")
        tf.nn.softmax(logits, name="prob")
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.ParseFromString(graph.as_graph_def().SerializeToString())
    return Model(meta_graph, {})


def test_a_training_asks_first(tf, tmp_path, effect):
    """Before it reads an example; a head that is only replaced needs no trust."""
    model = dense(tf, effect).with_signature({"x": "x:0"}, {"prob": "prob:0"})
    zoo.save(model, tmp_path / "m.pb", "frozen")
    data = (np.random.default_rng(1).random((12, 4), np.float32), np.arange(12) % 2)
    given = {"outputs": 2, "epochs": 1, "verbose": False}

    assert zoo.load(tmp_path / "m.pb").replace_head(2).signatures is not None
    with pytest.raises(TrustError, match="WriteFile"):
        zoo.finetune(tmp_path / "m.pb", tmp_path / "nowhere", **given)
    assert not effect.exists()
    trained = zoo.finetune(tmp_path / "m.pb", data, trust=True, **given)
    assert len(trained.history) == 1
    assert effect.exists()


def test_the_command_that_trains_asks_first(tf, tmp_path, effect, capsys):
    """With 77; and with --trust it trains."""
    zoo.save(dense(tf, effect), tmp_path / "m.pb", "frozen")
    np.savez(tmp_path / "d.npz", x=np.ones((8, 4), np.float32), y=np.arange(8) % 2)
    given = ["finetune", str(tmp_path / "m.pb"), str(tmp_path / "d.npz"), str(tmp_path / "out.pb")]
    given += ["--outputs", "2", "--epochs", "1"]

    assert run(given) == 77
    assert not effect.exists()
    assert not (tmp_path / "out.pb").exists()
    assert run([*given, "--trust"]) == 0
    assert effect.exists()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_layer_asks_when_it_is_made_and_when_it_is_loaded(tf, tmp_path, effect):
    """A Keras file cannot say of itself that it is trusted: `zoo.trusting` does."""
    import keras

    model = dense(tf, effect)
    with pytest.raises(TrustError, match="WriteFile"):
        model.layer(["x:0"], "prob:0")
    net = keras.Sequential([keras.Input((4,)), model.trusted().layer(["x:0"], "prob:0")])
    net.save(tmp_path / "net.keras")
    effect.unlink(missing_ok=True)

    with pytest.raises(TrustError) as caught:
        keras.models.load_model(tmp_path / "net.keras")
    assert "zoo.trusting()" in caught.value.hint
    with pytest.raises(TrustError):
        zoo.load(tmp_path / "net.keras")
    assert not effect.exists()
    with zoo.trusting():
        loaded = keras.models.load_model(tmp_path / "net.keras")
    loaded.predict(np.ones((1, 4)), verbose=0)
    assert effect.exists()
    assert zoo.load(tmp_path / "net.keras", trust=True).trust.is_full


def test_what_keras_must_not_run_stays_refused(tf, tmp_path):
    """Code in a file has no name that could be read; trust does not bring it in."""
    import keras

    net = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x * 2)])
    net.save(tmp_path / "net.keras")

    for trust in (False, True):
        with pytest.raises(zoo.ZooError, match="Lambda") as caught:
            zoo.load(tmp_path / "net.keras", trust=trust)
        assert caught.value.code == 77


def test_operations_that_tensorflow_lacks_are_told_as_before(tf):
    """No trust would bring them in; the library that has them would."""
    lacking = node("odd", "ConstrainedSequence")
    model = writer("/nowhere", lacking)

    with pytest.raises(RunError, match="does not have") as caught:
        model.run("odd")
    assert "import tensorflow_text" in caught.value.hint


def test_files_of_the_model_are_the_only_ones(tf, tmp_path):
    """The path that stands in a graph in the place of a file of its own is never opened."""
    (tmp_path / "secret").write_text("42")
    meta_graph = writer(tmp_path / "secret").meta_graph
    meta_graph.asset_file_def.add(filename="words.txt").tensor_info.name = "where:0"
    for assets in ({}, {"words.txt": tmp_path / "none"}):
        model = Model(meta_graph, {}, assets).trusted()
        with pytest.raises(RunError, match="does not give"):
            model.run("w", {"x": [1.0]})
    (tmp_path / "words").write_text("3")

    own = Model(meta_graph, {}, {"words.txt": tmp_path / "words"}).trusted()
    assert own.run("w", {"x": [2.0]}) == [6]


def test_a_change_of_the_users_mind(tf, tmp_path, effect):
    """What is trusted no longer asks again."""
    zoo.save(writer(effect), tmp_path / "m.pb", "frozen")
    run(["trust", str(tmp_path / "m.pb")])
    zoo.load(tmp_path / "m.pb").run("y", {"x": [1.0]})
    run(["trust", "--remove", str(tmp_path / "m.pb")])

    with pytest.raises(TrustError):
        zoo.load(tmp_path / "m.pb").run("y", {"x": [1.0]})
    assert trusted.listed() == []
