"""Files of Keras 1, which neither Keras 3 nor tf_keras loads, give what the same layers give."""

import json

import h5py
import numpy as np
import pytest

import zoo
from zoo.errors import AccessError, UnsupportedError

RNG = np.random.default_rng(0)


def values(*shape):
    """Return small random numbers."""
    return (RNG.random(shape) - 0.5).astype(np.float32)


def dense(name, inputs, outputs, activation="linear", **settings):
    """Return a dense layer of Keras 1 and its weights."""
    config = {"name": name, "output_dim": outputs, "input_dim": inputs, "init": "glorot_uniform",
              "activation": activation, "bias": True, "W_regularizer": None, "trainable": True,
              "b_constraint": None, "input_dtype": "float32", **settings}  # fmt: skip
    weights = {f"{name}_W": values(inputs, outputs), f"{name}_b": values(outputs)}
    return {"class_name": "Dense", "config": config}, weights


def write(path, layers, weights, functional=None, **attributes):
    """Write a file as Keras 1.2 did: a list for a configuration, weights by layer."""
    config = functional or {"class_name": "Sequential", "config": layers}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = b"1.2.2"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in weights]
        for key, value in attributes.items():
            group.attrs[key] = value
        for name, arrays in weights.items():
            inner = group.create_group(name)
            inner.attrs["weight_names"] = [key.encode() for key in arrays]
            for key, array in arrays.items():
                inner[key] = array
    return path


def answer(path, *inputs):
    """Return what the net at `path` gives."""
    model = zoo.load(path)
    given = dict(zip(model.signature().inputs, inputs, strict=True))
    (found,) = model.run(None, given).values()
    return found


def test_dense_layers(tf, tmp_path):
    """A perceptron with dropout, which does nothing in use."""
    first, w1 = dense("dense_1", 4, 3, "relu", batch_input_shape=[None, 4])
    drop = {"class_name": "Dropout", "config": {"name": "dropout_1", "p": 0.5, "trainable": True}}
    last, w2 = dense("dense_2", 3, 2, "softmax")
    weights = {"dense_1": w1, "dropout_1": {}, "dense_2": w2}
    path = write(tmp_path / "net.h5", [first, drop, last], weights)
    x = values(2, 4)

    found = answer(path, x)

    hidden = np.maximum(x @ w1["dense_1_W"] + w1["dense_1_b"], 0)
    wanted = tf.nn.softmax(hidden @ w2["dense_2_W"] + w2["dense_2_b"])
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert zoo.load(path).weights["dense_1/kernel"].shape == (4, 3)


@pytest.mark.parametrize("backend", ["tensorflow", "theano"])
def test_convolutions(tf, tmp_path, backend):
    """Theano convolves where TensorFlow correlates: its kernels are turned around."""
    kernel, bias = values(3, 2, 3, 4), values(4)
    layer = {
        "class_name": "Convolution2D",
        "config": {
            "name": "conv", "nb_filter": 4, "nb_row": 3, "nb_col": 2, "border_mode": "same",
            "subsample": [2, 1], "dim_ordering": "tf", "bias": True, "activation": "linear",
            "init": "glorot_uniform", "batch_input_shape": [None, 6, 6, 3],
        },
    }  # fmt: skip
    pool = {
        "class_name": "MaxPooling2D",
        "config": {"name": "pool", "pool_size": [2, 2], "strides": [2, 2],
                   "border_mode": "valid", "dim_ordering": "tf"},
    }  # fmt: skip
    norm = {
        "class_name": "BatchNormalization",
        "config": {"name": "bn", "mode": 0, "axis": -1, "epsilon": 1e-3, "momentum": 0.9,
                   "gamma_init": "one", "beta_init": "zero", "gamma_regularizer": None},
    }  # fmt: skip
    statistics = {"bn_gamma": values(4), "bn_beta": values(4), "bn_running_mean": values(4),
                  "bn_running_std": values(4) + 1}  # fmt: skip
    weights = {"conv": {"conv_W": kernel, "conv_b": bias}, "pool": {}, "bn": statistics}
    path = write(tmp_path / "net.h5", [layer, pool, norm], weights, backend=backend)
    x = values(2, 6, 6, 3)

    found = answer(path, x)

    used = kernel[::-1, ::-1] if backend == "theano" else kernel
    y = tf.nn.max_pool2d(tf.nn.conv2d(x, used, [2, 1], "SAME") + bias, 2, 2, "VALID")
    gamma, beta, mean, variance = statistics.values()
    wanted = (y - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_recurrent_layers_whose_gates_lie_apart(tf, tmp_path):
    """Twelve arrays of an LSTM become three, and its hard sigmoid is the one of its time."""
    gates = ("i", "c", "f", "o")
    lstm = {f"l_{part}_{g}": values(*shape) for g in gates
            for part, shape in (("W", (3, 4)), ("U", (4, 4)), ("b", (4,)))}  # fmt: skip
    layer = {
        "class_name": "LSTM",
        "config": {"name": "l", "output_dim": 4, "activation": "tanh", "unroll": False,
                   "inner_activation": "hard_sigmoid", "inner_init": "orthogonal",
                   "forget_bias_init": "one", "dropout_U": 0.0, "consume_less": "cpu",
                   "return_sequences": False, "go_backwards": False, "stateful": False,
                   "batch_input_shape": [None, 5, 3], "input_dim": 3},
    }  # fmt: skip
    path = write(tmp_path / "net.h5", [layer], {"l": lstm})
    x = values(2, 5, 3)

    found = answer(path, x)

    hidden = cell = np.zeros((2, 4), np.float32)
    for step in range(5):
        i, c, f, o = (
            x[:, step] @ lstm[f"l_W_{g}"] + hidden @ lstm[f"l_U_{g}"] + lstm[f"l_b_{g}"]
            for g in gates
        )
        i, f, o = (np.clip(0.2 * gate + 0.5, 0, 1) for gate in (i, f, o))
        cell = f * cell + i * np.tanh(c)
        hidden = o * np.tanh(cell)
    np.testing.assert_allclose(found, hidden, rtol=1e-4, atol=1e-5)


def functional(mode, **settings):
    """Return two dense layers that are merged, as Keras 1 has them."""
    (left, w1), (right, w2) = dense("left", 4, 3), dense("right", 4, 3)
    given = {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
             "config": {"name": "x", "batch_input_shape": [None, 4], "input_dtype": "float32",
                        "sparse": False}}  # fmt: skip
    merge = {"class_name": "Merge", "name": "m",
             "inbound_nodes": [[["left", 0, 0], ["right", 0, 0]]],
             "config": {"name": "m", "mode": mode, "mode_type": "raw", "concat_axis": -1,
                        "dot_axes": -1, "arguments": {}, **settings}}  # fmt: skip
    for layer in (left, right):
        layer |= {"name": layer["config"]["name"], "inbound_nodes": [[["x", 0, 0]]]}
    config = {"name": "net", "layers": [given, left, right, merge],
              "input_layers": [["x", 0, 0]], "output_layers": [["m", 0, 0]]}  # fmt: skip
    net = {"class_name": "Model", "config": config}
    return net, {"x": {}, "left": w1, "right": w2, "m": {}}


def test_merged_branches(tf, tmp_path):
    """One class then, several today; with code it is refused."""
    x = values(2, 4)
    for mode, put in (("sum", np.add), ("concat", lambda a, b: np.concatenate([a, b], -1))):
        net, weights = functional(mode)
        path = write(tmp_path / "net.h5", None, weights, net)
        branches = [x @ w[f"{n}_W"] + w[f"{n}_b"] for n, w in weights.items() if w]
        np.testing.assert_allclose(answer(path, x), put(*branches), rtol=1e-5, atol=1e-6)

    net, weights = functional(["code", None, None], mode_type="lambda")
    with pytest.raises(AccessError, match="Python code"):
        zoo.load(write(tmp_path / "code.h5", None, weights, net))
    net, weights = functional("cos")
    with pytest.raises(UnsupportedError, match="mode 'cos'"):
        zoo.load(write(tmp_path / "cos.h5", None, weights, net))
