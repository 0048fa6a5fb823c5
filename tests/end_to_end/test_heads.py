"""The head is the right layer or none: on nets made for it, and on nets of others."""

import numpy as np
import pytest

import zoo
from zoo import dtypes, heads, nodes, protos
from zoo.errors import UsageError


def dense(v1, below, name, width, bias=True):
    kernel = v1.get_variable(f"{name}/kernel", [below.shape[-1], width])
    product = v1.matmul(below, kernel, name=f"{name}/MatMul")
    if not bias:
        return product
    return v1.nn.bias_add(product, v1.get_variable(f"{name}/bias", [width]), name=f"{name}/out")


def convolved(v1, below, name, width):
    kernel = v1.get_variable(f"{name}/kernel", [1, 1, below.shape[-1], width])
    product = v1.nn.conv2d(below, kernel, [1, 1, 1, 1], "SAME", name=f"{name}/Conv2D")
    return v1.nn.bias_add(product, v1.get_variable(f"{name}/bias", [width]), name=f"{name}/out")


def softmax(v1, x):
    return v1.nn.softmax(dense(v1, v1.nn.relu(dense(v1, x, "hidden", 8), name="f"), "last", 3))


def without_bias(v1, x):
    return dense(v1, v1.nn.relu(dense(v1, x, "hidden", 8), name="f"), "last", 3, bias=False)


def binary(v1, x):
    return v1.sigmoid(dense(v1, v1.nn.relu(dense(v1, x, "hidden", 8), name="f"), "last", 1))


def classes(v1, x):
    return v1.argmax(v1.nn.relu(dense(v1, v1.identity(x, name="f"), "last", 3)), 1)


def dropped(v1, x):
    features = v1.nn.dropout(v1.nn.relu(dense(v1, x, "hidden", 8)), rate=0.5)
    return v1.nn.softmax(dense(v1, v1.identity(features, name="f"), "last", 3))


def two_towers(v1, x):
    towers = [dense(v1, x, name, 4) for name in ("left", "right")]
    return dense(v1, v1.concat(towers, 1, name="f"), "last", 3)


def pooled(v1, x):
    places = v1.reshape(x, [-1, 2, 2, 1])
    features = v1.reduce_mean(v1.nn.relu(convolved(v1, places, "c", 6)), [1, 2], name="f")
    return v1.nn.softmax(dense(v1, features, "last", 3))


def fully_convolutional(v1, x):
    features = v1.identity(v1.reshape(x, [-1, 2, 2, 1]), name="f")
    return v1.nn.softmax(v1.reduce_mean(convolved(v1, features, "last", 3), [1, 2]))


def added(v1, x):
    return v1.add(
        dense(v1, v1.identity(x, name="f"), "last", 3, bias=False), v1.get_variable("b", [3])
    )


@pytest.mark.parametrize("form", ["checkpoint", "frozen", "saved_model"])
@pytest.mark.parametrize(
    ("build", "width"),
    [
        (softmax, 3),
        (without_bias, 3),
        (binary, 1),
        (classes, 3),
        (dropped, 3),
        (two_towers, 3),
        (pooled, 3),
        (fully_convolutional, 3),
        (added, 3),
    ],
)
def test_the_head_of_a_net(tf, tmp_path, build, width, form):
    """Found in whatever format the net is in."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        build(v1, v1.placeholder(tf.float32, [None, 4], name="x"))
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "s" / "m"))
    path = zoo.convert(tmp_path / "s", tmp_path / "m", to=form).target.path

    found = zoo.inspect(path)["head"]

    assert found["features"] == "f:0"
    assert found["outputs"] == width
    assert found["weights"][0] == "last/kernel"
    assert zoo.load(path).run(found["logits"], {"x:0": np.zeros((2, 4))}).shape[-1] == width


def features_only(v1, x):
    places = v1.reshape(x, [-1, 2, 2, 1])
    return v1.reduce_mean(v1.nn.relu(convolved(v1, places, "c", 6)), [1, 2])


def image(v1, x):
    return v1.sigmoid(convolved(v1, v1.reshape(x, [-1, 2, 2, 1]), "c", 3))


def two_outputs(v1, x):
    hidden = v1.nn.relu(dense(v1, x, "hidden", 8))
    return [dense(v1, hidden, name, 2) for name in ("one", "two")]


def wide_and_deep(v1, x):
    return dense(v1, x, "wide", 3) + dense(v1, v1.nn.relu(dense(v1, x, "deep", 5)), "top", 3)


def shared_with_the_input(v1, x):
    kernel = v1.get_variable("kernel", [3, 4])
    return v1.matmul(x, v1.transpose(kernel))


def one_of_two(v1, x):
    hidden = v1.nn.relu(dense(v1, x, "hidden", 8))
    boxes = v1.add(dense(v1, hidden, "a", 4), dense(v1, x, "b", 4), name="boxes")
    return [boxes, v1.nn.softmax(dense(v1, hidden, "classes", 3))]


def arithmetic(v1, x):
    return x * v1.get_variable("scale", [4])


def recurrent(v1, x):
    kernel = v1.get_variable("k", [4 + 3, 3])
    state = v1.zeros_like(x[:, :3])
    for _ in range(2):
        state = v1.tanh(v1.matmul(v1.concat([x, state], 1), kernel))
    return state


def score(v1, x):
    return v1.reduce_mean(dense(v1, x, "last", 3), axis=1)


def pieces(v1, x):
    return v1.reduce_max(v1.reshape(dense(v1, x, "last", 6), [-1, 3, 2]), 2)


def boxes(v1, x):
    found = convolved(v1, v1.reshape(x, [-1, 2, 2, 1]), "last", 6)
    return v1.nn.softmax(v1.reshape(found, [-1, 8, 3]))


@pytest.mark.parametrize(
    "build",
    [
        features_only,
        image,
        two_outputs,
        wide_and_deep,
        shared_with_the_input,
        one_of_two,
        arithmetic,
        recurrent,
        score,
        pieces,
        boxes,
    ],
    ids=lambda b: b.__name__,
)
def test_where_nobody_can_tell(tf, tmp_path, build):
    """No head, or several: nothing is said rather than something wrong."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        build(v1, v1.placeholder(tf.float32, [None, 4], name="x"))
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "m"))

    assert zoo.inspect(tmp_path)["head"] is None


def test_the_heads_of_keras_nets(tf, tmp_path):
    """Inside of the function library, behind batch normalisation and dropout."""
    layers = tf.keras.layers
    net = tf.keras.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(7, activation="softmax"),
        ]
    )
    net.export(str(tmp_path / "m"), verbose=False)

    found = zoo.inspect(tmp_path / "m")["head"]

    assert (found["outputs"], len(found["weights"])) == (7, 2)


@pytest.mark.parametrize("name", ["vgg11", "vgg16", "vgg-digits"])
def test_the_registry_says_the_same(name):
    """What people wrote down of the VGGs is what the graph shows."""
    model = zoo.load(name)
    found = heads.head(model.meta_graph, model.weights)

    assert (found.features, found.logits) == ("fc7:0", "fc8:0")


@pytest.mark.parametrize(
    ("path", "logits", "outputs"),
    [
        ("arm-kws/CNN/CNN_S.pb", "add_4:0", 12),
        ("arm-kws/CRNN/CRNN_S.pb", "add_2:0", 12),
        ("arm-kws/DNN/DNN_S.pb", "add:0", 12),
        ("arm-kws/DS_CNN/DS_CNN_S.pb", "MobileNet/fc1/BiasAdd:0", 12),
        ("arm-kws/GRU/GRU_S.pb", "Output-Layer/add:0", 12),
        ("arm-kws/LSTM/LSTM_S.pb", "Output-Layer/add:0", 12),
        ("dl4j-lenet-frozen-pb/lenet_frozen.pb", "Lenet/fc9_1/BiasAdd:0", 10),
        ("dl4j-pbtxt-frozen-pair/mnist_00/frozen_model.pb", "BiasAdd:0", 10),
        ("dotnet-mnist-conv-model", "add_4:0", 10),
        ("rust-keras-multiple-inputs-saved-model", "test_out/BiasAdd:0", 1),
        ("mlperf-tiny-kws-savedmodel/kws_ref_model", "dense/BiasAdd:0", 12),
        ("tf2onnx-gru/frozen.pb", "model/pred:0", 10),
    ],
)
def test_the_heads_of_nets_that_others_wrote(fixtures, path, logits, outputs):
    """Right on each."""
    found = zoo.inspect(fixtures / path)["head"]

    assert found["logits"].endswith(logits)
    assert found["outputs"] == outputs


@pytest.mark.parametrize(
    "path",
    [
        "serving-sm-half-plus-two-cpu/00000123",
        "tfjs-model-multi-output",
        "dotnet-model-string-test",
        "rust-addition-pb/model.pb",
    ],
)
def test_models_without_a_head(fixtures, path):
    """Arithmetic, several outputs, text."""
    assert zoo.inspect(fixtures / path)["head"] is None


def test_a_layer_of_its_own_behind_features(tf):
    """Where no layer takes the features a new one does, places averaged; the rest is as it was."""
    before = zoo.load("vgg-digits")

    after = before.replace_head(3, features="pool2")

    assert after.weights["head/kernel"].shape[1] == 3
    assert after.weights["head/bias"].tolist() == [0, 0, 0]
    assert np.abs(after.weights["head/kernel"]).max() > 0
    assert not {"fc6/kernel", "fc7/kernel", "fc8/kernel"} & set(after.weights)
    x = {"images": np.random.default_rng(0).uniform(0, 16, (2, 8, 8, 1)).astype(np.float32)}
    inner = before.run("pool2:0", {"images:0": x["images"]}).mean((1, 2))
    logits = inner @ after.weights["head/kernel"]
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(after(**x)["probabilities"], expected, rtol=1e-5)
    assert heads.head(after.meta_graph, after.weights).outputs == 3


def test_an_extractor_of_features_gets_a_head(tf):
    """What --outputs 0 gave learns again; numbers without channels take no layer."""
    extractor = zoo.load("vgg-digits").replace_head(0)

    after = extractor.replace_head(1, features="fc7:0")

    assert str(after.signature().outputs["probabilities"]) == "float32 (?, 1)"
    assert {node.op for node in after.graph.node if node.name == "probabilities"} == {"Sigmoid"}
    with pytest.raises(UsageError, match="no layer can stand behind"):
        extractor.replace_head(2, features="fc7/bias")


@pytest.mark.parametrize(
    ("kind", "shape", "found"),
    [
        ("int32", (None, 4), "int32"),
        ("float32", (None, None), "float32 (?, ?)"),
        ("float32", None, "unknown"),
    ],
)
def test_what_no_layer_can_stand_behind(tf, kind, shape, found):
    """Whole numbers, and channels that nobody knows."""
    graph = protos.MetaGraphDef()
    graph.graph_def.node.append(nodes.placeholder("x", dtypes.named(kind), shape))
    graph.graph_def.node.append(nodes.node("y", "Identity", ["x"], T=dtypes.named(kind)))

    with pytest.raises(UsageError, match="no layer can stand behind") as caught:
        zoo.Model(graph, zoo.Weights({})).replace_head(2, features="y")

    assert found in caught.value.found
