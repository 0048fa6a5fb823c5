"""The VGGs are the paper's, and the trained one reads digits in every format."""

import numpy as np
import pytest

import zoo
from zoo_architectures import train_vgg_digits, vgg11, vgg13, vgg16, vgg19


@pytest.fixture(scope="module")
def held_out():
    return train_vgg_digits.digits()[1]


@pytest.mark.parametrize("form", ["checkpoint", "frozen", "saved_model"])
def test_the_digits_are_read_alike_in_every_format(tf, plain, held_out, tmp_path, form):
    """All 360 that were held out, by plain TensorFlow; at least 97 of 100 rightly."""
    model = zoo.load("vgg-digits")
    expected = model.run("prob:0", {"images:0": held_out.images})
    path = zoo.convert("vgg-digits", tmp_path / "m", to=form).target.path

    (found,) = getattr(plain, form)(path, {"images:0": held_out.images}, ["prob:0"])

    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert len(held_out.labels) == 360
    assert (found.argmax(axis=1) == held_out.labels).mean() >= 0.97


def test_the_formats_give_equal_bits(tf, plain, held_out, tmp_path):
    """With rewriting off, where the weights lie changes nothing."""
    found = []
    for form in ("checkpoint", "frozen", "saved_model"):
        path = zoo.convert("vgg-digits", tmp_path / form / "m", to=form).target.path
        found += getattr(plain, form)(path, {"images:0": held_out.images}, ["prob:0"])

    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


def test_a_training_step_starts_where_the_weights_say(tf, held_out):
    """The script's own training is a few steps away from what is in the package."""
    model = zoo.load("vgg-digits")
    longer = model.extend(train_vgg_digits._training)
    feeds = {"images:0": held_out.images, "labels:0": held_out.labels, "rate:0": 1e-4}

    with longer.session() as session:
        (step,) = session.graph.get_collection("train_op")
        before = session.run("loss:0", feeds)
        for _ in range(3):
            session.run(step, feeds)
        after = session.run("loss:0", feeds)
        trained = model.captured(session)

    assert before > after
    assert train_vgg_digits.accuracy(trained, held_out) >= 0.97


@pytest.mark.slow
def test_training_gives_the_bytes_that_are_shipped(tf, tmp_path):
    """The script makes the weights in the package again, to the byte."""
    train_vgg_digits.main(tmp_path)

    shipped = zoo.fetch("vgg-digits")
    for name in ("vgg-digits.index", "vgg-digits.data-00000-of-00001"):
        assert (tmp_path / name).read_bytes() == (shipped / name).read_bytes()


def compared(tf, size, classes):
    """Return what our VGG16 and that of Keras give for the same weights, and how many these are."""
    net = tf.keras.applications.VGG16(weights=None, input_shape=(size, size, 3), classes=classes)
    model = vgg16(size=size, outputs=classes)
    weights = {}
    layers = [layer for layer in net.layers if layer.weights]
    names = [name for name in model.weights if name.endswith("kernel")]
    for layer, name in zip(layers, names, strict=True):
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel, bias + np.float32(0.1)])
        weights[name], weights[name.replace("kernel", "bias")] = layer.get_weights()
    images = np.random.default_rng(0).normal(size=(2, size, size, 3)).astype(np.float32)
    ours = zoo.Model(model.meta_graph, weights)
    found = ours.run("prob:0", {"images:0": images})
    ours.close()

    count = sum(weight.size for weight in weights.values())
    assert count == net.count_params()
    return found, net(images).numpy(), count


def test_our_vgg16_computes_what_that_of_keras_does(tf):
    """Given the same random weights, the same probabilities; here of small images."""
    ours, theirs, _ = compared(tf, 32, 10)

    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_our_vgg16_computes_what_that_of_keras_does_at_full_size(tf):
    """With all the weights of the paper."""
    ours, theirs, count = compared(tf, 224, 1000)

    assert count == 138357544
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("build", "parameters"),
    [(vgg11, 132863336), (vgg13, 133047848), (vgg16, 138357544), (vgg19, 143667240)],
)
def test_the_nets_have_the_papers_weights(build, parameters):
    """As many as the paper and Keras count."""
    weights = build().weights

    assert sum(weights.tensor(name).size for name in weights) == parameters


def test_variants(tf):
    """Fully convolutional gives the same for images of the size; dropout passes all by default."""
    images = np.random.default_rng(1).uniform(0, 255, (2, 64, 64, 1)).astype(np.float32)
    size = {"width": 1 / 16, "size": 64, "channels": 1, "outputs": 3}
    dense = vgg11(**size)
    wide = vgg11(**size, fully_convolutional=True, dropout=True)

    expected = dense.run("prob:0", {"images:0": images})
    np.testing.assert_allclose(wide.run("prob:0", {"images:0": images}), expected, rtol=1e-4)
    larger = np.zeros((1, 96, 128, 1))
    assert wide.run("fc8:0", {"images:0": larger}).shape == (1, 2, 3, 3)
    some = wide.run("fc7/dropout:0", {"images:0": images, "keep_prob:0": 0.5})
    whole = wide.run("fc7/dropout:0", {"images:0": images})
    assert (some == 0).sum() > (whole == 0).sum()


def test_tensorflow_initializes_a_net_anew(tf, tmp_path):
    """The graph has initializers that draw from the distribution of the first weights."""
    v1 = tf.compat.v1
    model = vgg11(width=1 / 16, size=32, outputs=2)
    zoo.save(model, tmp_path / "m", "checkpoint")

    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(str(tmp_path / "m.meta"))
        session.run(v1.global_variables_initializer())
        kernel = session.run("conv5_2/kernel/Read/ReadVariableOp:0")
        bias = session.run("conv5_2/bias/Read/ReadVariableOp:0")

    first = model.weights["conv5_2/kernel"]
    assert abs(kernel.std() / first.std() - 1) < 0.05
    assert (kernel != first).any()
    assert not bias.any()
