"""Models that are damaged on purpose: rows M4, M8 to M10, M12, M13 and M17 of the fault matrix.

What a row wants is an error that names the file, and where in it; nothing of it reaches
TensorFlow.
"""

import shutil
import struct

import h5py
import numpy as np
import pytest

import zoo
from zoo import bundle, ordered_code, protos, table, wire
from zoo.checksums import crc32c, masked
from zoo.cli import run
from zoo.errors import FormatError, LimitError, UnsupportedError, ZooError
from zoo.keras_file import KerasFile
from zoo.protos import BundleEntryProto, BundleHeaderProto
from zoo.samples import bag_model, sample_model, with_extras
from zoo.tensors import ArrayTensor

FOOTER = 48


@pytest.mark.parametrize("form", ["checkpoint", "frozen", "saved_model", "npz", "safetensors"])
def test_m04_what_cannot_be_read_is_never_sound(tmp_path, capsys, form):
    """A model without its last third is refused by whoever loads it, whatever the format."""
    saved = zoo.save(sample_model(), tmp_path / "m", form).path
    there = [saved] if saved.is_file() else [*tmp_path.rglob("*.index"), *tmp_path.rglob("*.pb")]
    for path in there:
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])

    assert run(["convert", str(saved), str(tmp_path / "out"), "--to", "frozen"]) == 65
    assert not (tmp_path / "out").exists()
    assert "Traceback" not in capsys.readouterr().err


@pytest.fixture
def prefix(tmp_path):
    """Return the prefix of a checkpoint with three weights in one data file."""
    arrays = {"a": np.arange(4, dtype="f"), "b": np.ones(4, "f"), "c": np.zeros((2, 2), "f")}
    bundle.write(tmp_path / "m", {name: ArrayTensor.of(array) for name, array in arrays.items()})
    return tmp_path / "m"


def index_of(prefix):
    return prefix.with_name("m.index")


def edited(prefix, change):
    """Let `change` edit the bytes of the index."""
    data = bytearray(index_of(prefix).read_bytes())
    change(data)
    index_of(prefix).write_bytes(data)


def with_entries(prefix, change):
    """Let `change` edit the entries of the index by key, and its header under the empty one."""
    pairs = dict(table.entries(index_of(prefix).read_bytes()))
    parsed = {
        key: (BundleEntryProto if key else BundleHeaderProto).FromString(value)
        for key, value in pairs.items()
    }
    change(parsed)
    whole = {key: message.SerializeToString() for key, message in parsed.items()}
    index_of(prefix).write_bytes(table.write(sorted(whole.items())))


def refused(prefix, *words):
    """Return the error with which the checkpoint is refused: in these words, its folder named."""
    with pytest.raises(FormatError) as caught:
        bundle.read(prefix)
    said = str(caught.value)
    assert str(prefix.parent) in said
    for word in words:
        assert word in said
    return caught.value


def endless(data):
    """Have the footer say where the index is by a number that does not end."""
    data[-FOOTER:-8] = b"\xff" * (FOOTER - 8)


def flipped(data):
    """Change a byte of the first block."""
    data[3] ^= 1


def no_magic(data):
    """Change the number that a table ends with."""
    data[-1] ^= 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (no_magic, "no table ends"),
        (flipped, "checksum, which begins at byte 0"),
        (endless, "a number does not end at byte"),
        (lambda data: data.__delitem__(slice(0, 20)), "at byte"),
    ],
    ids=["magic", "checksum", "varint", "cut off"],
)
def test_m08_a_damaged_index_is_told_by_its_place(prefix, change, words):
    """The magic number, the sum of a block, a number without end, a block past the end."""
    edited(prefix, change)

    refused(prefix, words, str(index_of(prefix)))


def test_m08_a_block_that_lies_about_its_size_takes_nothing(prefix):
    """Seven bytes of snappy that claim to be 4 GiB are damage."""
    block = wire.encode((1 << 32) - 1) + b"\0a"
    data = block + b"\x01" + struct.pack("<I", masked(crc32c(block + b"\x01")))
    footer = wire.encode(0) + wire.encode(0) + wire.encode(0) + wire.encode(len(block))
    magic = index_of(prefix).read_bytes()[-8:]
    index_of(prefix).write_bytes(data + footer.ljust(FOOTER - 8, b"\0") + magic)

    error = refused(prefix, "at byte 0")
    assert f"a block of {len(block)} bytes claims to hold 4294967295" in error.found


def of(key, **fields):
    """Return what sets these fields of the entry `key`."""

    def change(entries):
        for name, value in fields.items():
            setattr(entries[key], name, value)

    return change


def as_slice(entries):
    """Make ``a`` a tensor of six in two slices, of which the second says the shape of the first."""
    for key, start, length in ((b"b", 0, 3), (b"c", 3, 3)):
        entries[ordered_code.slice_key(b"a", ((start, length),))] = entries.pop(key)
        entries[b"a"].slices.add().extent.add(start=start, length=length)
    entries[b"a"].shape.dim[0].size = 6


def nowhere(entries):
    """Make ``a`` one slice that begins before it."""
    entries[b"a"].slices.add().extent.add(start=-(1 << 63), length=1 << 62)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (of(b"c", offset=40), "48 bytes, where its index promises 56"),
        (of(b"c", offset=(1 << 63) - 1), "48 bytes, where its index promises 9223372036854775823"),
        (of(b"c", offset=-1), "offset -1"),
        (of(b"c", size=-16), "size -16"),
        (of(b"c", size=12), "in 12 bytes"),
        (of(b"c", dtype=99), "number 99"),
        (of(b"c", offset=8), "b'a' and b'c' overlap at offset 8"),
        (of(b"c", shard_id=1), "data file 1 of 1"),
        (of(b"", num_shards=2), "no m.data-00000-of-00002"),
        (of(b"", num_shards=0), "data file 0 of 0"),
        (as_slice, "the slices of b'a'"),
        (nowhere, "a slice at"),
    ],
)
def test_m08_an_entry_that_cannot_be_is_refused(prefix, change, words):
    """Beyond its data file, of another length, over its neighbour, in a file there is not."""
    with_entries(prefix, change)

    with pytest.raises(ZooError) as caught:
        bundle.read(prefix)
    assert words in str(caught.value)


def test_m08_entries_without_end_are_refused(tmp_path, monkeypatch):
    """A key that is a megabyte, and ten thousand that add a byte to it, are ten gigabytes."""
    key = b"k" * 100_000
    body = wire.encode(0) + wire.encode(len(key)) + wire.encode(0) + key
    body += b"".join(wire.encode(len(key)) + b"\1\0" + bytes([n]) for n in range(1, 200))
    block = body + struct.pack("<2I", 0, 1)
    handle = wire.encode(0) + wire.encode(len(block))
    index = b"\0\1" + wire.encode(len(handle)) + b"z" + handle + struct.pack("<2I", 0, 1)
    sealed = [
        part + b"\0" + struct.pack("<I", masked(crc32c(part + b"\0"))) for part in (block, index)
    ]
    footer = wire.encode(0) * 2 + wire.encode(len(sealed[0])) + wire.encode(len(index))
    magic = table.write([])[-8:]
    path = tmp_path / "m.index"
    path.write_bytes(b"".join(sealed) + footer.ljust(FOOTER - 8, b"\0") + magic)

    monkeypatch.setenv("ZOO_BUDGET", "1MB")
    with pytest.raises(LimitError):
        bundle.read(tmp_path / "m")
    monkeypatch.setenv("ZOO_BUDGET", "30MB")
    refused(tmp_path / "m", "without a header")


def data_of(prefix, shard=0, shards=1):
    return bundle.data_path(prefix, shard, shards)


def test_m09_a_data_file_that_is_missing_or_cut_off_is_named(prefix):
    """Before anything is read, with what there is and what there should be."""
    data_of(prefix).write_bytes(data_of(prefix).read_bytes()[:-1])
    error = refused(prefix, data_of(prefix).name)
    assert "47 bytes, where its index promises 48" in error.found

    data_of(prefix).unlink()
    assert f"no {data_of(prefix).name}" in str(refused(prefix))


def test_m09_data_files_that_were_swapped_are_noticed(tmp_path):
    """Each is there and long enough, and its values are another's."""
    arrays = {name: ArrayTensor.of(np.full(4, n, "f")) for n, name in enumerate("ab")}
    bundle.write(tmp_path / "m", arrays, 16)
    first, second = data_of(tmp_path / "m", 0, 2), data_of(tmp_path / "m", 1, 2)
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)

    found = bundle.read(tmp_path / "m")

    for name in "ab":
        with pytest.raises(FormatError, match="damaged"):
            found[name].read()
        with pytest.raises(FormatError, match="damaged"):
            found[name].tobytes()


def test_m09_an_index_of_another_checkpoint_is_noticed(tmp_path):
    """Files of two checkpoints of one net have the same lengths."""
    for name, value in (("m", 1), ("n", 2)):
        bundle.write(tmp_path / name, {"w": ArrayTensor.of(np.full(4, value, "f"))})
    shutil.copy(tmp_path / "n.index", tmp_path / "m.index")

    with pytest.raises(FormatError, match=r"m\.data-00000-of-00001 is damaged"):
        bundle.read(tmp_path / "m")["w"].read()


def test_m09_an_empty_tensor_has_a_checksum_too(tmp_path):
    """TensorFlow compares it, so that what we read is what it reads."""
    bundle.write(tmp_path / "m", {"w": ArrayTensor.of(np.zeros((0, 3), "f"))})
    with_entries(tmp_path / "m", of(b"w", crc32c=7))

    with pytest.raises(FormatError, match="damaged"):
        bundle.read(tmp_path / "m")["w"].read()


@pytest.fixture
def checkpoint(tmp_path):
    """Return the prefix of a checkpoint of a graph, which its folder names as the latest."""
    (tmp_path / "run").mkdir()
    return zoo.save(sample_model(), tmp_path / "run" / "ckpt", "checkpoint").path


@pytest.mark.parametrize("suffix", ["", ".index", ".meta", ".data-00000-of-00001"])
def test_m10_a_checkpoint_is_its_prefix_and_each_of_its_files(checkpoint, suffix):
    """``ckpt`` and ``ckpt.index`` are one checkpoint, and so is the folder."""
    for place in (checkpoint.with_name(f"ckpt{suffix}"), checkpoint.parent):
        assert set(zoo.load(place).weights) == {"dense/kernel", "dense/bias"}


@pytest.mark.parametrize("named", ["{}/other/ckpt", "../other/ckpt", "sub/../../other/ckpt"])
def test_m10_another_users_checkpoint_is_not_read(checkpoint, named):
    """A file ``checkpoint`` with an absolute path, or one that leads out, names nothing."""
    root = checkpoint.parents[1]
    (root / "other").mkdir()
    zoo.save(bag_model({"secret": ArrayTensor.of([1.0])}), root / "other" / "ckpt", "checkpoint")
    state = checkpoint.with_name("checkpoint")
    state.write_text(f'model_checkpoint_path: "{named.format(root)}"\n')

    assert set(zoo.load(checkpoint.parent).weights) == {"dense/kernel", "dense/bias"}
    for path in checkpoint.parent.glob("ckpt*"):
        path.unlink()
    with pytest.raises(FormatError, match="not in its folder"):
        zoo.load(checkpoint.parent, format="checkpoint")


STATES = [b'model_checkpoint_path: "a\\0b"', b"a {" * 5000, b"x" * (17 << 20)]


@pytest.mark.parametrize("text", STATES, ids=["NUL", "braces", "long"])
def test_m10_a_state_that_is_none_is_one_error(checkpoint, text):
    """A name with a NUL, braces without end, megabytes of names."""
    checkpoint.with_name("checkpoint").write_bytes(text)

    with pytest.raises(FormatError):
        zoo.load(checkpoint.with_name("checkpoint"), format="checkpoint")


def virtual(file):
    """Have the values of another file appear in `file`."""
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource("/etc/passwd.h5", "x", (4,))
    file.create_virtual_dataset("v", layout)


HDF5 = {
    "external link": lambda file: file.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/x")),
    "soft link": lambda file: file.__setitem__("x", h5py.SoftLink("/gone")),
    "external values": lambda file: file.create_dataset(
        "d", (4,), "u1", external=[("/etc/passwd", 0, 4)]
    ),
    "virtual": virtual,
}


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("kind", HDF5)
def test_m12_hdf5_leads_nowhere_else(tmp_path, kind, libver):
    """A link to another file, or to nothing, and values that lie in another file.

    Virtual ones are told, as all that is not in one piece, and never read.
    """
    with h5py.File(tmp_path / "m.h5", "w", libver=libver) as file:
        HDF5[kind](file)

    refusal = UnsupportedError if kind == "virtual" else FormatError
    with pytest.raises(refusal, match=r"m\.h5"):
        for tensor in KerasFile(tmp_path / "m.h5").weights.values():
            tensor.read()


OUTSIDE = ["../x", "/etc/passwd", "a/../../x", "..\\x", "C:\\x", "\\\\host\\x", "C:x", "a\0b"]


@pytest.mark.parametrize("collection", [False, True], ids=["field", "collection"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_m13_a_file_of_a_model_lies_in_its_folder(tmp_path, name, collection):
    """On every system, in either place where a graph names its files."""
    model = with_extras(tmp_path)["file"][0]
    folder = zoo.save(model, tmp_path / "m", "saved_model").path
    stored = protos.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    meta_graph = stored.meta_graphs[0]
    asset = protos.AssetFileDef(filename=name)
    asset.tensor_info.CopyFrom(meta_graph.asset_file_def[0].tensor_info)
    del meta_graph.asset_file_def[:]
    if collection:
        held = meta_graph.collection_def["saved_model_assets"].any_list
        del held.value[:]
        held.value.add().value = asset.SerializeToString()
    else:
        meta_graph.asset_file_def.append(asset)
    (folder / "saved_model.pb").write_bytes(stored.SerializeToString())

    with pytest.raises(FormatError, match="outside"):
        zoo.load(folder)


@pytest.fixture
def looking_up(tmp_path):
    """Return the folder of a SavedModel with a vocabulary, and the file of that."""
    stored = protos.SavedModel()
    stored.meta_graphs.add().asset_file_def.add(filename="words.txt").tensor_info.name = "w:0"
    stored.meta_graphs[0].graph_def.node.add(name="w", op="Const")
    (tmp_path / "m" / "assets").mkdir(parents=True)
    (tmp_path / "m" / "saved_model.pb").write_bytes(stored.SerializeToString())
    return tmp_path / "m", tmp_path / "m" / "assets" / "words.txt"


def test_m13_a_link_leads_nowhere_else(looking_up, tmp_path):
    """What a model calls its own may be the user's keys; a conversion would copy them."""
    folder, asset = looking_up
    (tmp_path / "secret").write_text("secret")
    asset.symlink_to(tmp_path / "secret")

    with pytest.raises(FormatError, match="outside"):
        zoo.load(folder)
    assert [one["level"] for one in zoo.scan(folder)["findings"]] == ["io"]


def test_m13_links_into_the_place_of_the_graph_are_a_caches(looking_up, tmp_path):
    """As hubs lay them out: all files in one folder, links to them where the model is."""
    folder, asset = looking_up
    (tmp_path / "blobs").mkdir()
    (folder / "saved_model.pb").rename(tmp_path / "blobs" / "00")
    (folder / "saved_model.pb").symlink_to("../blobs/00")
    (tmp_path / "blobs" / "11").write_text("a\n")
    asset.symlink_to("../../blobs/11")

    assert zoo.load(folder).assets["words.txt"].read_text() == "a\n"
    assert zoo.scan(folder)["verdict"] == "clean"


def test_m17_a_checkpoint_for_a_newer_tensorflow_says_so(prefix):
    """Its header states which reader it needs."""
    with_entries(prefix, lambda entries: setattr(entries[b""].version, "min_consumer", 2))

    with pytest.raises(UnsupportedError, match="newer TensorFlow"):
        bundle.read(prefix)


def test_m17_no_checkpoint_was_written_before_the_first_version(prefix):
    """TensorFlow refuses it too."""
    with_entries(prefix, lambda entries: setattr(entries[b""].version, "producer", -1))

    with pytest.raises(FormatError, match="damaged"):
        bundle.read(prefix)


def test_m17_a_checkpoint_that_forbids_our_version_says_so(prefix):
    """TensorFlow refuses it too: who wrote it knew of a fault in readers of this version."""
    with_entries(prefix, lambda entries: entries[b""].version.bad_consumers.append(1))

    with pytest.raises(UnsupportedError, match="not for readers of version 1"):
        bundle.read(prefix)


def test_m17_a_graph_for_a_newer_tensorflow_is_explained(tmp_path, capsys):
    """``zoo doctor`` says which version the graph needs and which is here; looking works."""
    model = sample_model()
    model.meta_graph.graph_def.versions.min_consumer = 99_999
    path = zoo.save(model, tmp_path / "m", "frozen").path

    assert run(["inspect", str(path)]) == 0
    run(["doctor", str(path)])

    assert "min_consumer 99999" in capsys.readouterr().out
