"""Tensors give their values and their bytes alike, wherever they lie."""

import numpy as np
import pytest

from zoo import dtypes
from zoo.checksums import crc32c
from zoo.errors import FormatError
from zoo.mapped import CHUNK, MappedFile
from zoo.parts import JoinedTensor, SliceTensor
from zoo.samples import FLOAT, odd_weights
from zoo.tensors import (
    ArrayTensor,
    FileTensor,
    FilledTensor,
    LazyTensor,
)


@pytest.mark.parametrize("name", sorted(set(odd_weights()) - {"words"}))
def test_bytes_are_those_of_the_values(name):
    """What a writer streams is what a reader of the array has, in little-endian row-major order."""
    tensor = odd_weights()[name]
    values = tensor.read()
    plain = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"))

    assert tensor.tobytes() == plain.tobytes()
    assert len(tensor.tobytes()) == tensor.nbytes


def test_large_arrays_come_in_small_pieces():
    """A stream holds a bounded piece of an array, also of one that does not lie in one row."""
    array = np.arange(3 * CHUNK // 4, dtype=np.float32).reshape(-1, 4)

    for values in (array, array.T, array[:, ::2]):
        pieces = [bytes(piece) for piece in ArrayTensor.of(values).chunks()]
        assert max(map(len, pieces)) <= CHUNK
        assert b"".join(pieces) == np.ascontiguousarray(values).tobytes()


def test_a_filled_tensor_takes_no_memory():
    """One value for a terabyte of places is one value."""
    tensor = FilledTensor(b"\0\0\x80\x3f", FLOAT, (1 << 20, 1 << 18))

    assert tensor.read()[-1, -1] == 1
    assert tensor.read().strides == (0, 0)


@pytest.fixture
def stored(tmp_path):
    """Return a file with two floats at offset 3, and the tensor that they are."""
    path = tmp_path / "data"
    path.write_bytes(b"xyz" + np.array([1.5, -2], "<f4").tobytes() + b"rest")
    crc = crc32c(np.array([1.5, -2], "<f4").tobytes())
    return path, lambda: FileTensor(MappedFile(path), 3, FLOAT, (2,), "w", crc)


def test_a_file_is_read_where_it_lies(stored):
    """Values are a read-only view of the file, aligned or not."""
    _, tensor = stored
    values = tensor().read()

    assert values.tolist() == [1.5, -2]
    assert not values.flags.owndata
    assert not values.flags.writeable
    assert tensor().tobytes() == values.tobytes()


@pytest.mark.parametrize("take", [FileTensor.read, FileTensor.tobytes])
def test_a_flipped_bit_is_noticed_when_read(stored, take):
    """The checksum guards array and stream; the error names file, tensor and offset."""
    path, tensor = stored
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(data)

    with pytest.raises(FormatError) as caught:
        take(tensor())

    assert str(path) in caught.value.problem
    assert "'w' at offset 3" in caught.value.found


def test_a_file_that_is_too_short_is_noticed_at_once(stored):
    """A missing end shows before anything is read."""
    path, tensor = stored
    path.write_bytes(path.read_bytes()[:9])

    with pytest.raises(FormatError, match="cut off"):
        tensor()


def test_a_model_outlives_the_file_it_came_from(stored):
    """Values that were mapped stay what they were when the file is replaced by another."""
    path, tensor = stored
    values = tensor().read()
    other = path.with_name("other")
    other.write_bytes(bytes(20))
    other.replace(path)

    assert values.tolist() == [1.5, -2]


def test_slices_and_their_joint():
    """A partitioned variable is joined from its slices, and each slice is a part of the whole."""
    whole = ArrayTensor.of(np.arange(12, dtype=np.float32).reshape(3, 4))
    extents = [((0, 2), None), ((2, 1), None)]
    parts = [(extent, SliceTensor(whole, extent)) for extent in extents]

    assert parts[1][1].shape == (1, 4)
    assert np.array_equal(JoinedTensor(FLOAT, (3, 4), parts).read(), whole.read())


def test_a_lazy_tensor_computes_each_time():
    """Nothing is computed before it is read."""
    calls = []
    tensor = LazyTensor(FLOAT, (1,), lambda: calls.append(1) or np.ones(1, np.float32))
    assert (tensor.nbytes, calls) == (4, [])

    tensor.read()

    assert calls == [1]


def test_text_is_bytes_objects():
    """Text becomes UTF-8, and counts its bytes."""
    tensor = ArrayTensor.of([["größe", b"\0"]])

    assert tensor.dtype is dtypes.STRING
    assert tensor.read().tolist() == [["größe".encode(), b"\0"]]
    assert tensor.nbytes == 8
