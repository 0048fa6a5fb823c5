"""Weights compared byte for byte on their way from one file to another; nothing runs."""

import numpy as np
import pytest

from zoo import protos
from zoo.both_sides import Asked
from zoo.errors import DifferenceError
from zoo.model import Model
from zoo.verifying import Verified, verify

ONE, TWO = np.float32([[1, 2]]), np.float32([[1, 3]])


def model(**weights):
    """Return weights without a graph."""
    return Model(protos.MetaGraphDef(), weights)


def texts(*values):
    """Return an array of texts."""
    return np.array(values, object)


def verified(original, written, target):
    """Return what verifying finds where there is nothing to run."""
    return verify(original, written, target, lambda: None, Asked())


@pytest.mark.parametrize(
    ("before", "after"),
    [(ONE, TWO), (texts(b"ab", b"c"), texts(b"a", b"bc")), (np.float32(0.0), np.float32(-0.0))],
)
def test_a_weight_that_is_another_is_told_by_name(before, after):
    """Down to the last bit, and where a text ends."""
    with pytest.raises(DifferenceError, match="the weight 'w' is not what it was"):
        verified(model(v=ONE, w=before), model(v=ONE, w=before), model(v=ONE, w=after))
    assert verified(model(w=before), model(w=before), model(w=before)).weights == 1


def test_a_weight_in_another_dtype_is_what_was_given_to_be_written():
    """It was changed on purpose, between reading and writing."""
    half = ONE.astype(np.float16)

    assert verified(model(w=ONE), model(w=half), model(w=half)).weights == 1
    with pytest.raises(DifferenceError):
        verified(model(w=ONE), model(w=half), model(w=TWO.astype(np.float16)))


def test_what_neither_side_has_in_that_form_is_not_compared():
    """Other shapes, other bits of the same width, new names; it is said that nothing ran."""
    target = model(w=ONE.reshape(2), x=ONE.view(np.int32), new=ONE)

    found = verified(model(w=ONE, x=ONE), model(w=ONE, x=ONE), target)

    assert found.weights == 0
    assert found.remarks == ["there is no graph to run: the weights alone were compared"]
    assert found.max_abs_diff == 0.0


def test_the_largest_difference_of_all():
    """For a script that looks at one number."""
    assert Verified({"a": 1.0, "b": 3.0, "c": 2.0}, 0).facts()["max_abs_diff"] == 3.0
