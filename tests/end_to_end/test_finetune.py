"""Models that other people wrote take a new head and learn; the oracle is plain TensorFlow."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import zoo
from zoo.errors import UsageError
from zoo.heads import head as head_of

DIGITS = pytest.importorskip("sklearn.datasets").load_digits()
X = DIGITS.images[..., None].astype(np.float32)
ODD = (DIGITS.target % 2).astype(np.int64)
FEW = slice(0, 300)


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """Keep features of other tests away."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))


def losses(trained):
    return [one.loss for one in trained.epochs]


def test_three_formats_learn_the_same(tf, plain, tmp_path):
    """One seed, one net, three files: the losses are equal, and each result runs elsewhere."""
    found = {}
    for form in ("checkpoint", "frozen", "saved_model"):
        path = zoo.convert("vgg-digits", tmp_path / form / "m", to=form).target.path
        trained = zoo.finetune(path, (X, ODD), outputs=2, epochs=8)
        found[form] = losses(trained)

        target = zoo.save(trained.model, tmp_path / form / "out", form).path
        feeds, fetch = {"images:0": X[FEW]}, ["prob:0"]
        (probabilities,) = getattr(plain, form)(target, feeds, fetch)

        assert trained.epochs[trained.best_epoch].val_accuracy > 0.95
        assert np.mean(probabilities.argmax(1) == ODD[FEW]) > 0.95
        assert zoo.inspect(target)["head"]["outputs"] == 2

    assert found["checkpoint"] == found["frozen"] == found["saved_model"]


def test_what_does_not_train_keeps_its_bits(tf):
    """Only the head is new; of a chosen layer, only that."""
    before = zoo.load("vgg-digits")
    data = (X[FEW], ODD[FEW])

    for train, learns in (("head", set()), ("conv1_1/*", {"conv1_1/kernel", "conv1_1/bias"})):
        after = zoo.finetune("vgg-digits", data, outputs=2, epochs=1, train=train).model
        changed = {
            name
            for name in before.weights
            if before.weights[name].tobytes() != after.weights[name].tobytes()
        }
        assert changed == {"fc8/kernel", "fc8/bias"} | learns


def test_a_frozen_graph_learns_with_all_its_weights(tf, tmp_path):
    """Every one changes, the loss falls; before the first step the features are what they were."""
    path = zoo.convert("vgg-digits", tmp_path / "m.pb", to="frozen").target.path
    before = zoo.load(path)

    trained = zoo.finetune(path, (X[FEW], ODD[FEW]), outputs=2, epochs=3, train="all")

    new = before.replace_head(2)
    same = new.run("fc7:0", {"images:0": X[FEW]})
    assert same.tobytes() == before.run("fc7:0", {"images:0": X[FEW]}).tobytes()
    assert losses(trained)[-1] < losses(trained)[0]
    for name in new.weights:
        assert new.weights[name].tobytes() != trained.model.weights[name].tobytes(), name


def test_features_are_computed_once(tf, monkeypatch):
    """The second training reads them; the losses are those of a net that computes them anew."""
    from zoo_finetune import feature_cache, finetuning

    data, options = (X[FEW], ODD[FEW]), {"outputs": 2, "epochs": 3}
    first = zoo.finetune("vgg-digits", data, **options)
    monkeypatch.setattr(feature_cache, "_write", None)
    second = zoo.finetune("vgg-digits", data, **options)

    assert losses(first) == losses(second)
    monkeypatch.undo()

    def uncached(net, *_):
        """Return the features as the backbone gives them now."""
        return np.asarray(net.backbone()(X[FEW]))

    monkeypatch.setattr(finetuning.feature_cache, "features", uncached)
    np.testing.assert_allclose(losses(zoo.finetune("vgg-digits", data, **options)), losses(first),
                               rtol=1e-5)  # fmt: skip


MODELS = {
    "dotnet-mnist-conv-model": ((28, 28, 1), {"scale": 0.04}),  # its first layer is off in light
    "mlperf-tiny-kws-savedmodel/kws_ref_model": ((49, 10, 1), {}),
    "arm-kws/CNN/CNN_S.pb": ((490,), {"input": "Reshape"}),
    "arm-kws/DNN/DNN_S.pb": ((250,), {"input": "Reshape"}),
    "dl4j-lenet-frozen-pb": ((28, 28, 1), {}),
    "mlperf-tiny-resnet-cifar10-h5": ((32, 32, 3), {"scale": 100}),
}


@pytest.mark.parametrize("train", ["head", "all"])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_models_of_others_learn(tf, fixtures, name, train):
    """A task that a line separates: the upper half is bright, or it is not."""
    shape, options = MODELS[name]
    options = dict(options)
    rng = np.random.default_rng(0)
    y = np.arange(160) % 2
    x = rng.random((160, *shape)).astype(np.float32)
    x[y == 1, : shape[0] // 2] += 1.5
    x *= options.pop("scale", 1)
    rate = {"head": 1e-2, "all": 1e-3}[train]

    trained = zoo.finetune(
        fixtures / name, (x, y), outputs=2, train=train, epochs=25 if train == "head" else 8,
        learning_rate=rate, batch_size=16, **options,
    )  # fmt: skip

    assert trained.epochs[trained.best_epoch].val_accuracy >= 0.9
    assert head_of(trained.model.meta_graph, trained.model.weights).outputs == 2


def test_one_output_and_targets(tf):
    """A sigmoid for yes and no, and nothing at all for numbers."""
    one = zoo.finetune("vgg-digits", (X[FEW], ODD[FEW]), outputs=1, epochs=8, learning_rate=1e-2)
    values = DIGITS.target[FEW].astype(np.float32)
    two = zoo.finetune(
        "vgg-digits", (X[FEW], np.stack([values, -values], 1)), outputs=2, task="regression",
        epochs=8, learning_rate=1e-2,
    )  # fmt: skip

    assert one.epochs[one.best_epoch].val_accuracy > 0.9
    assert one.model(images=X[:5])["probabilities"].min() >= 0
    assert two.predictions.shape == (60, 2)
    logits, values = two.model.run(["fc8:0", "prob:0"], {"images:0": X[:5]})
    assert values.tobytes() == logits.tobytes()
    assert losses(two)[-1] < losses(two)[0] / 2


def test_layers_further_back_learn_slower(tf):
    """By the decay once more for each."""
    from zoo_finetune.depth import layers
    from zoo_finetune.nets import net_for
    from zoo_finetune.recipe import Recipe

    net = net_for(zoo.load("vgg-digits"), Recipe(outputs=2, train="all"))

    found = layers(net.model, net.trained, net.learned)

    assert sorted(found[0]) == ["fc8/bias", "fc8/kernel"]
    assert sorted(found[1]) == ["fc7/bias", "fc7/kernel"]
    two = net_for(zoo.load("vgg-digits"), Recipe(outputs=2, last_layers=2)).trained
    assert two == {"fc7/bias", "fc7/kernel", "fc8/bias", "fc8/kernel"}
    trained = zoo.finetune(
        "vgg-digits", (X[FEW], ODD[FEW]), outputs=2, epochs=1, train="all", layer_decay=1e-30
    )
    before = zoo.load("vgg-digits").weights
    assert trained.model.weights["fc7/kernel"].tobytes() == before["fc7/kernel"].tobytes()


def test_what_is_wrong_is_said_before_training(tf):
    """An option, a pattern, a model with two heads."""
    with pytest.raises(UsageError, match="no option 'epoch'"):
        zoo.finetune("vgg-digits", (X, ODD), outputs=2, epoch=3)
    with pytest.raises(UsageError, match="no weight is called"):
        zoo.finetune("vgg-digits", (X, ODD), outputs=2, train="conv9*")
    with pytest.raises(UsageError, match="outputs is 0 or more"):
        zoo.finetune("vgg-digits", (X, ODD), outputs=-1)


def test_patience_ends_a_training_and_the_best_epoch_counts(tf):
    """A rate that is far too large makes it worse after the first epochs."""
    trained = zoo.finetune(
        "vgg-digits", (X[FEW], ODD[FEW]), outputs=2, epochs=60, learning_rate=2.0, patience=2
    )

    judged = [one.val_loss for one in trained.epochs]
    assert len(judged) < 60
    assert trained.best_epoch == int(np.argmin(judged))
    assert len(judged) == trained.best_epoch + 1 + 2
    right = trained.predictions[np.arange(60), trained.validation.labels]
    assert np.mean(-np.log(right)) == pytest.approx(judged[trained.best_epoch], rel=1e-3)


SCRIPT = """
import sys, numpy as np, zoo
x, y = np.load(sys.argv[1]), np.load(sys.argv[2])
from pathlib import Path
trained = zoo.finetune("vgg-digits", (x, y), outputs=2, epochs=6, train="all", seed=4,
                       state=Path(sys.argv[3]))
np.savez(sys.argv[4], **{n.replace("/", "."): v for n, v in trained.model.weights.items()})
"""


@pytest.mark.slow
def test_k08_a_training_that_was_killed_ends_as_an_unbroken_one(tmp_path):
    """It goes on after the last finished epoch, with the optimizer and the order as they were."""
    np.save(tmp_path / "x.npy", X[FEW])
    np.save(tmp_path / "y.npy", ODD[FEW])

    def started(name, state):
        command = [sys.executable, "-c", SCRIPT, "x.npy", "y.npy", state, f"{name}.npz"]
        return subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)

    broken = started("broken", "one")
    for line in broken.stderr:
        if line.startswith("epoch 3 "):
            os.kill(broken.pid, signal.SIGKILL)
            break
    broken.communicate()
    assert not (tmp_path / "broken.npz").exists()

    for name, state in (("again", "one"), ("whole", "two")):
        ended = started(name, state)
        told = ended.communicate()[1]
        assert ended.returncode == 0, told

    again, whole = np.load(tmp_path / "again.npz"), np.load(tmp_path / "whole.npz")
    assert set(again.files) == set(whole.files)
    for name in whole.files:
        assert again[name].tobytes() == whole[name].tobytes(), name


def test_features_alone(tf, tmp_path):
    """Zero outputs: nothing is trained, and no data is read."""
    trained = zoo.finetune("vgg-digits", tmp_path / "nothing", outputs=0)

    features = trained.model(images=X[:3])["features"]
    assert features.tobytes() == zoo.load("vgg-digits").run("fc7:0", {"images:0": X[:3]}).tobytes()
    assert trained.history == []


def test_pictures_are_varied_the_same_way_again(tf):
    """For one seed, and otherwise in each epoch; what was held out stays as it is."""
    options = {"outputs": 2, "epochs": 2, "augment": True}
    data = (X[FEW], ODD[FEW])

    one, two = (zoo.finetune("vgg-digits", data, **options) for _ in range(2))
    plain = zoo.finetune("vgg-digits", data, **{**options, "augment": False})

    assert losses(one) == losses(two)
    assert losses(one) != losses(plain)
    with pytest.raises(UsageError, match="varies pictures"):
        zoo.finetune("vgg-digits", (np.zeros((8, 64), np.float32), ODD[:8]), input="fc7", **options)


def test_a_loss_that_is_no_number_is_an_error(tf):
    """Nothing could be kept of such a training."""
    with pytest.raises(zoo.ZooError, match="came to nothing"):
        zoo.finetune(
            "vgg-digits", (X[FEW] * 1e30, ODD[FEW]), outputs=2, train="all", epochs=3,
            learning_rate=1e9, optimizer="sgd",
        )  # fmt: skip


def test_a_state_of_another_training_is_refused(tf, tmp_path):
    """With other options the optimizer would go on from what it never did."""
    options = {"outputs": 2, "epochs": 1, "state": tmp_path}
    zoo.finetune("vgg-digits", (X[FEW], ODD[FEW]), **options)

    with pytest.raises(zoo.ZooError, match="not the state of this training") as caught:
        zoo.finetune("vgg-digits", (X[FEW], ODD[FEW]), seed=5, **options)

    assert "--resume" in caught.value.hint


def test_examples_of_another_shape(tf):
    """Where nothing states what an inner tensor takes, the net itself says it."""
    with pytest.raises(zoo.ZooError, match="do not fit fc7:0"):
        zoo.finetune(
            "vgg-digits", (np.zeros((8, 4), np.float32), ODD[:8]), outputs=2, input="fc7",
            train="all",
        )  # fmt: skip


def test_a_checkpoint_in_the_middle_of_training(tf, tmp_path):
    """With dropout that is fed, an optimizer's slots and a loss: what is left is for use."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder("float32", (None, 8, 8, 1), name="x")
        labels = v1.placeholder("int64", (None,), name="labels")
        keep = v1.placeholder("float32", (), name="keep_prob")
        kernel = v1.get_variable("conv/w", (3, 3, 1, 8), use_resource=False)
        net = v1.reshape(v1.nn.relu(v1.nn.conv2d(x, kernel, 1, "SAME")), (-1, 512))
        net = v1.nn.dropout(net, keep_prob=keep)
        shapes = {"last/w": (512, 10), "last/b": (10,)}
        w, b = (v1.get_variable(n, s, use_resource=False) for n, s in shapes.items())
        logits = v1.nn.bias_add(v1.matmul(net, w), b, name="logits")
        loss = v1.losses.sparse_softmax_cross_entropy(labels, logits)
        v1.train.AdamOptimizer().minimize(loss, name="train")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "model"))

    for train in ("head", "all"):
        trained = zoo.finetune(tmp_path / "model", (X, ODD), outputs=2, epochs=6, train=train)

        assert trained.epochs[trained.best_epoch].val_accuracy >= 0.9
        assert sorted(trained.model.weights) == ["conv/w", "last/b", "last/w"]


def test_a_layer_further_back_becomes_the_head(tf, plain, tmp_path):
    """What came after it is gone, and the result runs elsewhere."""
    trained = zoo.finetune(
        "vgg-digits", (X, ODD), outputs=2, features="fc6", epochs=6, learning_rate=1e-2
    )

    path = zoo.save(trained.model, tmp_path / "out.pb", "frozen").path
    (tensor,) = (spec.tensor for spec in trained.model.signature().outputs.values())
    found = plain.frozen(path, {"images:0": X[FEW]}, tensor)
    assert np.mean(found.argmax(1) == ODD[FEW]) > 0.9
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("train", ["head", "all"])
def test_an_extractor_of_features_learns(tf, plain, tmp_path, train):
    """A net without a last layer gets one of its own, over the means of places."""
    extractor = zoo.load("vgg-digits").replace_head(0, features="pool1")
    path = zoo.save(extractor, tmp_path / "net.pb", "frozen").path

    trained = zoo.finetune(
        path, (X, ODD), outputs=2, features="pool1", epochs=12, learning_rate=1e-2, train=train
    )

    out = zoo.save(trained.model, tmp_path / "out", "checkpoint").path
    tensor = trained.model.signature().outputs["probabilities"].tensor
    found = plain.checkpoint(out, {"images:0": X[FEW]}, tensor)
    assert np.mean(found.argmax(1) == ODD[FEW]) > (0.9 if train == "all" else 0.7)
    assert zoo.inspect(out)["head"]["weights"] == ["head/kernel", "head/bias"]


def test_callbacks_see_one_training(tf, capfd, tmp_path):
    """However long it is; quiet where that is wanted, and saved by the result itself."""
    import keras

    class Counting(keras.callbacks.Callback):
        began, epochs = 0, 0

        def on_train_begin(self, logs=None):
            self.began += 1

        def on_epoch_end(self, epoch, logs=None):
            self.epochs += 1

    counting = Counting()
    capfd.readouterr()

    trained = zoo.finetune(
        "vgg-digits", (X[FEW], ODD[FEW]), outputs=2, epochs=60, callbacks=[counting], verbose=False
    )

    assert (counting.began, counting.epochs) == (1, 60)
    assert capfd.readouterr().err == ""
    path = trained.save(tmp_path / "out", "checkpoint").path
    assert zoo.inspect(path)["head"]["outputs"] == 2
