"""Nets of TensorFlow 2: functions, loops, branches and tables of vectors, in every format."""

import numpy as np
import pytest

import zoo

FORMS = ("checkpoint", "frozen", "saved_model")


def modules(tf):
    """Return a class for each way in which TensorFlow 2 uses a variable."""
    floats = tf.TensorSpec([None, 3], tf.float32)

    class Plain(tf.Module):
        def __init__(self):
            super().__init__()
            rng = np.random.default_rng(0)
            self.w = tf.Variable(rng.normal(size=(3, 3)), dtype=tf.float32, name="w")
            self.steps = tf.Variable(3, trainable=False, name="steps")

        @tf.function(input_signature=[floats])
        def __call__(self, x):
            return {"y": self.net(x)}

        @tf.function
        def net(self, x):
            return tf.nn.relu(tf.matmul(x, self.w))

    class Loop(Plain):
        @tf.function
        def net(self, x):
            for _ in tf.range(self.steps):
                x = tf.tanh(tf.matmul(x, self.w))
            return x

    class Branch(Plain):
        @tf.function
        def net(self, x):
            if tf.reduce_sum(x) > 0:
                return tf.matmul(x, self.w)
            return x - tf.reduce_sum(self.w)

    class Nested(Plain):
        @tf.function
        def net(self, x):
            for step in tf.range(self.steps):
                if step % 2 == 0:
                    x = self.inner(x)
            return x

        @tf.function
        def inner(self, x):
            return tf.matmul(x, self.w) + tf.gather(self.w, [1])

    class Gather(Plain):
        @tf.function
        def net(self, x):
            ids = tf.cast(tf.clip_by_value(tf.abs(x[:, 0]), 0, 2), tf.int32)
            return tf.nn.embedding_lookup(self.w, ids)

    return {"plain": Plain, "loop": Loop, "branch": Branch, "nested": Nested, "gather": Gather}


@pytest.fixture(params=["plain", "loop", "branch", "nested", "gather"])
def saved(request, tf, tmp_path):
    """Return a SavedModel of TensorFlow 2, inputs, and what the module itself gives for them."""
    module = modules(tf)[request.param]()
    tf.saved_model.save(module, str(tmp_path / "source"))
    inputs = [np.full((2, 3), 0.5, np.float32), np.full((1, 3), -1.25, np.float32)]
    answers = [module(tf.constant(x))["y"].numpy() for x in inputs]
    return tmp_path / "source", inputs, answers


@pytest.mark.parametrize("form", FORMS)
def test_every_format_holds_it(tf, plain, saved, tmp_path, form):
    """Plain TensorFlow runs what zoo made of it, to the same bits."""
    path, inputs, answers = saved
    signature = zoo.load(path).signature()
    feed, fetch = signature.inputs["x"].tensor, signature.outputs["y"].tensor
    options = {"object_graph": False} if form == "saved_model" else {}

    written = zoo.save(zoo.load(path), tmp_path / "out" / "m", form, **options)

    for x, answer in zip(inputs, answers, strict=True):
        (value,) = getattr(plain, form)(written.path, {feed: x}, [fetch])
        assert value.tobytes() == answer.tobytes()
        if form == "saved_model":
            called = plain.signature(written.path, "serving_default", x=x)
            assert called["y"].tobytes() == answer.tobytes()


def test_it_runs_as_it_is(tf, saved):
    """A call through zoo, within what TensorFlow's own rewriting changes."""
    path, inputs, answers = saved
    model = zoo.load(path)

    for x, answer in zip(inputs, answers, strict=True):
        np.testing.assert_allclose(model(x=x)["y"], answer, rtol=1e-4, atol=1e-5)
    model.close()


def test_frozen_functions_hold_no_handles(tf, saved, tmp_path):
    """Nothing of a frozen graph takes a resource, inside of functions either."""
    path, _, _ = saved
    zoo.convert(path, tmp_path / "m.pb", to="frozen")

    graph = zoo.load(tmp_path / "m.pb").graph
    nodes = list(graph.node) + [n for f in graph.library.function for n in f.node_def]
    assert not {n.op for n in nodes} & {"ReadVariableOp", "VarHandleOp", "ResourceGather"}
    assert all(a.type != 20 for f in graph.library.function for a in f.signature.input_arg)


def test_keras_exports(tf, plain, tmp_path):
    """What Keras 3 exports holds each weight behind several handles; all get their values."""
    import keras

    keras.utils.set_random_seed(1)
    net = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3, activation="softmax", name="head"),
        ]
    )
    net.export(str(tmp_path / "source"), verbose=False)
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype(np.float32)
    model = zoo.load(tmp_path / "source")
    (key,) = model.signature().inputs
    expected = net(x, training=False).numpy()

    (value,) = model(**{key: x}).values()

    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)
    feed = model.signature().inputs[key].tensor
    (fetch,) = (spec.tensor for spec in model.signature().outputs.values())
    for form in FORMS:
        written = zoo.save(model, tmp_path / form / "m", form)
        (value,) = getattr(plain, form)(written.path, {feed: x}, [fetch])
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


def test_recurrent_nets(tf, plain, tmp_path):
    """An LSTM keeps its loop, and its weights are constants in it when it is frozen."""
    import keras

    keras.utils.set_random_seed(2)
    net = keras.Sequential([keras.Input((None, 5)), keras.layers.LSTM(4), keras.layers.Dense(2)])
    net.export(str(tmp_path / "source"), verbose=False)
    x = np.random.default_rng(0).normal(size=(2, 7, 5)).astype(np.float32)
    expected = net(x).numpy()
    model = zoo.load(tmp_path / "source")
    ((key, spec),) = model.signature().inputs.items()
    (out,) = (s.tensor for s in model.signature().outputs.values())

    for form in FORMS:
        written = zoo.save(model, tmp_path / form / "m", form)
        (value,) = getattr(plain, form)(written.path, {spec.tensor: x}, [out])
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)
    assert key in model.signature().inputs
