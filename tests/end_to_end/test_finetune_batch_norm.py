"""Batch normalisation that learns; the oracle is the same net trained by Keras."""

import numpy as np
import pytest

import zoo

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")
DIGITS = pytest.importorskip("sklearn.datasets").load_digits()
X = (DIGITS.images[:256, ..., None] / 16).astype(np.float32)
ODD = (DIGITS.target[:256] % 2).astype(np.int64)
RATE = 0.05
WHOLE = {"epochs": 3, "batch_size": 256, "validation_split": 0.0, "learning_rate": RATE}


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """Keep features of other tests away."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))


@pytest.fixture
def net(tf):
    """Give a net of Keras, whose averages are those of other data."""
    import keras

    keras.utils.set_random_seed(1)
    made = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="x"),
            keras.layers.Conv2D(8, 3, name="conv"),
            keras.layers.BatchNormalization(momentum=0.9, name="bn"),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax", name="last"),
        ]
    )
    made.get_layer("bn").moving_mean.assign(np.linspace(-1, 1, 8))
    made.get_layer("bn").moving_variance.assign(np.linspace(1, 3, 8))
    return made


def taught(net, head):
    """Train `net` by Keras alone, its last layer beginning as `head`."""
    import keras

    net.get_layer("last").set_weights(head)
    loss = keras.losses.SparseCategoricalCrossentropy()
    net.compile(keras.optimizers.SGD(RATE), loss)
    net.fit(X, ODD, batch_size=len(X), epochs=3, verbose=0, shuffle=False)
    return net.get_layer("bn")


def weight(model, part):
    """Return the one weight of `model` whose name has `part` in it."""
    (name,) = [name for name in model.weights if part in name.replace("batch_normalization", "bn")]
    return model.weights[name]


@pytest.mark.parametrize("form", ["saved_model", "frozen", "checkpoint"])
def test_averages_move_as_in_keras(net, form, tmp_path):
    """Written out as Keras 3 does it: statistics, gradients through them, and the averages."""
    net.save(tmp_path / "net.keras")
    path = zoo.convert(tmp_path / "net.keras", tmp_path / form, to=form).target.path
    begun = zoo.finetune(path, (X, ODD), outputs=2, **{**WHOLE, "epochs": 0}).model

    trained = zoo.finetune(
        path, (X, ODD), outputs=2, train="all", optimizer="sgd", train_batch_norm=True, **WHOLE
    )

    expected = taught(net, [weight(begun, "last/kernel"), weight(begun, "last/bias")])
    for name in ("moving_mean", "moving_variance", "gamma", "beta"):
        found = weight(trained.model, name)
        np.testing.assert_allclose(found, getattr(expected, name), rtol=1e-4, atol=1e-5)


def written(v1, form, x):
    """Return `x` normalised by averages that are variables, in one of the ways people do it."""
    shape = (1, 1, 1, 8) if form == "axes kept" else (8,)
    made = {name: np.linspace(*ends, 8).reshape(shape) for name, ends in STATISTICS.items()}
    mean, variance, scale, shift = (
        v1.get_variable(name, initializer=values.astype(np.float32), use_resource=False)
        for name, values in made.items()
    )
    if form == "fused":
        return v1.nn.fused_batch_norm(x, scale, shift, mean, variance, is_training=False)[0]
    if form == "helper":
        return v1.nn.batch_normalization(x, mean, variance, shift, scale, 1e-3)
    if form == "no scale":
        return v1.nn.batch_normalization(x, mean, variance, shift, None, 1e-3)
    if form == "bare":
        return v1.nn.batch_normalization(x, mean, variance, None, None, 1e-3)
    if form == "whole":
        return (x - mean) / v1.sqrt(1e-3 + v1.reduce_mean(variance)) * scale + shift
    return (x - mean) / v1.sqrt(1e-3 + variance) * scale + shift


STATISTICS = {"a": (-1, 1), "b": (1, 3), "c": (0.5, 2), "d": (-2, 2)}  # nobody can tell by names


def frozen(tf, form, folder):
    """Return a frozen graph with a normalisation, and what it normalises of the examples."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder("float32", (None, 8, 8, 1), name="x")
        kernel = v1.get_variable("k", (3, 3, 1, 8), use_resource=False)
        inner = v1.nn.conv2d(x, kernel, 1, "SAME", name="inner")
        net = v1.reshape(v1.nn.relu(written(v1, form, inner)), (-1, 512))
        last = v1.get_variable("last", (512, 10), use_resource=False)
        v1.nn.softmax(v1.matmul(net, last), name="prob")
        session.run(v1.global_variables_initializer())
        values = session.run(inner, {x: X}).reshape(-1, 8)
        v1.train.Saver().save(session, str(folder / "model"))
    done = zoo.convert(folder / "model", folder / "m.pb", to="frozen", outputs=["prob:0"])
    return done.target.path, values


@pytest.mark.parametrize("form", ["fused", "helper", "no scale", "bare", "by hand", "axes kept"])
def test_averages_are_known_by_where_they_stand(tf, plain, form, tmp_path):
    """A frozen graph names nothing; all else learns, and what comes out goes by the averages."""
    path, values = frozen(tf, form, tmp_path)
    learning = {"train": "all", "train_batch_norm": True, "learning_rate": 1e-9}

    once = zoo.finetune(path, (X, ODD), outputs=2, **{**WHOLE, "epochs": 1, **learning})

    old = {name: np.linspace(*STATISTICS[name], 8) for name in "ab"}
    free = 1 if form == "fused" else 0
    moved = {
        "a": old["a"] + 0.1 * (values.mean(0) - old["a"]),
        "b": old["b"] + 0.1 * (values.var(0, ddof=free) - old["b"]),
    }
    for name, expected in moved.items():
        found = once.model.weights[name].reshape(-1)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    target = zoo.save(once.model, tmp_path / "out.pb", "frozen").path
    alone = plain.frozen(target, {"x:0": X[:1]}, "prob:0")
    among = plain.frozen(target, {"x:0": X[:9]}, "prob:0")
    np.testing.assert_allclose(alone[0], among[0], rtol=1e-5)


@pytest.mark.parametrize("train", ["head", "all"])
def test_nets_of_others_learn_so(tf, fixtures, train):
    """Keyword spotting with nine normalisations, two kinds of made sounds."""
    generator = np.random.default_rng(0)
    y = np.arange(120) % 2
    x = generator.normal(0, 1, (120, 49, 10, 1)).astype(np.float32)
    x += np.where(y, 1.0, -1.0)[:, None, None, None].astype(np.float32)
    path = fixtures / "mlperf-tiny-kws-savedmodel" / "kws_ref_model"
    before = zoo.load(path)

    after = zoo.finetune(
        path, (x, y), outputs=2, train=train, train_batch_norm=True, epochs=12, learning_rate=1e-2
    )

    assert after.epochs[after.best_epoch].val_accuracy >= 0.9
    moved = [n for n in before.weights if "moving" in n]
    assert len(moved) == 18
    for name in moved:
        assert before.weights[name].tobytes() != after.model.weights[name].tobytes()


def test_a_net_without_it_says_so(tf, tmp_path):
    """Nothing would learn that did not before; one number for all channels is no such average."""
    with pytest.raises(zoo.ZooError, match="no batch normalisation that could learn"):
        path, _ = frozen(tf, "whole", tmp_path)
        zoo.finetune(path, (X, ODD), outputs=2, train="all", train_batch_norm=True)
    with pytest.raises(zoo.ZooError, match="no batch normalisation that could learn"):
        zoo.finetune("vgg-digits", (X, ODD), outputs=2, train="all", train_batch_norm=True)


def test_averages_are_a_part_of_the_state(net, tmp_path):
    """A training that goes on ends with the bytes of one that was never broken off."""
    net.save(tmp_path / "net.keras")
    options = {"outputs": 2, "train": "all", "train_batch_norm": True, "learning_rate": RATE}
    whole = zoo.finetune(tmp_path / "net.keras", (X, ODD), epochs=4, **options)
    state = tmp_path / "state"
    state.mkdir()
    zoo.finetune(tmp_path / "net.keras", (X, ODD), epochs=2, state=state, **options)

    rest = zoo.finetune(tmp_path / "net.keras", (X, ODD), epochs=4, state=state, **options)

    for name in whole.model.weights:
        assert whole.model.weights[name].tobytes() == rest.model.weights[name].tobytes()
