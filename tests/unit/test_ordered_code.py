"""Keys of slices sort as the slices do, and no two are alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo import ordered_code

NUMBERS = st.integers(-(2**40), 2**40)


@given(NUMBERS, NUMBERS)
def test_signed_numbers_sort_as_they_are(one, other):
    """The bytes of two numbers compare as the numbers do."""
    assert (ordered_code.signed(one) < ordered_code.signed(other)) == (one < other)


@given(st.integers(0, 2**62), st.integers(0, 2**62))
def test_unsigned_numbers_sort_as_they_are(one, other):
    """The bytes of two numbers compare as the numbers do."""
    assert (ordered_code.unsigned(one) < ordered_code.unsigned(other)) == (one < other)


@given(st.binary(max_size=8), st.binary(max_size=8))
def test_strings_sort_as_they_are(one, other):
    """Bytes with any content, 0x00 and 0xFF too, compare as they do themselves."""
    assert (ordered_code.string(one) < ordered_code.string(other)) == (one < other)


def test_known_encodings():
    """The numbers of TensorFlow's own tests of its encoding."""
    assert ordered_code.signed(0) == b"\x80"
    assert ordered_code.signed(63) == b"\xbf"
    assert ordered_code.signed(64) == b"\xc0\x40"
    assert ordered_code.signed(-64) == b"\x40"
    assert ordered_code.signed(-65) == b"\x3f\xbf"
    assert ordered_code.unsigned(0) == b"\x00"
    assert ordered_code.unsigned(300) == b"\x02\x01\x2c"
    assert ordered_code.string(b"a\x00\xff") == b"a\x00\xff\xff\x00\x00\x01"


def test_sizes_beyond_any_tensor_are_refused():
    """A number that would need an unusual spelling is not spelled wrongly."""
    with pytest.raises(OverflowError):
        ordered_code.signed(2**60)
