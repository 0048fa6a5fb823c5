"""What a training that was broken off may go on from, and what it must not."""

import numpy as np
import pytest

import zoo
from zoo.errors import FormatError, RunError, UsageError
from zoo.samples import sample_model
from zoo.tensors import ArrayTensor

RANDOM = np.random.default_rng(0)
X = RANDOM.random((30, 12)).astype(np.float32)
Y = np.arange(30) % 3


def net(number, bias):
    """Return a dense layer with other weights for each number, before the new one."""
    kernel, bias = np.random.default_rng(number).random((12, 4)), np.full(4, bias)
    return sample_model(*(ArrayTensor.of(one.astype(np.float32)) for one in (kernel, bias)))


@pytest.fixture
def trained(tf, tmp_path):
    """Return what trains a net of that number, from the state of before."""

    def train(number=0, bias=0.0, **options):
        options = {"outputs": 3, "features": "probabilities", "verbose": False} | options
        return zoo.finetune(net(number, bias), (X, Y), state=tmp_path, **options)

    return train


def test_what_is_another_training(trained, tmp_path):
    """Other weights before the head, of which the state has none; more epochs are none."""
    trained(epochs=2)
    before = (tmp_path / "state.npz").read_bytes()

    with pytest.raises(FormatError, match="not the state of this training") as caught:
        trained(1, epochs=3)

    assert caught.value.found == "other options, other examples or another model"
    assert (tmp_path / "state.npz").read_bytes() == before
    assert len(trained(epochs=3).epochs) == 3
    with pytest.raises(UsageError, match="further than 2 epochs") as caught:
        trained(epochs=2)
    assert caught.value.hint.startswith("--epochs 3, or more")


def test_a_schedule_has_its_epochs(trained):
    """A rate that falls over four epochs is another one than over six."""
    trained(epochs=4, schedule="cosine")

    with pytest.raises(UsageError, match="falls over all epochs") as caught:
        trained(epochs=6, schedule="cosine")

    assert caught.value.found == "4 when the training began, and 6 now"
    assert len(trained(epochs=4, schedule="cosine").epochs) == 4


def test_from_no_number_nothing_goes_on(trained, tmp_path):
    """There is no state after a first epoch of NaN: it could only end so again."""
    with pytest.raises(RunError, match="came to nothing"):
        trained(bias=np.nan)

    assert [*tmp_path.iterdir()] == []
