"""Keras files open as models: what Keras computes, they compute, in every format."""

import json
import shutil
import zipfile

import h5py
import numpy as np
import pytest

import zoo
from zoo.errors import AccessError, FormatError, UnsupportedError
from zoo.library import Library

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")
"""Keras warns of itself when it saves."""
RNG = np.random.default_rng(0)


def image(*shape):
    """Return values between 0 and 1."""
    return RNG.random(shape, np.float32)


@pytest.fixture(scope="module")
def nets(tf):
    """Return nets of many layers, each with the values to call it with."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(3)

    def sequence(shape, *inner):
        """Return a sequential net that takes `shape`."""
        return keras.Sequential([keras.Input(shape, name="given"), *inner])

    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    shared = layers.Dense(3, name="shared")
    joined = layers.concatenate([shared(left), shared(right)])
    inner = sequence((4,), layers.Dense(3), layers.BatchNormalization())
    inner.name = "inner"
    around = keras.Input((4,), name="around")
    steps = keras.Input((6, 4), name="steps")
    computed = keras.Input((4,), name="computed")
    found = {
        "images": (
            sequence(
                (8, 8, 3), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(6.0),
                layers.DepthwiseConv2D(3), layers.SeparableConv2D(4, 3, padding="same"),
                layers.Conv2DTranspose(2, 3), layers.LeakyReLU(0.2), layers.Dropout(0.5),
                layers.GlobalAveragePooling2D(), layers.Dense(2, activation="softmax"),
            ),
            [image(2, 8, 8, 3)],
        ),
        "words": (
            sequence(
                (7,), layers.Embedding(20, 6, mask_zero=True), layers.Bidirectional(layers.LSTM(5)),
                layers.Dense(1, activation="sigmoid"),
            ),
            [RNG.integers(0, 20, (3, 7)).astype("float32")],
        ),
        "steps": (sequence((6, 3), layers.GRU(4, return_sequences=True), layers.SimpleRNN(3)),
                  [image(2, 6, 3)]),
        "two ends": (
            keras.Model([left, right], [layers.Dense(2, name="p")(joined), shared(left)]),
            [image(2, 4), image(2, 4)],
        ),
        "nested": (keras.Model(around, layers.Dense(2)(inner(around))), [image(2, 4)]),
        "attention": (
            keras.Model(steps, layers.MultiHeadAttention(2, 3)(steps, steps)), [image(2, 6, 4)]
        ),
        "operations": (
            keras.Model(computed, layers.Dense(2)(keras.ops.relu(computed * 2.0) + 1)),
            [image(2, 4)],
        ),
    }  # fmt: skip
    for net, _ in found.values():
        for variable in net.weights:
            variable.assign(RNG.random(variable.shape) * 0.5 + 0.1)
    return found


def computed(net, values):
    """Return what Keras itself gives, one array for each output."""
    given = net(values if len(values) > 1 else values[0], training=False)
    return [np.asarray(one) for one in (given if isinstance(given, list) else [given])]


def given(model, values):
    """Return what a model of zoo gives for the same values."""
    return list(model.run(None, dict(zip(model.signature().inputs, values, strict=True))).values())


def assert_same(ours, theirs):
    """Check that the answers agree as far as the order of additions lets them."""
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


KINDS = ["attention", "images", "nested", "operations", "steps", "two ends", "words"]


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_net_computes_what_it_did(nets, kind, ending, tmp_path):
    """Whatever it is made of, and whichever file it lies in."""
    net, values = nets[kind]
    if (kind, ending) == ("operations", ".h5"):
        pytest.skip("Keras itself does not read back what it writes here")
    net.save(tmp_path / f"net{ending}")

    model = zoo.load(tmp_path / f"net{ending}")

    assert_same(given(model, values), computed(net, values))
    assert len(model.weights) == len([v for v in net.weights if "seed" not in v.path])


@pytest.mark.parametrize("to", ["checkpoint", "frozen", "saved_model"])
@pytest.mark.parametrize("kind", ["images", "words", "two ends"])
def test_a_net_in_the_three_formats(nets, kind, to, tmp_path):
    """What came out of a Keras file goes into every format, and trains in each."""
    net, values = nets[kind]
    net.save(tmp_path / "net.keras")
    done = zoo.convert(tmp_path / "net.keras", tmp_path / "out", to=to)

    model = zoo.load(done.target.path)

    inputs = [spec.tensor for spec in zoo.load(tmp_path / "net.keras").signature().inputs.values()]
    outputs = [s.tensor for s in zoo.load(tmp_path / "net.keras").signature().outputs.values()]
    assert_same(model.run(outputs, dict(zip(inputs, values, strict=True))), computed(net, values))
    function = model.function(inputs, outputs)
    assert len(function.trainable_variables) == len(net.trainable_variables)


def test_tensors_are_called_after_layers(nets, tmp_path):
    """What inspect says of the file holds for the model: its ends, and the features."""
    net, values = nets["images"]
    net.save(tmp_path / "net.h5")
    document = zoo.inspect(tmp_path / "net.h5")

    model = zoo.load(tmp_path / "net.h5")

    features = model.run(document["head"]["features"], {"given": values[0]})
    assert features.shape == (2, 2)
    assert [s.tensor for s in model.signature().outputs.values()] == [
        one["tensor"] for one in document["outputs"]
    ]


@pytest.mark.parametrize(
    ("path", "record"),
    [
        ("mlperf-tiny-resnet-cifar10-h5/pretrainedResnet.h5", "expected.npz"),
        ("mlperf-tiny-resnet-cifar10-h5/pretrainedResnet.h5", "expected__pretrainedResnet.h5.npz"),
        ("dl4j-keras-cnn-batchnorm/cnn_batch_norm.h5", "expected.npz"),
    ],
)
def test_files_of_others_give_their_recorded_answers(fixtures, path, record):
    """One of Keras 2.4, and one of Keras 2.1 whose configuration is a list."""
    answers = np.load((fixtures / path).parent / record)
    (value,) = (answers[key] for key in answers.files if key.startswith("in:"))
    (wanted, *_) = (answers[key] for key in answers.files if key.startswith("out:"))

    (answer,) = given(zoo.load(fixtures / path), [value])

    np.testing.assert_allclose(answer, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["adadelta", "adagrad", "adam", "adamax", "nadam", "rmsprop", "sgd"]
)
def test_every_optimizer_leaves_a_net(fixtures, name):
    """Keras 2.0.9 kept the optimizer's weights beside those of the net, which has 7114."""
    path = fixtures / "dl4j-keras-optimizers" / f"{name}.h5"

    model = zoo.load(path)

    assert sum(model.weights.tensor(one).size for one in model.weights) == 7114
    with h5py.File(path) as file:
        kernel = file["model_weights/dense_1/dense_1/kernel:0"][()]
    assert np.array_equal(model.weights["dense_1/kernel"], kernel)


def older(path, edit, version="2.3.1"):
    """Make the file at `path` one of an older Keras whose configuration `edit` has changed."""
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            edit(layer["class_name"], layer["config"])
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = version
        file["model_weights"].attrs["keras_version"] = version


def test_a_hard_sigmoid_is_the_one_of_its_time(tf, tmp_path):
    """Keras 3 calls another function by that name, and would give other numbers in silence."""
    import keras

    net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, activation="hard_sigmoid")])
    net.layers[0].set_weights([np.eye(3), np.zeros(3)])
    net.save(tmp_path / "net.h5")
    value = np.array([[-1.0, 0.5, 2.0]], np.float32)
    today = given(zoo.load(tmp_path / "net.h5"), [value])
    older(tmp_path / "net.h5", lambda *_: None)

    then = given(zoo.load(tmp_path / "net.h5"), [value])

    assert_same(then, [0.2 * value + 0.5])
    assert_same(today, computed(net, [value]))
    assert np.abs(then[0] - today[0]).max() > 0.01


def test_a_gru_that_says_nothing_resets_before(tf, tmp_path):
    """Before Keras 2.1.3 nobody could choose; today's default is the other one."""
    import keras

    net = keras.Sequential([keras.Input((5, 3)), keras.layers.GRU(4, reset_after=False)])
    net.save(tmp_path / "net.h5")
    older(tmp_path / "net.h5", lambda _, settings: settings.pop("reset_after", None), "2.0.9")
    value = image(2, 5, 3)

    assert_same(given(zoo.load(tmp_path / "net.h5"), [value]), computed(net, [value]))


def test_arguments_that_are_gone(tf, tmp_path):
    """One that changes nothing is dropped, one that does is refused by name."""
    import keras

    net = keras.Sequential([keras.Input((6, 6, 2)), keras.layers.DepthwiseConv2D(3)])
    net.save(tmp_path / "net.h5")

    def grouped(kind, settings):
        """State groups, as Keras 2.4 to 2.14 do."""
        if kind == "DepthwiseConv2D":
            settings["groups"] = 1

    def strange(kind, settings):
        """State something that would change what is computed."""
        if kind == "DepthwiseConv2D":
            settings["groups"] = 2

    value = image(2, 6, 6, 2)
    older(tmp_path / "net.h5", grouped)
    assert_same(given(zoo.load(tmp_path / "net.h5"), [value]), computed(net, [value]))
    older(tmp_path / "net.h5", strange)
    with pytest.raises(UnsupportedError, match="does not take groups"):
        zoo.load(tmp_path / "net.h5")


def test_functions_of_tensorflow_that_stood_as_layers(tf, tmp_path):
    """TensorFlow's Keras made a layer of whatever was called on its tensors."""
    import keras

    given_ = keras.Input((4,), name="given")
    dense = keras.layers.Dense(2, name="dense")
    keras.Model(given_, dense(keras.layers.Activation("relu", name="op")(given_))).save(
        tmp_path / "net.h5"
    )
    with h5py.File(tmp_path / "net.h5", "a") as file:
        config = json.loads(file.attrs["model_config"])
        layers = config["config"]["layers"]
        layers[1] |= {
            "class_name": "TFOpLambda",
            "config": {"name": "op", "function": "__operators__.mul", "dtype": "float32"},
            "inbound_nodes": [["given", 0, 0, {"y": 3.0, "name": None}]],
        }
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = file["model_weights"].attrs["keras_version"] = "2.11.0"
    shutil.copy(tmp_path / "net.h5", tmp_path / "bad.h5")
    value = image(2, 4)
    kernel, bias = (np.asarray(one) for one in dense.weights)

    assert_same(given(zoo.load(tmp_path / "net.h5"), [value]), [(value * 3) @ kernel + bias])
    with h5py.File(tmp_path / "bad.h5", "a") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["config"]["function"] = "io.read_file"
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(UnsupportedError, match="not known to compute"):
        zoo.load(tmp_path / "bad.h5")


def test_code_is_refused(fixtures, tf, tmp_path):
    """Lambda layers, classes of the author's own, and layers that reach elsewhere."""
    import keras

    for name in ("model_lambda.h5", "sequential_lambda.h5"):
        with pytest.raises(AccessError, match="Lambda") as caught:
            zoo.load(fixtures / "dl4j-keras-lambda-h5" / name)
        assert caught.value.code == 77
    hostile = fixtures / "hostile-modelaudit-samples" / "keras" / "malicious_lambda.h5"
    with pytest.raises(AccessError, match="Lambda"):
        zoo.load(hostile)

    class Own(keras.layers.Layer):
        """A layer that no one else has."""

        def call(self, x):
            """Return twice the value."""
            return x * 2

    given_ = keras.Input((4,))
    keras.Model(given_, Own()(given_)).save(tmp_path / "own.keras")
    with pytest.raises(AccessError) as caught:
        zoo.load(tmp_path / "own.keras")
    assert "Own" in caught.value.found


def test_a_net_that_looks_words_up_is_refused(tf, tmp_path):
    """Its table lies in no graph; Keras can export it."""
    import keras

    given_ = keras.Input((), dtype="string")
    keras.Model(given_, keras.layers.StringLookup(vocabulary=["a", "b"])(given_)).save(
        tmp_path / "net.keras"
    )

    with pytest.raises(UnsupportedError, match="table") as caught:
        zoo.load(tmp_path / "net.keras")

    assert "export" in caught.value.hint


def test_weights_alone_have_no_graph(nets, tmp_path):
    """They are weights by name, and say what they need to run."""
    net, _ = nets["images"]
    net.save_weights(tmp_path / "net.weights.h5")

    model = zoo.load(tmp_path / "net.weights.h5")

    assert sum(model.weights.tensor(one).size for one in model.weights) == net.count_params()
    with pytest.raises(UnsupportedError, match="no graph"):
        model.run(None, {})


def test_a_file_whose_weights_are_another_nets(nets, tmp_path):
    """A layer more or less, or another width, is told before anything runs."""
    import keras

    net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    net.save(tmp_path / "net.h5")
    with h5py.File(tmp_path / "net.h5", "a") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][-1]["config"]["units"] = 3
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(FormatError, match="not those of the layer"):
        zoo.load(tmp_path / "net.h5")

    net.save(tmp_path / "net.keras")
    with zipfile.ZipFile(tmp_path / "net.keras") as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    parts["config.json"] = parts["config.json"].replace(b'"units": 2', b'"units": 3')
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as whole:
        for name, data in parts.items():
            whole.writestr(name, data)
    with pytest.raises(FormatError, match="do not fit the net"):
        zoo.load(tmp_path / "net.keras")


def test_the_applications_are_those_of_keras(tf):
    """The table names all of them, and no others."""
    import keras

    import zoo_keras

    there = {name for name in dir(keras.applications) if name[0].isupper()}
    assert set(zoo_keras.APPLICATIONS) == there


def test_an_application_by_name(tf, tmp_path):
    """Keras builds it; its weights files attach to it, by name or by the paths of its layers."""
    import keras

    keras.utils.set_random_seed(7)
    net = keras.applications.MobileNet(weights=None, name="theirs")
    net.save(tmp_path / "net.h5")
    net.save_weights(tmp_path / "net.weights.h5")
    value = image(1, 224, 224, 3)
    (wanted,) = computed(net, [value])

    model = zoo.load(tmp_path / "net.weights.h5", architecture="keras:MobileNet")
    assert list(model.signature().inputs) == ["images"]
    assert set(model.weights) == {v.path for v in net.weights} == set(model.attached.matched)
    assert_same([model(images=value)["predictions"]], [wanted])
    model = zoo.load(tmp_path / "net.h5", architecture="keras:MobileNet")
    assert_same([model(images=value)["predictions"]], [wanted])
    with pytest.raises(FormatError, match="do not fit"):
        zoo.load(tmp_path / "net.weights.h5", architecture="keras:MobileNetV2")


def test_an_application_in_a_registry(tf, tmp_path):
    """An entry names it as any other architecture."""
    (tmp_path / "registry.yaml").write_text(
        "version: 1\nmodels:\n  mobile:\n    summary: a net\n    architecture: keras:MobileNet\n"
    )

    model = Library(tmp_path / "registry.yaml").open("mobile").model

    assert model(images=image(1, 224, 224, 3))["predictions"].shape == (1, 1000)


def test_weights_of_keras_attach_to_our_vgg(tf, tmp_path):
    """Its layers have other names, and the same shapes; the numbers are the same."""
    import keras

    net = keras.applications.VGG16(weights=None)
    net.save(tmp_path / "net.h5")
    value = image(1, 224, 224, 3) * 255

    model = zoo.load(tmp_path / "net.h5", architecture="vgg16")

    assert model.attached.matched["fc6/kernel"] == "fc1/kernel"
    assert len(model.attached.matched) == 32
    (answer,) = model(images=value).values()
    np.testing.assert_allclose(answer, computed(net, [value])[0], rtol=1e-4, atol=1e-6)


def test_a_model_that_is_called_inside_of_another(tf, tmp_path):
    """The usual net for transfer learning: a base, and a head on it."""
    import keras

    inner_given = keras.Input((4,), name="inner_given")
    base = keras.Model(inner_given, keras.layers.Dense(3)(inner_given), name="base")
    given_ = keras.Input((4,), name="given")
    nets = [
        keras.Model(given_, keras.layers.Dense(2)(base(given_))),
        keras.Sequential([keras.Input((4,)), base, keras.layers.Dense(2)]),
    ]
    value = image(2, 4)
    for number, net in enumerate(nets):
        for ending in (".keras", ".h5"):
            path = tmp_path / f"net{number}{ending}"
            net.save(path)
            model = zoo.load(path)
            assert_same(given(model, [value]), computed(net, [value]))
    model = zoo.load(tmp_path / "net0.keras")
    assert model.run("base", {"given": value}).shape == (2, 3)


def test_normalization_goes_by_what_it_learned(tf, tmp_path):
    """Its weights are read, and what it computes by is made of them."""
    import keras

    normalization = keras.layers.Normalization()
    normalization.adapt(image(50, 4) * 7)
    net = keras.Sequential([keras.Input((4,)), normalization])
    value = image(2, 4)
    for ending in (".keras", ".h5"):
        net.save(tmp_path / f"net{ending}")
        assert_same(given(zoo.load(tmp_path / f"net{ending}"), [value]), computed(net, [value]))


def test_a_recurrent_layer_that_remembers(tf, tmp_path):
    """What it keeps between calls begins with zeros, at each call of ours."""
    import keras

    given_ = keras.Input(batch_shape=(2, 5, 3))
    net = keras.Model(given_, keras.layers.GRU(3, stateful=True)(given_))
    net.save(tmp_path / "net.keras")
    value = image(2, 5, 3)
    model = zoo.load(tmp_path / "net.keras")

    answers = [given(model, [value]) for _ in range(2)]

    assert_same(answers[0], computed(net, [value]))
    assert_same(answers[1], answers[0])
