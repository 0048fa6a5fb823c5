"""Bundles: lazily read, checked when read, and every fault named with its file."""

import numpy as np
import pytest

from zoo import bundle, ordered_code, table
from zoo.errors import FormatError, UnsupportedError
from zoo.protos import BundleEntryProto, BundleHeaderProto
from zoo.samples import odd_weights
from zoo.tensors import ArrayTensor


@pytest.fixture
def prefix(tmp_path):
    """Return the prefix of a bundle with every odd weight in it."""
    bundle.write(tmp_path / "model", odd_weights())
    return tmp_path / "model"


@pytest.mark.parametrize("name", sorted(odd_weights()))
def test_odd_weights_survive(prefix, name):
    """Values, dtypes and shapes come back bit for bit."""
    old, new = odd_weights()[name], bundle.read(prefix)[name]

    assert (new.dtype, new.shape) == (old.dtype, old.shape)
    assert new.read().tolist() == old.read().tolist() or new.tobytes() == old.tobytes()


def test_keys_are_sorted_by_their_bytes(prefix):
    """The index is sorted as its format wants it, whatever order the weights came in."""
    pairs = list(table.entries(bundle.index_path(prefix).read_bytes()))
    keys = [key for key, _ in pairs]

    assert keys == sorted(keys)
    assert keys[0] == b""


def test_reading_opens_and_reads_no_values(prefix):
    """A tensor whose bytes are damaged does no harm until it is read."""
    data = bytearray(bundle.data_path(prefix).read_bytes())
    data[-3] ^= 1
    bundle.data_path(prefix).write_bytes(data)

    tensors = bundle.read(prefix)

    damaged = []
    for name, tensor in tensors.items():
        try:
            tensor.read()
        except FormatError as error:
            assert str(bundle.data_path(prefix)) in error.problem
            damaged.append(name)
    assert len(damaged) == 1


@pytest.mark.parametrize("what", ["lengths", "bytes"])
def test_damaged_strings_are_noticed(tmp_path, what):
    """Both the lengths and the bytes of strings have a checksum."""
    bundle.write(tmp_path / "m", {"w": ArrayTensor.of([b"abc", b"defg"])})
    path = bundle.data_path(tmp_path / "m")
    data = bytearray(path.read_bytes())
    data[0 if what == "lengths" else -1] ^= 1
    path.write_bytes(data)

    with pytest.raises(FormatError, match="damaged"):
        bundle.read(tmp_path / "m")["w"].read()


def test_a_missing_data_file_is_named(prefix):
    """The index tells how many data files there are, before any is read."""
    bundle.data_path(prefix).unlink()

    with pytest.raises(FormatError) as caught:
        bundle.read(prefix)

    assert "model.data-00000-of-00001" in caught.value.found


def test_a_short_data_file_is_named(prefix):
    """A data file that was cut off is told with its length and the one that is promised."""
    path = bundle.data_path(prefix)
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(FormatError, match="cut off"):
        bundle.read(prefix)


@pytest.mark.parametrize("data", [b"", b"junk", bytes(100)])
def test_what_is_no_index_is_said(tmp_path, data):
    """Junk in place of an index is a FormatError with the path."""
    bundle.index_path(tmp_path / "m").write_bytes(data)

    with pytest.raises(FormatError, match=r"m\.index"):
        bundle.read(tmp_path / "m")
    assert not bundle.recognises(tmp_path / "m")


def write_index(prefix, entry, *, endianness=0, shards=1):
    """Write a bundle whose index has one `entry` and whose data file has 8 bytes."""
    header = BundleHeaderProto(num_shards=shards, endianness=endianness)
    pairs = [(b"", header.SerializeToString()), (b"w", entry.SerializeToString())]
    bundle.index_path(prefix).write_bytes(table.write(pairs))
    for shard in range(shards):
        bundle.data_path(prefix, shard, shards).write_bytes(bytes(8))


def entry(**fields):
    made = BundleEntryProto(dtype=1, size=8, **fields)
    made.shape.dim.add(size=2)
    return made


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (entry(shard_id=3), "data file 3"),
        (entry(offset=-1), "offset -1"),
        (entry(offset=4), "8 bytes, where its index promises 12"),
        (BundleEntryProto(dtype=1, size=8), "in 8 bytes"),
    ],
    ids=["no such shard", "negative offset", "past the end", "wrong size"],
)
def test_an_entry_that_lies_is_refused(tmp_path, wrong, words):
    """What an index claims is held against what is stored before memory is taken."""
    write_index(tmp_path / "m", wrong)

    with pytest.raises(FormatError) as caught:
        bundle.read(tmp_path / "m")

    assert words in caught.value.found


def test_the_other_byte_order_is_refused(tmp_path):
    """A checkpoint of a big-endian machine is not read as if it were one of this machine."""
    write_index(tmp_path / "m", entry(), endianness=1)

    with pytest.raises(UnsupportedError, match="big-endian"):
        bundle.read(tmp_path / "m")


def test_several_data_files(tmp_path):
    """Tensors are found in whichever data file they lie."""
    write_index(tmp_path / "m", entry(shard_id=1, crc32c=0), shards=2)
    values = np.array([3, 4], "<f4").tobytes()
    bundle.data_path(tmp_path / "m", 1, 2).write_bytes(values)

    with pytest.raises(FormatError, match="damaged"):
        bundle.read(tmp_path / "m")["w"].read()


def sharded(prefix, size, **counts):
    """Write vectors of so many float32 each in shards of `size` bytes; return where each went."""
    tensors = {name: ArrayTensor.of(np.full(n, n, "f")) for name, n in counts.items()}
    paths = bundle.write(prefix, tensors, size)
    assert {name: t.read().tolist() for name, t in bundle.read(prefix).items()} == {
        name: [n] * n for name, n in counts.items()
    }
    entries = dict(table.entries(bundle.index_path(prefix).read_bytes()))
    assert BundleHeaderProto.FromString(entries[b""]).num_shards == len(paths)
    shards = {n: BundleEntryProto.FromString(entries[n.encode()]).shard_id for n in counts}
    assert paths == [bundle.data_path(prefix, i, len(paths)) for i in range(len(paths))]
    return shards, [path.stat().st_size for path in paths]


def test_shards_are_filled_in_the_order_of_the_keys(tmp_path):
    """A tensor goes whole into one data file; none but a single larger one is over the size."""
    shards, sizes = sharded(tmp_path / "m", 16, c=1, a=2, b=2, e=1, d=9)

    assert shards == {"a": 0, "b": 0, "c": 1, "d": 2, "e": 3}
    assert sizes == [16, 4, 36, 4]


def test_no_shard_is_empty(tmp_path):
    """A first tensor that is larger than the size does not leave a file without any."""
    assert sharded(tmp_path / "m", 16, a=9, b=1) == ({"a": 0, "b": 1}, [36, 4])


def test_shards_large_enough_are_one(tmp_path):
    """And its bytes are those of a bundle that was written without a size."""
    bundle.write(tmp_path / "plain", odd_weights())
    bundle.write(tmp_path / "sized", odd_weights(), 1 << 20)

    for path in (bundle.index_path, bundle.data_path):
        assert path(tmp_path / "sized").read_bytes() == path(tmp_path / "plain").read_bytes()


def test_texts_count_with_their_lengths(tmp_path):
    """The size of a data file is what is stored there, not what the texts have."""
    words = {name: ArrayTensor.of([b"abc", b"de"]) for name in "ab"}

    exact = bundle.write(tmp_path / "exact", words, 22)
    short = bundle.write(tmp_path / "short", words, 21)

    assert [path.stat().st_size for path in exact] == [22]
    assert [path.stat().st_size for path in short] == [11, 11]


def test_nothing_is_one_empty_shard(tmp_path):
    """A bundle without tensors has a data file too, as TensorFlow's has."""
    assert sharded(tmp_path / "m", 5) == ({}, [0])


def test_a_missing_slice_is_refused(tmp_path):
    """A partitioned variable of which a part is missing is damaged."""
    partitioned = entry()
    extent = partitioned.slices.add().extent.add()
    extent.start, extent.length = 0, 2
    write_index(tmp_path / "m", partitioned)

    with pytest.raises(FormatError, match="damaged"):
        bundle.read(tmp_path / "m")


def rewritten(prefix, change):
    """Let `change` edit the entries of the index of `prefix` by key, header included."""
    path = bundle.index_path(prefix)
    pairs = dict(table.entries(path.read_bytes()))
    change(pairs)
    path.write_bytes(table.write(sorted(pairs.items())))


@pytest.fixture
def parted(tmp_path):
    """Return a bundle with one tensor of 4 in two halves, and a function that moves these."""

    def write(*boxes):
        parts = {
            ordered_code.slice_key(b"w", (box,)): ArrayTensor.of(np.ones(box[1], "f"))
            for box in boxes
        }
        keys = {f"part{i}": part for i, part in enumerate(parts.values())}
        bundle.write(tmp_path / "m", keys)

        def join(pairs):
            whole = BundleEntryProto(dtype=1)
            whole.shape.dim.add(size=4)
            for i, (key, box) in enumerate(zip(parts, boxes, strict=True)):
                pairs[key] = pairs.pop(f"part{i}".encode())
                whole.slices.add().extent.add(start=box[0], length=box[1])
            pairs[b"w"] = whole.SerializeToString()

        rewritten(tmp_path / "m", join)
        return tmp_path / "m"

    return write


def test_slices_that_fill_their_tensor_are_joined(parted):
    """As partitioned variables are stored."""
    assert bundle.read(parted((0, 2), (2, 2)))["w"].read().tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("boxes", [[(0, 2)], [(0, 2), (1, 2)], [(0, 2), (3, 2)], [(0, 2), (-1, 2)]])
def test_slices_must_fill_their_tensor_once(parted, boxes):
    """A gap would be whatever memory held before; what overlaps or sticks out is damage too."""
    with pytest.raises(FormatError, match="damaged"):
        bundle.read(parted(*boxes))


def test_only_data_files_that_are_used_are_asked_for(prefix):
    """An index that promises millions of files costs nothing."""

    def promise(pairs):
        header = BundleHeaderProto.FromString(pairs[b""])
        header.num_shards = 1 << 30
        pairs[b""] = header.SerializeToString()

    rewritten(prefix, promise)
    bundle.data_path(prefix).rename(bundle.data_path(prefix, 0, 1 << 30))

    assert set(bundle.read(prefix)) == set(odd_weights())


def test_a_key_that_is_no_text_is_damage(prefix):
    """And not a failure of ours."""

    def rename(pairs):
        pairs[b"\xff\xfe"] = pairs.pop(b"words")

    rewritten(prefix, rename)

    with pytest.raises(FormatError, match="damaged"):
        bundle.read(prefix)
