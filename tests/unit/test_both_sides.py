"""Outputs of two sides compared: the same bits, within what was granted, or not."""

import math

import numpy as np
import pytest

from zoo.both_sides import Asked, compared

INF, NAN = math.inf, math.nan
LARGE = 1 << 60


def found(one, other, kind="float32", **granted):
    """Return what comes of comparing two lists of numbers."""
    return compared(np.array(one, kind), np.array(other, kind), Asked(**granted))


@pytest.mark.parametrize("kind", ["float32", "float64", "int8", "uint64", "bool", "complex64", "O"])
def test_the_same_bits_do_not_differ(kind):
    """Of any dtype, without axes too."""
    assert found([0, 1], [0, 1], kind) == (0.0, "")
    assert found(1, 1, kind) == (0.0, "")


@pytest.mark.parametrize(
    ("one", "other", "worst"),
    [
        ([1, 2], [1, 2.5], 0.5),
        ([1, INF], [2, INF], 1),
        ([INF, 1], [-INF, 1], INF),
        ([1, INF], [1, 5], INF),
        ([1, NAN], [1, 5], INF),
        ([NAN, 3], [NAN, 1], 2),
        (1, 3, 2),
    ],
)
def test_the_largest_difference_counts(one, other, worst):
    """Numbers and what is none are infinitely far apart; NaN and NaN are not."""
    for sides in ((one, other), (other, one)):
        assert found(*sides) == (worst, f"up to {worst:.3g}")


@pytest.mark.parametrize(
    ("kind", "one", "other", "worst"),
    [
        ("int64", [0, LARGE], [0, LARGE + 1], 1),
        ("uint64", [LARGE + 1], [LARGE], 1),
        ("int8", [-128], [127], 255),
        ("int64", [-(1 << 63)], [(1 << 63) - 1], float((1 << 64) - 1)),
    ],
)
def test_whole_numbers_are_compared_as_such(kind, one, other, worst):
    """As floating ones, large neighbours would be the same."""
    assert found(one, other, kind) == (worst, f"up to {worst:.3g}")


def test_what_is_granted():
    """By how much, and by how much of what the source gives."""
    assert found([1, 100], [1, 101], atol=1.0) == (1.0, "")
    assert found([1, 100], [1, 101], rtol=0.01) == (1.0, "")
    assert found([1, 100], [1, 101], rtol=0.009)[1] == "up to 1"
    assert found([5], [7], "int32", atol=2.0) == (2.0, "")
    assert found([1], [INF], rtol=0.5)[1] == "up to inf"
    assert found([1 + 1j], [1 + 3j], "complex64", atol=2.0) == (2.0, "")


@pytest.mark.parametrize(("kind", "one", "other"), [("O", [b"a"], [b"b"]), ("bool", [0], [1])])
def test_what_is_no_number_is_the_same_or_not(kind, one, other):
    """Text, and truth."""
    assert found(one, other, kind, atol=9.0) == (INF, "other values")


def test_numbers_that_numpy_does_not_have():
    """Half precision of another kind."""
    from zoo import dtypes

    kind = dtypes.named("bfloat16").numpy

    assert found([1, 2], [1, 4], kind) == (2.0, "up to 2")
