"""Weights under other names, by their averages, without slots."""

import h5py
import numpy as np
import pytest

import zoo
from zoo import bundle, protos, wire
from zoo.attach import METADATA
from zoo.errors import FormatError, UsageError
from zoo.renaming import averaged, renamed
from zoo.tensors import ArrayTensor
from zoo.weights import Weights


def weights(*names):
    """Return scalars that count themselves, by name."""
    return Weights.of({name: np.float32(number) for number, name in enumerate(names)})


def test_rules_rename_whole_names_in_their_order():
    """A part of a name is no match; what one rule gives the next one may take."""
    there = weights("vgg_16/fc8/biases", "a/vgg_16/x", "step")

    found = renamed(there, [r"vgg_16/(.*)=\1", r"fc8/(\w+)=head/\1"])

    assert list(found) == ["head/biases", "a/vgg_16/x", "step"]


@pytest.mark.parametrize("rule", ["nothing", "=x", "(=x", r"(.*)=\2"])
def test_what_is_no_rule(rule):
    """Told before anything is read."""
    with pytest.raises(UsageError):
        renamed(weights("a"), [rule])


def test_two_weights_with_one_name():
    """One of them would be lost."""
    with pytest.raises(UsageError, match="would be called 'x'"):
        renamed(weights("a", "b"), [".=x"])


def test_averages_take_the_place_of_values():
    """Those that have none stay as they are."""
    found = averaged(weights("w", "w/ExponentialMovingAverage", "b"))

    assert {name: float(found[name]) for name in found} == {"w": 1, "b": 2}
    with pytest.raises(UsageError, match="no moving averages"):
        averaged(weights("w", "b"))


@pytest.fixture
def checkpoint(tmp_path):
    """Return a checkpoint of the adder as somebody else would have trained it."""
    values = {
        "net/w1": np.float32(1), "net/bias": np.float32(2), "net/bias/Momentum": np.float32(0),
        "net/bias/ExponentialMovingAverage": np.float32(5), "global_step": np.int64(7),
    }  # fmt: skip
    model = zoo.Model(protos.MetaGraphDef(), values)
    return zoo.save(model, tmp_path / "model", format="checkpoint").path


def test_an_architecture_with_the_values_and_with_their_averages(checkpoint):
    """The report says what was left."""
    model = zoo.load(checkpoint, architecture="toy-adder")
    assert float(model.weights["bias"]) == 2
    assert model.attached.matched == {"bias": "net/bias"}
    assert "global_step" in model.attached.unused

    model = zoo.load(checkpoint, architecture="toy-adder", ema=True, drop_slots=True)

    assert float(model.weights["bias"]) == 5
    assert set(model.attached.unused) == {"net/w1", "global_step"}
    assert list(model.weights) == ["bias"]


def slim(name, value):
    """Return a weight of our VGG as TF-Slim keeps it: scopes, and convolutions all the way."""
    layer, _, kind = name.partition("/")
    scope = f"{layer.partition('_')[0]}/{layer}" if layer.startswith("conv") else layer
    if (layer, kind) == ("fc6", "kernel"):
        value = value.reshape(2, 2, 32, 64)
    elif layer.startswith("fc") and kind == "kernel":
        value = value[None, None]
    return f"vgg_16/{scope}/{'weights' if kind == 'kernel' else 'biases'}", value


def keras(name, value):
    """Return a weight of our VGG as an old file of Keras keeps it."""
    layer, _, kind = name.partition("/")
    named = {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}
    layer = named.get(layer) or f"block{layer[4]}_conv{layer[6]}"
    return f"{layer}/{layer}_{'W' if kind == 'kernel' else 'b'}_1:0", value


def test_a_vgg_of_tf_slim(tmp_path):
    """Its dense layers are convolutions, which lie as ours do."""
    ours = zoo.load("vgg-digits")
    theirs = dict(slim(name, ours.weights[name]) for name in ours.weights)
    path = zoo.save(zoo.Model(protos.MetaGraphDef(), theirs), tmp_path / "m", "checkpoint").path

    model = zoo.load(path, architecture="vgg-digits")

    assert set(model.weights) == set(ours.weights)
    for name in ours.weights:
        assert np.array_equal(model.weights[name], ours.weights[name])


def test_a_vgg_of_keras(tmp_path):
    """A file of weights alone, as that of VGG16 which everybody has."""
    ours = zoo.load("vgg-digits")
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        for name in ours.weights:
            key, value = keras(name, ours.weights[name])
            file[key] = value

    model = zoo.load(tmp_path / "weights.h5", architecture="vgg-digits")

    for name in ours.weights:
        assert np.array_equal(model.weights[name], ours.weights[name])


def test_renamed_weights_find_their_variables(tmp_path):
    """What no name means is told with its neighbours, and a rule helps."""
    model = zoo.Model(protos.MetaGraphDef(), {"offset_1": np.float32(3)})
    path = zoo.save(model, tmp_path / "model", format="checkpoint").path
    with pytest.raises(FormatError, match="do not fit the architecture") as caught:
        zoo.load(path, architecture="toy-adder")
    assert "--rename" in caught.value.hint

    found = zoo.load(path, architecture="toy-adder", rename={"offset_1": "bias"})

    assert float(found.weights["bias"]) == 3


def test_weights_without_a_graph_are_changed_as_they_are(checkpoint, tmp_path):
    """From checkpoint to checkpoint, other names and no slots."""
    zoo.convert(
        checkpoint, tmp_path / "out", to="checkpoint", rename=r"net/(.*)=\1", drop_slots=True
    )

    names = set(zoo.load(tmp_path / "out").weights)
    assert names == {"w1", "bias", "bias/ExponentialMovingAverage", "global_step"}


def test_a_graph_keeps_the_names_of_its_weights(tmp_path):
    """A model that has a graph would lose them."""
    zoo.convert("toy-adder", tmp_path / "adder", to="checkpoint")

    with pytest.raises(UsageError, match="has a graph"):
        zoo.load(tmp_path / "adder", rename={"bias": "b"})


def test_what_an_optimizer_keeps_is_no_weight(tmp_path):
    """Keras 2 puts the optimizer first, and the end of the name is the weight's."""
    slots = {"Adam/m/net/bias": np.float32(8), "Adam/v/net/bias": np.float32(9)}
    model = zoo.Model(protos.MetaGraphDef(), slots)
    path = zoo.save(model, tmp_path / "slots", format="checkpoint").path
    with pytest.raises(FormatError, match="do not fit"):
        zoo.load(path, architecture="toy-adder")

    model = zoo.Model(protos.MetaGraphDef(), {**slots, "net/bias": np.float32(3)})
    path = zoo.save(model, tmp_path / "both", format="checkpoint").path

    assert float(zoo.load(path, architecture="toy-adder").weights["bias"]) == 3


@pytest.fixture
def objects(tmp_path):
    """Return a checkpoint of TensorFlow 2 that calls what it stores ``net/offset``."""
    key = "layer/b/.ATTRIBUTES/VARIABLE_VALUE"
    attribute = wire.field(2, b"net/offset") + wire.field(3, key.encode())
    graph = wire.field(1, wire.field(2, attribute))
    tensors = {key: ArrayTensor.of(np.float32(4)), METADATA: ArrayTensor.of(np.array(graph))}
    bundle.write(tmp_path / "objects", tensors)
    return tmp_path / "objects"


def test_rules_go_by_the_names_that_a_checkpoint_has_itself(objects):
    """A key is a path through Python objects; nobody knows it by that."""
    model = zoo.load(objects, architecture="toy-adder", rename={"net/offset": "bias"})

    assert float(model.weights["bias"]) == 4
    assert list(zoo.load(objects, rename={"net/(.*)": r"\1"}).weights) == ["offset"]


def test_keys_stay_where_nothing_is_renamed(objects):
    """Other wishes leave a checkpoint's objects what leads to their values."""
    model = zoo.load(objects, drop_slots=True)

    assert list(model.weights) == ["layer/b/.ATTRIBUTES/VARIABLE_VALUE"]
