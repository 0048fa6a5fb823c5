"""Weights are read when asked for, and replaced without reading the rest."""

import numpy as np
import pytest

from zoo.samples import FLOAT
from zoo.tensors import ArrayTensor, LazyTensor
from zoo.weights import Weights


@pytest.fixture
def recording():
    """Return two weights that note when they are read, and the notes."""
    read = []

    def lazy(name):
        return LazyTensor(FLOAT, (2,), lambda: read.append(name) or np.ones(2, np.float32))

    return Weights({name: lazy(name) for name in "ab"}, {"a": "stored/a"}, {"m": lazy("m")}), read


def test_looking_reads_nothing(recording):
    """Names, sizes and keys are known without reading."""
    weights, read = recording

    assert list(weights) == ["a", "b"]
    assert "a" in weights
    assert weights.tensor("a").shape == (2,)
    assert (weights.key("a"), weights.key("b")) == ("stored/a", "b")
    assert repr(weights) == "<2 weights, 16 bytes>"
    assert read == []


def test_one_is_read_at_a_time(recording):
    """Access reads one weight; others stay where they are."""
    weights, read = recording

    assert weights["b"].tolist() == [1, 1]
    assert read == ["b"]


def test_replacing_reads_nothing(recording):
    """New weights lie over the old ones; keys and metadata stay."""
    weights, read = recording

    changed = weights.overlay({"b": ArrayTensor.of(np.zeros(1)), "c": ArrayTensor.of(np.ones(1))})

    assert (changed["b"].tolist(), list(changed)) == ([0], ["a", "b", "c"])
    assert (changed.key("a"), list(changed.metadata)) == ("stored/a", ["m"])
    assert weights.only(["a", "nobody"]).key("a") == "stored/a"
    assert list(weights.plain().metadata) == []
    assert read == []


def test_a_dict_of_arrays_is_weights():
    """Whoever makes a model can give arrays."""
    assert Weights.of({"w": np.ones(3)}).tensor("w").shape == (3,)


def test_a_mapping_of_a_strangers_is_asked_later():
    """Another lazy mapping is wrapped, not read into memory and kept."""

    class Counting(dict):
        asked = 0

        def __getitem__(self, name):
            type(self).asked += 1
            return super().__getitem__(name)

    from types import MappingProxyType

    source = Counting(w=np.ones(3))
    weights = Weights.of(MappingProxyType(source))
    before = Counting.asked

    assert weights["w"].tolist() == [1, 1, 1]
    assert Counting.asked == before + 1


def test_a_missing_weight_is_a_key_error():
    """Weights are a mapping, and behave as one."""
    with pytest.raises(KeyError):
        Weights({})["w"]
