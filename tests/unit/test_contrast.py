"""Tensors compared: to the bit, by value, in pieces."""

import math

import numpy as np
import pytest

from zoo import contrast as room
from zoo.contrast import Tolerance, axes_between, contrast, digest
from zoo.samples import FLOAT, odd_weights
from zoo.tensors import ArrayTensor, FilledTensor

BIG = (3, room._AT_ONCE // 2 + 5)
"""A shape that takes two pieces."""


def tensor(values, kind=np.float32):
    return ArrayTensor.of(np.array(values, kind))


@pytest.mark.parametrize("name", sorted(odd_weights()))
def test_a_tensor_does_not_differ_from_itself(name):
    """Of any dtype and shape, NaN included, scattered in memory or not."""
    one = odd_weights()[name]
    copy = ArrayTensor(np.array(one.read(), order="C"), one.dtype)

    assert contrast(one, copy).count == 0
    assert digest(one) == digest(copy)


def test_a_digest_tells_dtypes_shapes_and_bits_apart():
    """The same bytes under another shape are other values, and -0.0 is not 0.0."""
    variants = [
        tensor([0, 1]),
        tensor([-0.0, 1]),
        tensor([[0, 1]]),
        tensor([0, 1], np.int32),
        ArrayTensor.of(np.array([b"a", b"bc"], object)),
        ArrayTensor.of(np.array([b"ab", b"c"], object)),
    ]
    assert len({digest(one) for one in variants}) == len(variants)


def test_a_value_that_is_spelled_once_is_the_same_everywhere():
    """A constant may say one number for all places."""
    filled = FilledTensor(b"\0\0\x80\x3f", FLOAT, BIG)

    assert digest(filled) == digest(tensor(np.ones(BIG)))


def test_the_largest_difference_is_told_with_its_place():
    """In the last piece too."""
    values = np.zeros(BIG)
    other = values.copy()
    other[0, 1], other[2, -1] = 1, -3

    found = contrast(tensor(values), tensor(other))

    assert (found.count, found.beyond, found.largest) == (2, 2, 3.0)
    assert found.at == (2, BIG[1] - 1)
    assert (found.a, found.b) == (0.0, -3.0)


def test_a_tolerance_lets_small_differences_pass():
    """As numpy's allclose has it; NaN and infinity never pass."""
    a, b = tensor([1, 10, 100]), tensor([1.1, 10, 130])
    near = Tolerance(relative=0.05, absolute=0.1)

    assert contrast(a, b).beyond == 2
    assert contrast(a, b, near).beyond == 1
    assert contrast(tensor([math.nan]), tensor([1]), near).beyond == 1
    assert contrast(tensor([math.inf]), tensor([1]), near).beyond == 1
    assert math.isnan(contrast(tensor([math.nan, 5]), tensor([1, 1])).largest)


def test_text_differs_without_a_distance():
    """The first that is another is shown."""
    one, other = (ArrayTensor.of(np.array(v, object)) for v in ([b"a", b"b"], [b"a", b"c"]))

    found = contrast(one, other)

    assert (found.count, found.largest, found.at) == (1, None, (1,))
    assert (found.a, found.b) == (b"b", b"c")


@pytest.mark.parametrize("kind", [np.float32, np.complex128, np.int8])
@pytest.mark.parametrize("axes", [(1, 0, 2), (2, 0, 1), (2, 1, 0)])
def test_transposed_axes_are_recognised(kind, axes):
    """Also where sizes alone do not say which axis is which."""
    values = np.random.default_rng(4).integers(-100, 100, (6, 6, 7)).astype(kind)
    one, other = ArrayTensor.of(values), ArrayTensor.of(np.array(values.transpose(axes)))

    assert axes_between(one, other) == axes


def test_what_is_shuffled_is_not_transposed():
    """The same numbers in other places."""
    values = np.arange(36, dtype=np.float32).reshape(6, 6)
    other = values.T.copy()
    other[0, 1], other[0, 2] = other[0, 2], other[0, 1]

    assert axes_between(tensor(values), tensor(values.T)) == (1, 0)
    assert axes_between(tensor(values), tensor(other)) is None
    assert axes_between(tensor(values), tensor(values.T + 1)) is None


def test_the_largest_of_one_piece_is_the_one_that_is_told():
    """Not the first, and a NaN before all."""
    assert contrast(tensor([0, 0, 0]), tensor([1, 5, 2])).at == (1,)
    assert contrast(tensor([0, 0, 0]), tensor([1, 5, math.nan])).at == (2,)


@pytest.mark.parametrize("pair", [(5, math.inf), (math.inf, 5), (math.inf, -math.inf)])
def test_nothing_is_near_infinity(pair):
    """However generous the tolerance, which grows with the number."""
    a, b = ([0.0, one] for one in pair)

    assert contrast(tensor(a), tensor(b), Tolerance(relative=0.5)).beyond == 1
