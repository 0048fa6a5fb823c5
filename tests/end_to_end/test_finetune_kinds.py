"""Kinds of numbers that a net computes with: half precision, whole numbers, ids of a table."""

import warnings

import numpy as np
import pytest

import zoo
from zoo.errors import RunError, UsageError

LABELS = np.arange(120) % 3
X = np.random.default_rng(0).random((120, 12), np.float32)
X[np.arange(120), LABELS] += 2
IDS = np.random.default_rng(0).integers(0, 20, (60, 6))
QUIET = {"outputs": 3, "verbose": False}
FAST = {**QUIET, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def half(tf, tmp_path_factory):
    """Return a net all of whose numbers are bfloat16, in each format that is written."""
    import keras

    folder = tmp_path_factory.mktemp("half")
    keras.config.set_dtype_policy("bfloat16")
    try:
        layers = [keras.Input((12,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(4)]
        keras.Sequential(layers).export(folder / "saved_model", verbose=False)
    finally:
        keras.config.set_dtype_policy("float32")
    for form in ("frozen", "checkpoint"):
        zoo.convert(folder / "saved_model", folder / form / "m", to=form)
    return {"saved_model": folder / "saved_model"} | {
        form: folder / form / "m" for form in ("frozen", "checkpoint")
    }


@pytest.mark.parametrize("train", ["head", "all"])
def test_a_net_of_bfloat16_learns(half, train):
    """The same in three formats; steps too small for bfloat16 add up, and the result is bfloat16.

    Adam's rate is zero in bfloat16, where 0.999 is 1.
    """
    found = {}
    for form, path in half.items():
        trained = zoo.finetune(path, (X, LABELS), epochs=8, train=train, **FAST)
        found[form] = [one.loss for one in trained.epochs]
        before, weights = zoo.load(path).weights, trained.model.weights

        assert {weights.tensor(name).dtype.name for name in weights} == {"bfloat16"}
        kept = [n for n in weights if before.tensor(n).shape == weights.tensor(n).shape]
        moved = [n for n in kept if before[n].tobytes() != weights[n].tobytes()]
        assert len(kept) == 2
        assert moved == (kept if train == "all" else [])

    assert found["frozen"] == found["checkpoint"] == found["saved_model"]
    assert found["frozen"][-1] < 0.8 * found["frozen"][0]


def test_a_training_of_bfloat16_goes_on(half, tmp_path):
    """As if it had not been broken off."""
    options = {"train": "all", **QUIET}
    zoo.finetune(half["frozen"], (X, LABELS), epochs=1, state=tmp_path, **options)
    gone_on = zoo.finetune(half["frozen"], (X, LABELS), epochs=3, state=tmp_path, **options)

    whole = zoo.finetune(half["frozen"], (X, LABELS), epochs=3, **options)

    assert [one.loss for one in gone_on.epochs] == [one.loss for one in whole.epochs]
    for name in whole.model.weights:
        assert gone_on.model.weights[name].tobytes() == whole.model.weights[name].tobytes()


@pytest.fixture(scope="module")
def words(tf, tmp_path_factory):
    """Return a net of ids below 20, with a counter among its variables."""
    path = tmp_path_factory.mktemp("words") / "m"
    rng = np.random.default_rng(0)

    class Net(tf.Module):
        def __init__(self):
            super().__init__()
            self.table = tf.Variable(rng.normal(size=(20, 4)).astype("f4"), name="table")
            self.kernel = tf.Variable(rng.normal(size=(24, 2)).astype("f4"), name="kernel")
            self.shift = tf.Variable(0, name="shift", dtype=tf.int32)

        @tf.function(input_signature=[tf.TensorSpec((None, 6), tf.int32, name="ids")])
        def __call__(self, ids):
            found = tf.gather(tf.convert_to_tensor(self.table), ids + self.shift)
            return {"scores": tf.reshape(found, (-1, 24)) @ self.kernel}

    net = Net()
    tf.saved_model.save(net, path, signatures=net.__call__.get_concrete_function())
    return path


@pytest.mark.parametrize("train", ["head", "all"])
def test_ids_that_no_table_has(words, train):
    """TensorFlow's own words, and what they mean for the data."""
    ids = IDS.copy()
    ids[7, 2] = 37

    with pytest.raises(RunError) as caught:
        zoo.finetune(words, (ids, LABELS[:60]), epochs=1, train=train, **QUIET)

    assert caught.value.found.startswith("indices[")
    assert caught.value.found.endswith("= 37 is not in [0, 20)")
    assert "do the data fit the model" in caught.value.hint


def test_a_table_of_whole_numbers_is_learned(words, tmp_path):
    """As they are in an array."""
    rows = [",".join(map(str, [*row, label])) for row, label in zip(IDS, LABELS[:60], strict=True)]
    (tmp_path / "ids.csv").write_text("\n".join(rows))

    found = zoo.finetune(words, tmp_path / "ids.csv", epochs=2, **QUIET)

    wanted = zoo.finetune(words, (IDS, LABELS[:60]), epochs=2, **QUIET)
    assert [one.loss for one in found.epochs] == [one.loss for one in wanted.epochs]


def test_whole_numbers_do_not_learn(words):
    """They are left out of what a glob takes; nothing else is no choice at all."""
    with warnings.catch_warnings(action="error"):
        trained = zoo.finetune(words, (IDS, LABELS[:60]), epochs=1, train="*", **QUIET)

    assert trained.trained_weights == 2
    with pytest.raises(UsageError, match="cannot learn") as caught:
        zoo.finetune(words, (IDS, LABELS[:60]), epochs=1, train="shift*", **QUIET)
    assert "shift" in caught.value.found
