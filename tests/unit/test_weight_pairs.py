"""Which weights of two models belong together, and which make a difference."""

import numpy as np
import pytest

import zoo
from zoo import protos
from zoo.compare import compare
from zoo.contrast import Tolerance
from zoo.weights import Weights


def bare(keys=None, **weights):
    """Return weights without a graph; ``__`` in a name stands for a slash."""
    arrays = {name.replace("__", "/"): np.asarray(one) for name, one in weights.items()}
    return zoo.Model(protos.MetaGraphDef(), Weights(Weights.of(arrays).by_key(), keys or {}))


ONE = np.float32([1, 2, 3])


@pytest.mark.parametrize(
    ("extra", "needed"),
    [
        ({"step": np.int64(3)}, False),
        ({"step": np.int32(3)}, False),
        ({"table": np.int64([3])}, True),
        ({"scale": np.float32(3)}, True),
        ({"w__Adam": ONE}, False),
        ({"v__Adam": ONE}, True),
    ],
)
def test_what_a_graph_would_need(extra, needed):
    """Where there is none to say so: all but counters and what an optimizer keeps for a weight."""
    for sides in ((bare(w=ONE, **extra), bare(w=ONE)), (bare(w=ONE), bare(w=ONE, **extra))):
        found = compare(*sides)

        (only,) = found["weights"]["only_a"] + found["weights"]["only_b"]
        assert only["needed"] is needed
        assert found["equal"] is not needed


@pytest.mark.parametrize(("apart", "kind"), [(0.01, "close"), (0.5, "different")])
def test_one_number_beyond_the_tolerance_is_enough(apart, kind):
    """The others may be near."""
    other = ONE + np.float32([0.01, apart, 0])

    found = compare(bare(w=ONE), bare(w=other), Tolerance(absolute=0.1))

    assert [one["a"] for one in found["weights"][kind]] == ["w"]
    assert found["equal"] is (kind == "close")


@pytest.mark.parametrize("other", ["w", "v"])
@pytest.mark.parametrize("value", [np.float16([1, 2, 3]), np.int32([1, 2, 3]), ONE + np.float32(1)])
def test_weights_of_another_dtype_or_value_make_a_difference(other, value):
    """Under one name they are compared; under two, only what is the same when rounded is a pair."""
    found = compare(bare(w=ONE), bare(**{other: value}))

    assert not found["equal"]
    rounded = value.dtype == np.float16
    assert len(found["weights"]["cast"]) == rounded
    assert len(found["weights"]["different"]) == (other == "w" and not rounded)
    assert len(found["weights"]["only_a"]) == (other == "v" and not rounded)


def test_what_rounds_to_something_else_is_no_pair():
    """The same sizes in a narrower dtype are not the same weight."""
    found = compare(bare(w=ONE), bare(v=np.float16([1, 2, 4])))

    assert found["weights"]["cast"] == []
    assert found["weights"]["only_b"][0]["name"] == "v"


def test_one_key_is_one_weight():
    """Whatever a graph calls what is stored there."""
    found = compare(bare({"w": "kept"}, w=ONE), bare({"v": "kept"}, v=ONE))

    assert found["weights"]["equal"] == 1
    assert found["weights"]["renamed"] == {}
