"""Weights under other names, by their averages, without slots."""

import numpy as np
import pytest

import zoo
from zoo import protos
from zoo.errors import FormatError, UsageError
from zoo.renaming import averaged, renamed
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
