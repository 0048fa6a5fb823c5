"""Checkpoints: an index that lies, data files that are not what it says."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.edits import Specimen, resealed, trees
from tests.fuzz.targets import BESIDE, Target, read_all
from zoo import bundle, bundle_v1, checkpoint_file, ordered_code, table
from zoo.errors import ZooError
from zoo.protos import BundleEntryProto, SavedTensorSlices
from zoo.samples import odd_weights
from zoo.tensors import ArrayTensor

INDEX = "m.index"


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def parts_of(tree):
    """Return the entries of the index of `tree` as parts, besides its data files."""
    pairs = table.entries(tree[INDEX])
    data = {name: data for name, data in tree.items() if name != INDEX}
    return data | {f"key {key.hex()}": value for key, value in pairs}


def closed(parts):
    """Return the files whose index has the entries among `parts`."""
    pairs = [(bytes.fromhex(k[4:]), v) for k, v in parts.items() if k.startswith("key ")]
    data = {name: data for name, data in parts.items() if not name.startswith("key ")}
    return {**data, INDEX: table.write(sorted(pairs))}


def partitioned(folder):
    """Write a bundle with one tensor of 4 in two halves."""
    boxes = [(0, 2), (2, 2)]
    keys = [ordered_code.slice_key(b"w", (box,)) for box in boxes]
    bundle.write(folder / "m", {f"part{i}": ArrayTensor.of(np.ones(2, "f")) for i in range(2)})
    pairs = dict(table.entries((folder / INDEX).read_bytes()))
    for i, key in enumerate(keys):
        pairs[key] = pairs.pop(f"part{i}".encode())
    whole = BundleEntryProto(dtype=1)
    whole.shape.dim.add(size=4)
    for start, length in boxes:
        whole.slices.add().extent.add(start=start, length=length)
    pairs[b"w"] = whole.SerializeToString()
    (folder / INDEX).write_bytes(table.write(sorted(pairs.items())))


def specimens():
    """Return bundles of one and of several data files, and one with a tensor in parts."""
    few = {n: odd_weights()[n] for n in ("floats", "words", "empty", "scalar", "flags")}
    found = []
    with tempfile.TemporaryDirectory() as room:
        for name, make in {
            "one": lambda folder: bundle.write(folder / "m", few),
            "several": lambda folder: bundle.write(folder / "m", odd_weights(), 200),
            "parts": partitioned,
        }.items():
            folder = Path(room, name)
            folder.mkdir()
            make(folder)
            found.append(files(folder))
    raw = [*map(Specimen, found)]
    sealed = [Specimen(tree, lambda t: t | {INDEX: resealed(t[INDEX])}) for tree in found]
    return raw + sealed + 3 * [Specimen(parts_of(tree), closed, messages=True) for tree in found]


def look(folder):
    """Read every value, as an array and as a stream."""
    bundle.recognises(folder / "m")
    for tensor in bundle.read(folder / "m", whole=False).values():
        _ = tensor.nbytes
    read_all(bundle.read(folder / "m").values())


def old_specimens():
    """Return a checkpoint as TensorFlow wrote them until 2016."""
    said, values = SavedTensorSlices(), SavedTensorSlices()
    stored = said.meta.tensor.add(name="w", type=1)
    stored.shape.dim.add(size=4)
    values.data.name = "w"
    values.data.data.float_val.extend([1, 2, 3, 4])
    for part in (stored.slice.add(), values.data.slice):
        part.extent.add()
    keys = [b"", ordered_code.slice_key(b"w", (None,))]
    pairs = dict(zip(keys, [said.SerializeToString(), values.SerializeToString()], strict=True))
    parts = {f"key {key.hex()}": value for key, value in pairs.items()}

    def close(parts):
        return {"m": closed(parts)[INDEX]}

    return [Specimen(parts, close, messages=True), Specimen({"m": table.write(pairs.items())})]


def look_old(folder):
    """Read every value."""
    bundle_v1.recognises(folder / "m")
    for tensor in bundle_v1.read(folder / "m").values():
        try:
            tensor.read()
        except ZooError as error:
            str(error)


STATES = [
    b'model_checkpoint_path: "m"\nall_model_checkpoint_paths: "m"\n',
    b'model_checkpoint_path: "/home/you/m"\nall_model_checkpoint_timestamps: 1.5\n',
]
WORDS = (b"../", b"/", b'"', b"\\0", b"all_model_checkpoint_paths", b": 1e400", b"{", b"\xff")


def states():
    """Return files that name the latest checkpoint, and the index of that one."""
    index = {INDEX: specimens()[0].parts[INDEX]}
    return [Specimen({"checkpoint": text}, lambda parts: parts | index) for text in STATES]


def look_state(folder):
    """Ask which checkpoint is the latest, and what another one would leave of them."""
    checkpoint_file.is_state(folder / "checkpoint")
    prefix = folder / "m"
    try:
        checkpoint_file.naming(prefix, checkpoint_file.Keeping(2, 1.5), 5.0)
    except ZooError as error:
        str(error)
    checkpoint_file.latest(folder)


TARGETS = [
    Target("bundle", trees(specimens), look),
    Target("bundle_v1", trees(old_specimens), look_old),
    Target("state", trees(states, WORDS), look_state),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_checkpoints_are_read_or_refused(target):
    """Every value, whatever index and data files say."""
    read, refused = target.fuzz()

    assert read
    assert refused


@pytest.mark.tensorflow
def test_what_is_read_tensorflow_reads_the_same(tf):
    """What is taken of a changed checkpoint, TensorFlow's reader takes for the same."""
    look = partial(look_beside, tf)
    assert Target("bundle_tensorflow", trees(specimens), look, memory=BESIDE).fuzz(200)[0]


def look_beside(tf, folder):
    """Compare what is read without an error with what TensorFlow reads."""
    ours = {name: tensor.read() for name, tensor in bundle.read(folder / "m").items()}
    theirs = tf.train.load_checkpoint(str(folder / "m"))
    assert set(theirs.get_variable_to_shape_map()) == set(ours)
    for name, values in ours.items():
        same = np.asarray(theirs.get_tensor(name))
        assert same.shape == values.shape
        if values.dtype == object:
            assert same.tolist() == values.tolist()
        else:
            assert same.tobytes() == values.tobytes()
