"""Models as functions with gradients and as Keras layers: the same numbers, and all trains."""

import subprocess
import sys

import numpy as np
import pytest

import zoo
from zoo.errors import InputError, UnsupportedError

FORMATS = ("checkpoint", "frozen", "saved_model")


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Return the same trained net in three formats."""
    folder = tmp_path_factory.mktemp("digits")
    model = zoo.load("vgg-digits")
    for form in FORMATS:
        zoo.save(model, folder / form / "net", format=form)
    return {form: folder / form / "net" for form in FORMATS}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((4, 8, 8, 1), np.float32) * 16


def gradients(tf, function, *values):
    """Return the gradient of each trainable variable, by name."""
    with tf.GradientTape() as tape:
        found = function(*values)
        tensors = found.values() if isinstance(found, dict) else [found]
        loss = sum(tf.reduce_sum(tensor**2) for tensor in tensors)
    variables = function.trainable_variables
    return {v.name: g for v, g in zip(variables, tape.gradient(loss, variables), strict=True)}


def test_three_formats_are_one_function(tf, digits, images):
    """The same weights train, with the same gradients, and the outputs are a session's."""
    found = {}
    for form, path in digits.items():
        model = zoo.load(path)
        function = model.function(["images:0"], "fc8:0")
        np.testing.assert_array_equal(function(images), model.run("fc8:0", {"images:0": images}))
        found[form] = gradients(tf, function, images)

    first, *others = found.values()
    assert len(first) == 14
    for other in others:
        assert set(other) == set(first)
        for name, gradient in first.items():
            np.testing.assert_allclose(other[name], gradient, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("path", "shape", "trained"),
    [
        ("dotnet-mnist-conv-model", (2, 28, 28, 1), 10),
        ("mlperf-tiny-kws-savedmodel", (2, 49, 10, 1), 38),
        ("tf2onnx-gru/frozen.pb", (2, 784), 6),
        ("serving-half-plus-two-v2", (2,), 2),
    ],
)
def test_models_of_others_train(tf, fixtures, path, shape, trained):
    """Reference variables, resources, constants: each has a gradient, and the output is a run's."""
    model = zoo.load(fixtures / path)
    function = model.function()
    value = np.random.default_rng(1).random(shape, np.float32)

    found = gradients(tf, function, value)
    wanted = model.run(None, {function.inputs[0]: value})

    assert len(found) == trained
    assert [name for name, gradient in found.items() if gradient is None] == []
    for key, output in function(value).items():
        np.testing.assert_allclose(output, wanted[key], rtol=1e-4, atol=1e-5)


def test_what_the_collection_says_is_trained(fixtures):
    """As many variables as TRAINABLE_VARIABLES lists."""
    model = zoo.load(fixtures / "dotnet-mnist-conv-model")
    listed = model.meta_graph.collection_def["trainable_variables"].bytes_list.value

    assert len(model.function().trainable_variables) == len(listed)
    assert model.function(trainable=False).trainable_variables == []


def test_functions_with_loops_and_branches(tf, tmp_path):
    """While and If of TensorFlow 2 stay functional, and have gradients; two models do not mix."""

    class Net(tf.Module):
        def __init__(self, factor):
            self.kernel = tf.Variable(tf.fill((3, 3), factor), name="kernel")

        @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32)])
        def __call__(self, x):
            for _ in tf.range(2):
                x = tf.matmul(x, self.kernel)
            return tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2.0, lambda: x)

    value = np.ones((2, 3), np.float32)
    for number, factor in enumerate((0.5, 2.0)):
        net = Net(factor)
        tf.saved_model.save(net, str(tmp_path / f"{number}"))
        function = zoo.load(tmp_path / f"{number}").function()
        (gradient,) = gradients(tf, function, value).values()
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(net(value) ** 2)
        np.testing.assert_allclose(*[next(iter(function(value).values())), net(value)])
        np.testing.assert_allclose(gradient, tape.gradient(loss, net.kernel), rtol=1e-6)


def test_embeddings_are_looked_up_by_handle(tf, tmp_path):
    """An operation that wants the handle itself gets it, and its gradient is sparse."""

    class Net(tf.Module):
        def __init__(self):
            self.table = tf.Variable(tf.reshape(tf.range(12.0), (4, 3)), name="table")

        @tf.function(input_signature=[tf.TensorSpec((None,), tf.int32)])
        def __call__(self, x):
            return tf.nn.embedding_lookup(self.table, x)

    tf.saved_model.save(Net(), str(tmp_path / "m"))
    function = zoo.load(tmp_path / "m").function()

    (found,) = gradients(tf, function, np.array([1, 1, 3], np.int32)).values()

    dense = tf.convert_to_tensor(found).numpy()
    assert dense.sum(axis=1).tolist() == [0.0, 2 * 2 * 12.0, 0.0, 2 * 30.0]


def test_arguments_in_order_or_by_name(fixtures):
    """As many as the inputs, each once."""
    function = zoo.load("toy-adder").function()

    assert float(function(13.0, w2=17.0)["op_to_restore"]) == 60.0
    for arguments, named in [((1.0,), {}), ((1.0, 2.0, 3.0), {}), ((1.0, 2.0), {"w3": 1.0})]:
        with pytest.raises(InputError):
            function(*arguments, **named)


def test_inputs_that_are_computed_from_others(tf, digits, images):
    """A part of a net begins at any tensor; what comes before is not in it."""
    model = zoo.load(digits["checkpoint"])
    features = model.function(["images:0"], "fc6:0")(images)

    head = model.function(["fc6:0"], "fc8:0")

    assert [v.name for v in head.variables] == [
        "fc7/kernel:0", "fc7/bias:0", "fc8/kernel:0", "fc8/bias:0",
    ]  # fmt: skip
    whole = model.function(["images:0"], "fc8:0")
    np.testing.assert_allclose(head(features), whole(images), rtol=1e-6, atol=1e-6)


def test_what_a_function_cannot_hold(fixtures):
    """Tables and other inputs are refused by name."""
    with pytest.raises(UnsupportedError, match="tables"):
        zoo.load(fixtures / "tfx-bench-trained-saved-model").function()
    with pytest.raises(InputError, match="other inputs"):
        zoo.load("toy-adder").function(["w1:0"], "op_to_restore:0")


@pytest.fixture
def trained(tf, digits, images):
    """Return a Keras model of a checkpoint's features and a new layer, trained a little."""
    import keras

    keras.utils.set_random_seed(0)
    layer = zoo.load(digits["checkpoint"]).layer(outputs="fc7:0")
    net = keras.Sequential([keras.Input((8, 8, 1)), layer, keras.layers.Dense(2)])
    net.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = [weight.numpy().copy() for weight in layer.trainable_weights]
    net.fit(images, np.array([0, 1, 0, 1]), epochs=2, verbose=0)
    return net, layer, before


def test_a_layer_trains_with_its_net(trained):
    """Every weight of a checkpoint of 2016's kind moves when Keras 3 fits."""
    _, layer, before = trained
    after = [weight.numpy() for weight in layer.trainable_weights]

    assert len(after) == 12
    assert all(not np.array_equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras writing to h5py
def test_a_layer_is_saved_with_its_net(trained, images, tmp_path):
    """In another process, which only imports zoo and Keras, the numbers are the same bits."""
    net, _, _ = trained
    net.save(tmp_path / "net.keras")
    np.save(tmp_path / "x.npy", images)
    program = (
        "import sys, numpy as np, zoo, keras;"
        "net = keras.models.load_model(sys.argv[1] + '/net.keras');"
        "np.save(sys.argv[1] + '/y.npy', net.predict(np.load(sys.argv[1] + '/x.npy'), verbose=0))"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr[-800:]
    wanted = net.predict(images, verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), wanted, rtol=1e-5, atol=1e-6)


def test_a_frozen_layer_stays(tf, digits, images):
    """Not trained from the start, or from when it is said."""
    layer = zoo.load(digits["frozen"]).layer(outputs="fc7:0", trainable=False)
    layer(images)

    assert layer.trainable_weights == []
    layer.trainable = True
    assert len(layer.trainable_weights) == 12


def test_a_layer_amid_half_precision(tf, digits, images):
    """It computes in its graph's own dtype, whatever policy is around it."""
    import keras

    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        layer = zoo.load(digits["saved_model"]).layer(outputs="fc7:0")
        net = keras.Sequential([keras.Input((8, 8, 1)), layer, keras.layers.Dense(2)])
        assert net(images).dtype == "float16"
        assert {weight.dtype for weight in layer.weights} == {"float32"}
    finally:
        keras.mixed_precision.set_dtype_policy(policy)


def test_a_layer_on_several_devices(tf, digits, images):
    """Made and compiled inside the scope of a strategy, it trains there."""
    program = (
        "import sys, numpy as np, tensorflow as tf;"
        "c = tf.config.list_physical_devices('CPU')[0];"
        "tf.config.set_logical_device_configuration(c, [tf.config.LogicalDeviceConfiguration()]*2);"
        "import keras, zoo; keras.utils.set_random_seed(0);"
        "s = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1']) if sys.argv[2] == '2'"
        " else tf.distribute.get_strategy();"
        "x = np.random.default_rng(0).random((8, 8, 8, 1), np.float32); y = np.arange(8) % 2\n"
        "with s.scope():\n"
        " layer = zoo.load(sys.argv[1]).layer(outputs='fc7:0')\n"
        " dense = keras.layers.Dense(2, kernel_initializer='ones')\n"
        " net = keras.Sequential([keras.Input((8, 8, 1)), layer, dense])\n"
        " loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)\n"
        " net.compile(keras.optimizers.SGD(0.001), loss)\n"
        "h = net.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)\n"
        "print('LOSS', h.history['loss'][-1])"
    )
    losses = []
    for devices in "12":
        command = [sys.executable, "-c", program, str(digits["checkpoint"]), devices]
        done = subprocess.run(command, capture_output=True, text=True)
        assert "LOSS" in done.stdout, done.stderr[-1500:]
        losses.append(float(done.stdout.rpartition("LOSS ")[2]))

    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_switches_have_their_right_value(fixtures):
    """A rate of dropout that nobody feeds is that of use, and can still be fed."""
    model = zoo.load(fixtures / "tf2onnx-gru" / "frozen.pb")
    record = np.load(fixtures / "tf2onnx-gru" / "expected.npz")
    value = record["in:X:0"]

    alone = model.run("output:0", {"X:0": value})

    np.testing.assert_allclose(alone, record["out:output:0"], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(alone, model.run("output:0", {"X:0": value, "keep_prob:0": 1.0}))
