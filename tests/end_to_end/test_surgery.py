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


def test_loops_of_tensorflow_2_come_back_from_a_frozen_graph(tf, tmp_path):
    """A weight that only a loop uses is a weight again, and every loader takes the result."""

    class Module(tf.Module):
        def __init__(self):
            self.w = tf.Variable(np.eye(4, dtype="f") * 2)

        @tf.function(input_signature=[tf.TensorSpec([3, 4], name="x")])
        def __call__(self, x):
            for _ in tf.range(2):
                x = x @ self.w
            return {"y": x}

    module = Module()
    tf.saved_model.save(module, str(tmp_path / "c"), signatures=module.__call__)
    zoo.convert(tmp_path / "c", tmp_path / "c.pb", to="frozen")
    zoo.convert(tmp_path / "c.pb", tmp_path / "m", to="saved_model")
    (weight,) = zoo.load(tmp_path / "c.pb").weights
    loaded = tf.saved_model.load(str(tmp_path / "m"))

    assert [v.shape for v in loaded.variables] == [(4, 4)]
    (call,) = loaded.signatures.values()
    (output,) = call(serving_default_x=tf.ones([3, 4])).values()
    assert output.numpy().tolist() == (np.ones((3, 4)) * 4).tolist()
    assert zoo.inspect(tmp_path / "m")["weights"][0]["name"] == weight


def test_updates_in_collections_stay(tf, tmp_path, saved):
    """What batch normalisation lists as its updates is there in the SavedModel, and still works."""

    def build(v1):
        x = v1.placeholder(tf.float32, [None], name="x")
        mean = v1.get_variable("mean", initializer=0.5, use_resource=False, trainable=False)
        tf.multiply(x, mean, name="y")
        update = v1.assign(mean, mean * 0.5 + tf.reduce_mean(x) * 0.5)
        v1.add_to_collection("update_ops", update)

    zoo.convert(saved(build), tmp_path / "m", to="saved_model")
    tf.saved_model.load(str(tmp_path / "m"))
    v1 = tf.compat.v1

    with tf.Graph().as_default() as graph, v1.Session() as session:
        v1.saved_model.load(session, ["serve"], str(tmp_path / "m"))
        (update,) = graph.get_collection("update_ops")
        assert session.run(update, {"x:0": [1.5]}) == 1.0
        assert session.run("y:0", {"x:0": [1.0]}) == [1.0]
    with zoo.load(tmp_path / "m").session() as session:
        (update,) = session.graph.get_collection("update_ops")
        assert session.run(update, {"x:0": [1.5]}) == 1.0


class Table:
    """A model whose answers are in a table that is stored with the weights."""

    def __init__(self, tf, path):
        class Module(tf.Module):
            def __init__(self):
                self.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -5)
                self.table.insert(["x"], [77])

            @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="s")])
            def __call__(self, s):
                return {"z": self.table.lookup(s)}

        module = Module()
        tf.saved_model.save(module, str(path), signatures=module.__call__)


def test_tables_are_filled_from_the_checkpoint(tf, tmp_path):
    """What the saver restores into a table is there when the model runs; else it is refused."""
    Table(tf, tmp_path / "m")
    model = zoo.load(tmp_path / "m")

    assert model(s=["x", "q"])["z"].tolist() == [77, -5]
    for options in ({"to": "checkpoint"}, {"to": "saved_model", "object_graph": False}):
        with pytest.raises(zoo.ZooError):
            zoo.convert(tmp_path / "m", tmp_path / "out", **options)
    zoo.convert(tmp_path / "m", tmp_path / "again", to="saved_model")
    loaded = tf.saved_model.load(str(tmp_path / "again"))
    (call,) = loaded.signatures.values()
    assert call(s=tf.constant(["x"]))["z"].numpy().tolist() == [77]


def test_queues_are_empty_at_each_call(tf, saved):
    """A model is a value, whatever it keeps while it runs."""

    def build(v1):
        queue = v1.FIFOQueue(10, [tf.float32], shapes=[[]])
        with tf.control_dependencies([queue.enqueue(v1.placeholder(tf.float32, [], name="k"))]):
            tf.cast(queue.size(), tf.float32, name="y")
        v1.get_variable("v", initializer=1.0)

    model = zoo.load(saved(build))

    assert [float(model.run("y", {"k:0": 1.0})) for _ in range(3)] == [1.0, 1.0, 1.0]


def test_a_variable_can_be_an_output(tf, plain, tmp_path):
    """Of a SavedModel too, where its node is a handle."""
    zoo.convert("toy-adder", tmp_path / "m", to="saved_model")
    zoo.convert(tmp_path / "m", tmp_path / "b", to="saved_model", outputs="bias")

    assert zoo.load(tmp_path / "m").run("bias", {}) == 2.0
    assert list(zoo.load(tmp_path / "b")().values()) == [2.0]


@pytest.mark.parametrize("name", ["Add:5", "Add:x", "^Add", "restore_all", "Add:-1"])
def test_outputs_that_are_none(tf, tmp_path, name):
    """A wrong number, no number, an operation without outputs."""
    model = zoo.load("toy-adder")

    with pytest.raises(zoo.ZooError) as caught:
        model.run(name, {"w1": 1.0, "w2": 1.0})
    assert caught.value.code == 66
    with pytest.raises(zoo.ZooError):
        zoo.convert("toy-adder", tmp_path / "x.pb", to="frozen", outputs=[name])


def test_a_fed_constant_stays_one(tf, tmp_path):
    """A weight that a signature feeds cannot become a variable."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [2, 2], name="x")
        kernel = tf.constant([[1.0, 2.0], [3.0, 4.0]], name="kernel")
        y = tf.matmul(x, kernel, name="y")
        v1.saved_model.simple_save(
            session, str(tmp_path / "s"), inputs={"x": x, "kernel": kernel}, outputs={"y": y}
        )
    zoo.convert(tmp_path / "s", tmp_path / "m", to="saved_model")

    call = tf.saved_model.load(str(tmp_path / "m")).signatures["serving_default"]

    given = {"x": tf.eye(2), "kernel": tf.ones([2, 2])}
    assert call(**given)["y"].numpy().tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_extending_a_model_with_a_sparse_input(tf, tmp_path):
    """The three tensors of the input stay its own; a new placeholder becomes an input."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.sparse_placeholder(tf.float32, [2, 2], name="sp")
        y = tf.sparse.to_dense(x, name="y")
        v1.saved_model.simple_save(session, str(tmp_path / "s"), inputs={"x": x}, outputs={"y": y})

    def scaled(tensors):
        return {"z": tensors["y:0"] * v1.placeholder(tf.float32, [], name="scale")}

    longer = zoo.load(tmp_path / "s").extend(scaled)
    zoo.save(longer, tmp_path / "m", "saved_model")
    call = tf.saved_model.load(str(tmp_path / "m")).signatures["serving_default"]

    x = tf.sparse.from_dense([[0.0, 1.0], [2.0, 0.0]])
    parts = {"x_indices": x.indices, "x_values": x.values, "x_dense_shape": x.dense_shape}
    found = call(scale=tf.constant(2.0), **parts)["z"]
    assert found.numpy().tolist() == [[0.0, 2.0], [4.0, 0.0]]


def test_references_that_pass_a_branch_load_in_tensorflow_2(tf, tmp_path, saved):
    """A variable that starts as another reads that one through a switch."""

    def build(v1):
        x = v1.placeholder(tf.float32, [2, 2], name="x")
        w = v1.get_variable("w", initializer=np.eye(2, dtype="f"), use_resource=False)
        u = v1.Variable(w.initialized_value() * 2, name="u", use_resource=False)
        tf.matmul(x, w + u, name="y")

    zoo.convert(saved(build), tmp_path / "m", to="saved_model")
    call = tf.saved_model.load(str(tmp_path / "m")).signatures["serving_default"]

    (found,) = (v for k, v in call(x=tf.constant(X)).items() if k == "y")
    np.testing.assert_array_equal(found.numpy(), X * 3)
