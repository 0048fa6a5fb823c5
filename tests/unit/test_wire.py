"""The wire format is walked as protobuf itself reads it, and damage is noticed with its offset."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo import wire
from zoo.protos import TensorProto


@given(st.integers(0, 2**64 - 1))
def test_a_number_survives(number):
    """Encoding and reading a varint are inverse."""
    data = wire.encode(number)

    assert wire.varint(data, 0, len(data)) == (number, len(data))


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1), st.binary(max_size=300))
def test_fields_lie_where_protobuf_puts_them(sizes, content):
    """Every field of a real message is found, payloads byte for byte."""
    proto = TensorProto(dtype=1, tensor_content=content, int_val=sizes)
    data = proto.SerializeToString()

    found = {field.number: field for field in wire.fields(data, 0, len(data))}

    assert found[1].kind == wire.VARINT
    assert data[found[7].start : found[7].end] == b"".join(map(wire.encode, sizes))
    if content:
        assert data[found[4].start : found[4].end] == content


@given(st.binary(max_size=60))
def test_any_bytes_are_fields_or_damaged(data):
    """Whatever the bytes, the walk ends, and inside of them."""
    try:
        fields = list(wire.fields(data, 0, len(data)))
    except wire.Damaged as error:
        assert 0 <= error.offset <= len(data)
    else:
        assert all(field.end <= len(data) for field in fields)


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"\x0a", 1),
        (b"\x0a\x05abc", 0),
        (b"\x08\xff\xff", 1),
        (b"\x08\x01\x0b\x01", 2),
        (b"\x00\x01", 0),
        (b"\x09\x01", 0),
    ],
    ids=["no length", "too short", "endless number", "a group", "number 0", "half a fixed"],
)
def test_damage_names_its_place(data, offset):
    """Each way to be cut off is told with the offset where it shows."""
    with pytest.raises(wire.Damaged) as caught:
        list(wire.fields(data, 0, len(data)))

    assert caught.value.offset == offset


def test_a_field_is_written_as_protobuf_writes_it():
    """Fields put together by hand parse as a message."""
    proto = TensorProto.FromString(wire.field(4, b"abc") + wire.field(8, b"d"))

    assert (proto.tensor_content, list(proto.string_val)) == (b"abc", [b"d"])
