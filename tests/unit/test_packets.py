"""What an isolated process says is taken as a stranger's: as much as was announced, and no more."""

import json
import struct

import numpy as np
import pytest

from zoo import errors, packets
from zoo.errors import FormatError, InputError
from zoo.packets import Packet, Reader


def read(data, most=1 << 20):
    return list(Reader(most).packets(data))


ARRAYS = [
    np.float32(3.5),
    np.arange(6, dtype=np.int64).reshape(2, 3),
    np.zeros((0, 4), np.float16),
    np.array([True, False]),
    np.array([[1 + 2j]], np.complex64),
    np.array([b"a\x00", b"", b"\xff"], object),
    b"alone\x00",
    np.array([(1,), (-2,)], [("qint8", "i1")]),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
]


@pytest.mark.parametrize("value", ARRAYS, ids=lambda value: str(np.asarray(value).dtype))
def test_an_array_comes_back_as_it_was(value):
    """Values, dtype and shape; a single value is a scalar again, not an array."""
    (packet,) = read(packets.of_array("y", value).encoded())
    name, found = packets.array(packet)

    assert name == "y"
    assert type(found) is type(value)
    assert np.asarray(found, object).tolist() == np.asarray(value, object).tolist()
    assert getattr(found, "dtype", None) == getattr(value, "dtype", None)


def test_bfloat16_comes_back():
    """A dtype that numpy lacks."""
    import ml_dtypes

    value = np.array([1.5, -2], ml_dtypes.bfloat16)

    assert packets.array(packets.of_array("y", value))[1].tolist() == [1.5, -2]


def test_packets_are_whole_wherever_they_are_cut():
    """A pipe gives what it has."""
    data = packets.of_array("y", np.arange(3)).encoded() + Packet("done").encoded()
    reader = Reader(1 << 20)

    found = [one for byte in data for one in reader.packets(bytes([byte]))]

    assert [one.kind for one in found] == ["array", "done"]


BAD_LINES = [b"no JSON\n", b"[]\n", b'{"kind": "x"}\n', b'{"kind": 1, "bytes": 0}\n']
BAD_LINES += [b'{"kind": "x", "bytes": -1}\n', b'{"kind": "x", "bytes": true}\n']
BAD_LINES += [b'{"kind": "x", "bytes": 1e999}\n', b"[" * 100_000 + b"\n", b"a" * (1 << 21)]


@pytest.mark.parametrize("line", BAD_LINES, ids=range(len(BAD_LINES)))
def test_what_is_no_packet_is_refused(line):
    """Whatever comes, one error says so."""
    with pytest.raises(FormatError, match="cannot be read"):
        read(line, most=1 << 22)


def test_more_than_was_allowed_is_refused():
    """What is announced takes no memory; what comes is counted."""
    data = json.dumps({"kind": "array", "bytes": 1 << 60}).encode() + b"\n"

    assert read(data) == []
    with pytest.raises(FormatError, match="more came"):
        read(data + b"x" * 2000, most=1000)


FLOAT = {"name": "y", "dtype": "float32", "shape": [2]}
LYING = [
    (FLOAT, b"1234"),
    (FLOAT | {"shape": [1 << 62, 1 << 62]}, b""),
    (FLOAT | {"shape": [-1]}, b"12345678"),
    (FLOAT | {"shape": [1] * 65}, b"1234"),
    (FLOAT | {"shape": "22"}, b"1234"),
    (FLOAT | {"shape": None}, b""),
    (FLOAT | {"dtype": "object"}, b"12345678"),
    (FLOAT | {"dtype": "resource"}, b"12345678"),
    (FLOAT | {"dtype": []}, b"12345678"),
    (FLOAT | {"name": 3}, b"12345678"),
    ({}, b""),
    (FLOAT | {"dtype": "string"}, b"123"),
    (FLOAT | {"dtype": "string"}, struct.pack("<Q", 1 << 63) + b"a"),
    (FLOAT | {"dtype": "string", "shape": [1 << 40]}, struct.pack("<Q", 0)),
]


@pytest.mark.parametrize(("facts", "data"), LYING, ids=range(len(LYING)))
def test_an_array_that_is_not_what_it_says_is_refused(facts, data):
    """Before anything of its size is made."""
    with pytest.raises(FormatError, match="cannot be read"):
        packets.array(Packet("array", facts, data))


def kind(name):
    return {"InputError": InputError}.get(name)


def test_an_error_comes_back_as_one_of_its_kind():
    """With its three parts; what names no kind of ours is none."""
    said = packets.of_error(InputError("a", found="b", hint="c"))
    (packet,) = read(said.encoded())

    found = packets.error(packet, kind)

    assert type(found) is InputError
    assert found.facts() == InputError("a", found="b", hint="c").facts()
    words = {"problem": "a", "found": "b", "hint": "c"}
    for facts in (
        {},
        words | {"kind": "SystemExit"},
        {"kind": "InputError", "problem": 1},
        [],
        "x",
    ):
        with pytest.raises(FormatError):
            packets.error(Packet("error", {"error": facts}), kind)
    assert errors.InputError.code == found.code
