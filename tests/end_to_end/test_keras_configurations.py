"""What a Keras file says of its net: kept where it means something, refused where it cannot be."""

import json
import random
import zipfile

import h5py
import numpy as np
import pytest

import zoo
from zoo.errors import FormatError
from zoo.keras_net import application

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")
"""Keras warns of itself when it saves."""
OLD = "2.3.1"


def edited(path, edit, version=None):
    """Change the configuration in the file at `path`, and the release that it is of."""
    if path.suffix == ".h5":
        with h5py.File(path, "a") as file:
            config = json.loads(file.attrs["model_config"])
            edit(config)
            file.attrs["model_config"] = json.dumps(config)
            if version is not None:
                file.attrs["keras_version"] = version
                file["model_weights"].attrs["keras_version"] = version
        return path
    with zipfile.ZipFile(path) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    config = json.loads(parts["config.json"])
    edit(config)
    parts["config.json"] = json.dumps(config).encode()
    if version is not None:
        parts["metadata.json"] = json.dumps({"keras_version": version}).encode()
    with zipfile.ZipFile(path, "w") as whole:
        for name, data in parts.items():
            whole.writestr(name, data)
    return path


@pytest.fixture
def dense(tf):
    """Return a net of two layers, the wider with three numbers."""
    import keras

    given = keras.Input((4,), name="given")
    first = keras.layers.Dense(3, name="first")(given)
    return keras.Model(given, keras.layers.Dense(2, name="second")(first), name="net")


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize(
    ("kind", "key"), [("Dense", "units"), ("Conv2D", "filters"), ("Embedding", "output_dim")]
)
def test_a_layer_wider_than_any_weight_is_refused_unbuilt(tf, tmp_path, kind, key, ending):
    """Built first, it would take memory for weights that nobody stored."""
    import keras

    net = keras.Sequential(
        {
            "Dense": [keras.Input((2, 4)), keras.layers.TimeDistributed(keras.layers.Dense(5))],
            "Conv2D": [keras.Input((4, 4, 2)), keras.layers.Conv2D(5, 3)],
            "Embedding": [keras.Input((4,)), keras.layers.Embedding(4, 5)],
        }[kind]
    )
    net.save(tmp_path / f"net{ending}")
    zoo.load(tmp_path / f"net{ending}")

    def widen(config):
        settings = config["config"]["layers"][-1]["config"]
        settings = settings["layer"]["config"] if "layer" in settings else settings
        settings[key] = 6

    with pytest.raises(FormatError, match="not those of its net") as caught:
        zoo.load(edited(tmp_path / f"net{ending}", widen))

    assert caught.value.found.endswith(f"with {key}=6, where no axis is over 5")


def put(number, **settings):
    """Return an edit that puts `settings` beside the name of one layer."""
    return lambda config: config["config"]["layers"][number].update(settings)


@pytest.mark.parametrize(
    "edit",
    [
        lambda config: config.update(config=[1]),
        lambda config: config["config"].update(layers=[["Dense"]]),
        lambda config: config["config"].update(layers=[None]),
        put(1, config=[1]),
        put(1, class_name={"Dense": 1}),
        put(1, inbound_nodes=[{"args": 3, "kwargs": 4}]),
        put(1, inbound_nodes=[{"args": [], "kwargs": []}]),
    ],
)
def test_a_configuration_of_other_kinds_of_values(dense, tmp_path, edit):
    """It is anybody's JSON: what is a list where a mapping should be is told, in one error."""
    dense.save(tmp_path / "net.h5")

    with pytest.raises(FormatError, match="has a configuration that is none of a net") as caught:
        zoo.load(edited(tmp_path / "net.h5", edit, OLD))

    assert caught.value.found


def as_keras_2(config, training):
    """Write the call of the layer ``bn`` as Keras 2 did."""
    arguments = {} if training is None else {"training": training}
    config["config"]["layers"][1]["inbound_nodes"] = [[["given", 0, 0, arguments]]]
    config["config"]["input_layers"] = [["given", 0, 0]]
    config["config"]["output_layers"] = [["bn", 0, 0]]


def normalizing(training):
    """Return a net of one layer that normalizes, called as in `training` or as the net is."""
    import keras

    given = keras.Input((3,), name="given")
    normalized = keras.layers.BatchNormalization(name="bn")(given, training=training)
    return keras.Model(given, normalized, name="net")


VALUE = np.array([[0.0, 5, 1], [2, 9, 1]], np.float32)


@pytest.mark.parametrize(("ending", "version"), [(".h5", OLD), (".keras", "2.15.0")])
def test_a_layer_that_is_always_in_training(tf, tmp_path, ending, version):
    """In Keras 2 a call that said so meant it: the layer goes by the batch, whatever the net does.

    Others go by the averages that they kept.
    """
    for training, wanted in ((True, [[-1, -1, 0], [1, 1, 0]]), (None, VALUE)):
        path = tmp_path / f"{training}{ending}"
        normalizing(training).save(path)
        edited(path, lambda config, given=training: as_keras_2(config, given), version)

        (answer,) = zoo.load(path)(given=VALUE).values()

        np.testing.assert_allclose(answer, wanted, atol=5e-3)


@pytest.mark.parametrize("ending", [".h5", ".keras"])
def test_a_layer_in_training_as_keras_3_predicts(tf, tmp_path, ending):
    """Today's Keras goes by the averages in use, also where a call says otherwise."""
    net = normalizing(training=True)
    net.save(tmp_path / f"net{ending}")

    (answer,) = zoo.load(tmp_path / f"net{ending}")(given=VALUE).values()

    np.testing.assert_allclose(answer, net.predict(VALUE, verbose=0), rtol=1e-5)


def test_what_one_layer_needs_is_its_own(dense, tmp_path):
    """A trace waits for every variable to be read; what is cut out of it does not."""
    dense.save(tmp_path / "net.keras")

    model = zoo.load(tmp_path / "net.keras").prune(["first:0"])

    assert sorted(model.weights) == ["first/bias", "first/kernel"]


def test_an_application_leaves_random_numbers_as_they_were(tf):
    """Python's, numpy's and Keras's; its own weights are the same each time."""
    import keras

    def drawn():
        keras.utils.set_random_seed(5)
        return draw()

    def draw():
        return random.random(), np.random.random(), float(keras.random.uniform(()))  # noqa: S311

    wanted = [drawn(), draw()]
    keras.utils.set_random_seed(5)
    nets = []
    found = []
    for _ in range(2):
        nets.append(application("MobileNet"))
        found.append(draw())

    assert found == wanted
    kernels = [np.asarray(net.weights[0]) for net in nets]
    assert np.array_equal(*kernels)
    assert np.ptp(kernels[0]) > 0
