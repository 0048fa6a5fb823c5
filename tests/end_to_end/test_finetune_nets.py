"""Kinds of nets that take a new last layer: signatures, convolutions, ends, names of weights."""

import numpy as np
import pytest

import zoo
from zoo_finetune.depth import layers

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")
RNG = np.random.default_rng(0)
Y = np.arange(90) % 3
X = (RNG.normal(0, 0.3, (90, 12)) + np.repeat(np.eye(3), 4, axis=1)[Y]).astype(np.float32)
PICTURES = np.repeat(X[:, ::4], 16).reshape(90, 3, 4, 4).transpose(0, 2, 3, 1).copy()


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """Keep features of other tests away."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def keras(tf):
    """Give Keras, which no test brings in before TensorFlow has been told to be quiet."""
    import keras

    return keras


def dense(keras, *ends):
    """Return a net of Keras with two dense layers."""
    keras.utils.set_random_seed(1)
    inner = keras.layers.Dense(8, activation="relu")
    return keras.Sequential([keras.Input((12,), name="x"), inner, *ends])


def learned(path, data=(X, Y), **options):
    """Return what comes of some epochs, quietly."""
    usual = {"outputs": 3, "epochs": 12, "learning_rate": 0.03, "verbose": False}
    return zoo.finetune(path, data, **{**usual, **options})


@pytest.mark.parametrize("train", ["head", "all"])
def test_an_export_has_its_net_once_for_each_signature(keras, tf, tmp_path, train):
    """The one that is trained stays, in each format, and plain TensorFlow loads it."""
    dense(keras, keras.layers.Dense(4, activation="softmax")).export(
        tmp_path / "net", verbose=False
    )

    trained = learned(tmp_path / "net", train=train)

    best = trained.epochs[trained.best_epoch]
    assert best.val_accuracy >= 0.9
    assert any("left out the signatures serve" in note for note in trained.notes)
    called = tf.saved_model.load(str(trained.save(tmp_path / "out").path))
    (given,) = called.signatures["serving_default"].structured_input_signature[1]
    (found,) = called.signatures["serving_default"](**{given: X}).values()
    assert np.mean(found.numpy().argmax(1) == Y) >= 0.9
    for form in ("frozen", "checkpoint"):
        path = trained.save(tmp_path / form, form).path
        (name,) = zoo.load(path).signature().inputs
        (other,) = zoo.load(path)(**{name: X}).values()
        np.testing.assert_allclose(other, found, rtol=1e-5, atol=1e-6)


def test_every_signature_gets_the_new_width(keras, tf, tmp_path):
    """A head alone is swapped in all copies of the net, and no signature is lost."""
    dense(keras, keras.layers.Dense(4, activation="softmax")).export(
        tmp_path / "net", verbose=False
    )

    after = zoo.load(tmp_path / "net").replace_head(5)

    widths = {key: one.outputs["output_0"].shape for key, one in after.signatures.items()}
    assert widths == {"serve": (None, 5), "serving_default": (None, 5)}
    called = tf.saved_model.load(str(zoo.save(after, tmp_path / "out", "saved_model").path))
    found = [
        next(iter(one(**dict.fromkeys(one.structured_input_signature[1], X[:2])).values()))
        for one in called.signatures.values()
    ]
    np.testing.assert_array_equal(found[0], found[1])


def test_a_convolution_with_a_bias_that_is_reshaped(keras, tmp_path):
    """As in Keras's MobileNet: a batch of any size is put together with the old width."""
    keras.utils.set_random_seed(1)
    net = keras.Sequential(
        [
            keras.Input((4, 4, 3), name="x"),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(keepdims=True),
            keras.layers.Conv2D(10, 1),
            keras.layers.Reshape((10,)),
            keras.layers.Softmax(),
        ]
    )
    net.save(tmp_path / "net.keras")

    trained = learned(tmp_path / "net.keras", (PICTURES, Y), train="all")

    (name,) = trained.model.signature().inputs
    (found,) = trained.model(**{name: PICTURES}).values()
    assert found.shape == (90, 3)
    assert np.mean(found.argmax(1) == Y) >= 0.9


@pytest.mark.parametrize(
    ("end", "outputs", "said"),
    [
        ("sigmoid", 3, "made Softmax of Sigmoid"),
        ("log_softmax", 3, "made Softmax of LogSoftmax"),
        ("linear", 3, "put Softmax behind"),
        ("relu", 3, "put Softmax behind"),
        ("linear", 1, "put Sigmoid behind"),
        ("softmax", 1, "made Sigmoid of Softmax"),
    ],
)
def test_classes_have_probabilities(keras, tmp_path, end, outputs, said):
    """Whatever there was before; those of a file are those that the report speaks of."""
    dense(keras, keras.layers.Dense(4, activation=end)).save(tmp_path / "net.keras")
    y = Y if outputs > 1 else Y % 2

    trained = learned(tmp_path / "net.keras", (X, y), outputs=outputs, epochs=2)

    assert any(said in note for note in trained.notes), trained.notes
    (name,) = trained.model.signature().inputs
    held_out = np.asarray(next(iter(trained.validation.values.values())))
    (found,) = trained.model(**{name: held_out}).values()
    np.testing.assert_allclose(found, trained.predictions, rtol=1e-4, atol=1e-6)
    kept = learned(tmp_path / "net.keras", (X, y), outputs=outputs, epochs=0, activation="none")
    assert "probabilities" not in {node.name for node in kept.model.graph.node}


def tutorial(tf, folder):
    """Save a checkpoint of three layers whose variables have names without scopes."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        net = v1.placeholder("float32", (None, 12), name="x")
        for number, (size, width) in enumerate([(12, 8), (8, 8), (8, 4)], 1):
            kernel = v1.get_variable(f"W{number}", (size, width), use_resource=False)
            bias = v1.get_variable(f"b{number}", (width,), use_resource=False)
            net = v1.matmul(net, kernel) + bias
            net = v1.nn.relu(net) if number < 3 else v1.nn.softmax(net, name="prob")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(folder / "model"))
    return folder / "model"


def test_layers_without_scopes(tf, tmp_path):
    """A kernel and the bias that is added to its product are one layer, by whatever names."""
    path = tutorial(tf, tmp_path)

    for count in (1, 2, 3):
        assert learned(path, last_layers=count, epochs=1).trained_weights == 2 * count
    frozen = zoo.convert(path, tmp_path / "net.pb", to="frozen").target.path
    model = zoo.load(frozen)
    found = layers(model, list(model.weights), "prob:0")
    assert [sorted(one) for one in found] == [["W3", "b3"], ["W2", "b2"], ["W1", "b1"]]


def test_layers_of_a_frozen_keras_net(keras, tmp_path):
    """Each weight has a scope of its own there; a normalisation is a layer, too."""
    normal = keras.layers.BatchNormalization()
    dense(keras, normal, keras.layers.Dense(4, activation="softmax")).save(tmp_path / "net.keras")
    source = zoo.load(tmp_path / "net.keras")
    frozen = zoo.convert(tmp_path / "net.keras", tmp_path / "net.pb", to="frozen").target.path

    for model in (source, zoo.load(frozen)):
        (end,) = (spec.tensor for spec in model.signature().outputs.values())
        names = [name for name in model.weights if "moving" not in name]
        assert [len(one) for one in layers(model, names, end)] == [2, 2, 2]


def test_a_recurrent_cell_is_one_layer(keras, tmp_path):
    """Kernel, recurrent kernel and bias."""
    net = keras.Sequential(
        [keras.Input((5, 4), name="x"), keras.layers.LSTM(6, unroll=True), keras.layers.Dense(3)]
    )
    net.save(tmp_path / "net.keras")
    model = zoo.load(tmp_path / "net.keras")
    (end,) = (spec.tensor for spec in model.signature().outputs.values())

    assert [len(one) for one in layers(model, list(model.weights), end)] == [2, 3]


def test_normalisation_on_a_branch(tf, tmp_path):
    """A switch that is fed has its value for use; the averages behind it can learn."""
    v1 = tf.compat.v1
    v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder("float32", (None, 12), name="x")
            switch = v1.placeholder("bool", (), name="training")
            inner = v1.matmul(x, v1.get_variable("W1", (12, 8), use_resource=False))
            mean, variance = (
                v1.get_variable(name, initializer=value * np.ones(8, np.float32), trainable=False)
                for name, value in (("m", 0.0), ("v", 1.0))
            )

            def moved():
                new = v1.nn.moments(inner, [0])
                pairs = zip((mean, variance), new, strict=True)
                moves = [v1.assign(old, 0.9 * old + 0.1 * one) for old, one in pairs]
                with tf.control_dependencies(moves):
                    return [v1.identity(one) for one in new]

            used = v1.cond(switch, moved, lambda: [v1.identity(mean), v1.identity(variance)])
            net = v1.nn.relu(v1.nn.batch_normalization(inner, *used, None, None, 1e-3))
            last = v1.get_variable("W2", (8, 4), use_resource=False)
            v1.nn.softmax(v1.matmul(net, last), name="prob")
            session.run(v1.global_variables_initializer())
            v1.train.Saver().save(session, str(tmp_path / "model"))
    finally:
        v1.enable_control_flow_v2()

    trained = learned(tmp_path / "model", train="all", train_batch_norm=True)

    assert list(trained.model.signature().inputs) == ["x"]
    assert trained.model.weights["m"].any()
    assert trained.epochs[trained.best_epoch].val_accuracy >= 0.9


@pytest.mark.parametrize("train", ["head", "all"])
def test_words_that_are_gathered_from_a_variable(tf, tmp_path, train):
    """In a function the last layer waits for the lookup, which lies before the features."""
    rng = np.random.default_rng(1)

    class Net(tf.Module):
        def __init__(self):
            self.table = tf.Variable(rng.normal(0, 1, (20, 8)).astype(np.float32), name="table")
            self.kernel = tf.Variable(rng.normal(0, 1, (8, 4)).astype(np.float32), name="kernel")
            self.bias = tf.Variable(np.zeros(4, np.float32), name="bias")

        @tf.function(input_signature=[tf.TensorSpec((None, 5), tf.int32, name="words")])
        def call(self, words):
            features = tf.reduce_mean(tf.gather(self.table, words), 1)
            return {"p": tf.nn.softmax(tf.matmul(features, self.kernel) + self.bias)}

    net = Net()
    tf.saved_model.save(net, str(tmp_path / "net"), {"serving_default": net.call})
    words = (np.repeat(Y[:, None], 5, axis=1) * 5 + rng.integers(0, 5, (90, 5))).astype(np.int32)

    trained = learned(tmp_path / "net", (words, Y), train=train, epochs=40)

    assert trained.epochs[trained.best_epoch].val_accuracy >= 0.9
