"""The index of a checkpoint: written and read back, and damage in any of its bytes noticed."""

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo import table, wire
from zoo.checksums import crc32c, masked, unmasked

PAIRS = st.dictionaries(st.binary(max_size=40), st.binary(max_size=60), max_size=60)


@given(PAIRS)
def test_what_is_written_is_read(pairs):
    """Any sorted entries come back, in order."""
    ordered = sorted(pairs.items())

    assert list(table.entries(table.write(ordered))) == ordered


def test_many_blocks():
    """A table larger than a block has an index that finds all of it."""
    ordered = [(f"layer/{i:06}/weights".encode(), bytes(64)) for i in range(20_000)]

    data = table.write(ordered)

    assert len(data) > 3 * 262144
    assert list(table.entries(data)) == ordered


@pytest.mark.parametrize("position", range(0, 200, 3))
def test_every_flipped_byte_is_noticed(position):
    """A changed byte is an error with an offset, or lies where nothing is kept."""
    ordered = [(f"key{i:03}".encode(), bytes([i])) for i in range(20)]
    data = bytearray(table.write(ordered))
    position %= len(data)
    data[position] ^= 0x55
    try:
        assert list(table.entries(bytes(data))) == ordered
    except wire.Damaged as error:
        assert 0 <= error.offset <= len(data)


@pytest.mark.parametrize("length", [0, 1, 47, 48, 60])
def test_a_part_of_a_table_is_none(length):
    """A table that was cut off does not end as one."""
    data = table.write([(b"key", b"value" * 10)])

    with pytest.raises(wire.Damaged):
        list(table.entries(data[:length]))


def stored(block, compression):
    """Return `block` as a table stores it, compressed already."""
    body = block + bytes([compression])
    return body + masked(crc32c(body)).to_bytes(4, "little")


def test_compressed_blocks_are_read():
    """Some builds of TensorFlow compress the blocks of an index; the entries are the same."""
    builder = table._Builder(16)
    builder.add(b"alpha", b"1" * 100)
    builder.add(b"alpine", b"2")
    packed = bytes(cramjam.snappy.compress_raw(builder.finished()))

    found = list(table._block(stored(packed, 1), 0, len(packed)))

    assert found == [(b"alpha", b"1" * 100), (b"alpine", b"2")]


def test_a_block_that_does_not_decompress_is_damaged():
    """Junk in place of a compressed block is an error of ours."""
    junk = b"\x20\xffabc"

    with pytest.raises(wire.Damaged, match="decompress"):
        list(table._block(stored(junk, 1), 0, len(junk)))


def test_no_room_is_made_for_what_no_block_can_hold():
    """Zeros shrink as far as anything does; what claims more is damaged before it is unpacked."""
    builder = table._Builder(16)
    builder.add(b"zeros", bytes(1 << 20))
    packed = bytes(cramjam.snappy.compress_raw(builder.finished()))
    more = wire.encode(22 * len(packed)) + packed[3:]

    assert list(table._block(stored(packed, 1), 0, len(packed))) == [(b"zeros", bytes(1 << 20))]
    with pytest.raises(wire.Damaged, match="decompress"):
        list(table._block(stored(more, 1), 0, len(more)))
    more = wire.encode(22 * len(packed) + 1) + packed[3:]
    with pytest.raises(wire.Damaged, match="claims to hold"):
        list(table._block(stored(more, 1), 0, len(more)))


@given(st.integers(0, 2**32 - 1))
def test_masking_is_undone(checksum):
    """A masked checksum is never itself, and unmasking gives it back."""
    assert unmasked(masked(checksum)) == checksum


def test_the_checksum_is_crc32c():
    """The check value that every description of CRC-32C gives."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"6789", crc32c(b"12345")) == 0xE3069283
