"""Graphs that edits have to be careful with, judged by plain TensorFlow."""

import numpy as np
import pytest

import zoo
from zoo.protos import GraphDef


@pytest.fixture
def saved(tf, tmp_path):
    """Return a function that builds a TensorFlow 1 graph and saves it as a checkpoint."""
    v1 = tf.compat.v1

    def save(build, *, control_flow_v2=False):
        with tf.Graph().as_default() as graph, v1.Session() as session:
            (v1.enable_control_flow_v2 if control_flow_v2 else v1.disable_control_flow_v2)()
            build(v1)
            session.run(v1.global_variables_initializer())
            prefix = str(tmp_path / "source" / "model")
            v1.train.Saver().save(session, prefix)
            (tmp_path / "source.pb").write_bytes(graph.as_graph_def().SerializeToString())
        return prefix

    return save


def loop(v1):
    """Build a loop and a branch over resource variables and constants of their own."""
    import tensorflow as tf

    x = v1.placeholder(tf.float32, [2, 2], name="x")
    kernel = v1.get_variable("kernel", initializer=np.eye(2, dtype="f") * 3, use_resource=True)

    def body(i, value):
        return i + 1, tf.matmul(value, kernel) @ tf.constant([[2.0, 0.0], [0.0, 2.0]])

    _, out = v1.while_loop(lambda i, _: i < 3, body, [0, x])
    switch = v1.placeholder_with_default(True, [], name="switch")
    chosen = v1.cond(
        switch,
        lambda: tf.matmul(out, tf.constant([[4.0, 0.0], [0.0, 6.0]])) + kernel,
        lambda: out - kernel,
    )
    tf.identity(chosen, name="y")


X = np.arange(4, dtype=np.float32).reshape(2, 2)


@pytest.mark.parametrize("form", ["frozen", "checkpoint", "saved_model"])
@pytest.mark.parametrize("switch", [True, False])
def test_loops_and_branches_of_tensorflow_1(tf, plain, saved, tmp_path, form, switch):
    """Shapes that were inferred for handles go where these become values, and the other way."""
    prefix = saved(loop)
    feeds = {"x:0": X, "switch:0": switch}
    (expected,) = plain.checkpoint(prefix, feeds, ["y:0"])

    path = zoo.convert(prefix, tmp_path / "out" / "m", to=form, outputs=["y:0"]).target.path

    np.testing.assert_array_equal(getattr(plain, form)(path, feeds, ["y:0"])[0], expected)
    np.testing.assert_array_equal(zoo.load(path).run("y:0", feeds), expected)


def test_a_frozen_graph_with_constants_in_loops_runs_and_thaws(tf, plain, saved, tmp_path):
    """A constant inside a frame stays one, large or small."""
    prefix = saved(loop)
    feeds = {"x:0": X}
    (expected,) = plain.checkpoint(prefix, feeds, ["y:0"])
    zoo.convert(prefix, tmp_path / "net.pb", to="frozen", outputs=["y:0"])

    zoo.convert(tmp_path / "net.pb", tmp_path / "again", to="saved_model")

    np.testing.assert_array_equal(zoo.load(tmp_path / "net.pb").run("y:0", feeds), expected)
    again = plain.saved_model(tmp_path / "again", feeds, ["y:0"])[0]
    np.testing.assert_array_equal(again, expected)


def test_a_node_no_longer_stands_beside_one_that_is_gone(tf, plain, saved, tmp_path):
    """Colocation with a pruned node makes TensorFlow refuse the graph."""

    def build(v1):
        import tensorflow as tf

        x = v1.placeholder(tf.float32, [], name="x")
        other = tf.constant(1.0, name="other")
        with v1.colocate_with(other):
            tf.add(x, 1.0, name="y")
        v1.get_variable("v", initializer=1.0)

    saved(build)
    model = zoo.load(saved(build)).prune(["y:0"])
    zoo.save(model, tmp_path / "y.pb", "frozen")

    assert plain.frozen(tmp_path / "y.pb", {"x:0": 2.0}, ["y:0"]) == [3.0]


def test_a_private_read_comes_after_what_its_user_waits_for(tf, plain, saved, tmp_path):
    """A reference is looked at when its user runs: the user's indices come from an update."""

    def build(v1):
        import tensorflow as tf

        v = v1.get_variable("v", initializer=np.ones(3, "f"), use_resource=False)
        updated = v1.assign_add(v, np.full(3, 10.0, "f"))
        index = tf.cast(tf.reduce_sum(updated) * 0, tf.int32)
        tf.raw_ops.Gather(params=v._ref(), indices=index, name="y")

    prefix = saved(build)
    zoo.convert(prefix, tmp_path / "m", to="saved_model")

    assert plain.checkpoint(prefix, {}, ["y:0"]) == [11.0]
    assert [plain.saved_model(tmp_path / "m", {}, ["y:0"])[0] for _ in range(5)] == [11.0] * 5


def called_twice(tf):
    """Return a module whose call has an effect before a second call that returns its argument."""

    class Module(tf.Module):
        def __init__(self):
            self.v = tf.Variable(1.0)

        @tf.function
        def count(self, x):
            self.v.assign_add(x)

        @tf.function
        def same(self, x):
            return x

        @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
        def __call__(self, x):
            self.count(x)
            return self.same(x) + self.v

    return Module()


def test_effects_of_calls_stay_when_these_are_inlined(tf, tmp_path):
    """What a function does besides returning is done, and in order."""
    tf.saved_model.save(called_twice(tf), str(tmp_path / "m"))
    model = zoo.load(tmp_path / "m")
    (output,) = model.signature().outputs

    assert model.run(output, {"x": 10.0}) == 21.0
    assert (
        model.prune([output + ":0"] if output in model.graph.node else model.outputs()).run(
            model.outputs()[0], {model.signature().inputs["x"].tensor: 10.0}
        )
        == 21.0
    )


def test_what_trains_in_a_keras_export_trains_afterwards(tf, tmp_path):
    """Keras calls its handles by other names than its variables, and keeps each twice."""
    keras = tf.keras
    layers = [keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    net = keras.Sequential([keras.layers.Input((4,)), *layers])
    net.export(str(tmp_path / "m"), verbose=False)
    zoo.convert(tmp_path / "m", tmp_path / "c" / "m", to="checkpoint")
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    theirs = [*loaded.variables, *loaded._all_variables]

    trained = [w["shape"] for w in zoo.inspect(tmp_path / "m")["weights"] if w["trainable"]]
    again = [w["shape"] for w in zoo.inspect(tmp_path / "c" / "m")["weights"] if w["trainable"]]

    assert sorted(trained) == sorted(list(v.shape) for v in theirs if v.trainable)
    assert (sorted(again), len(trained)) == (sorted(trained), 12)


def test_registered_gradients_stay(tf, tmp_path):
    """A gradient of one's own is a function that only an attribute of a node names."""

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
        def __call__(self, x):
            @tf.custom_gradient
            def strange(value):
                return value * 2, lambda upstream: upstream * 100

            return strange(x)

    options = tf.saved_model.SaveOptions(experimental_custom_gradients=True)
    module = Module()
    tf.saved_model.save(module, str(tmp_path / "m"), options=options)
    model = zoo.load(tmp_path / "m")
    before = GraphDef()
    before.CopyFrom(model.graph)

    pruned = model.prune(model.outputs())

    assert len(before.library.registered_gradients) == 1
    assert before.library.registered_gradients == pruned.graph.library.registered_gradients
    kept = {function.signature.name for function in pruned.graph.library.function}
    assert before.library.registered_gradients[0].gradient_func in kept
