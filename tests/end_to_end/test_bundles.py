"""Bundles: each reads what the other writes, and the bytes agree."""

import numpy as np
import pytest

from zoo import bundle
from zoo.samples import odd_weights
from zoo.tensors import ArrayTensor


def theirs(tf, prefix, arrays):
    """Write `arrays` with TensorFlow's own operation, in the order of its Saver."""
    names = sorted(arrays)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(arrays[name]) for name in names],
    )


def as_plain(values):
    """Return `values` as TensorFlow takes them."""
    if values.dtype == object:
        return values
    return np.ascontiguousarray(values).astype(values.dtype.newbyteorder("="))


@pytest.fixture(scope="module")
def arrays():
    """Return arrays of every kind, and enough of them to fill several blocks of an index."""
    rng = np.random.default_rng(5)
    found = {name: as_plain(tensor.read()) for name, tensor in odd_weights().items()}
    found |= {f"layer_{i}/kernel": rng.normal(size=(i % 5, 3)) for i in range(8000)}
    found["long words"] = np.array([b"x" * 300, b"", b"y" * 70000], object)
    return found


def test_bytes_are_tensorflows(tf, tmp_path, arrays):
    """Index and data, byte for byte, for 8,000 tensors of all kinds."""
    theirs(tf, tmp_path / "theirs", arrays)
    bundle.write(tmp_path / "ours", {name: ArrayTensor.of(a) for name, a in arrays.items()})

    for path in (bundle.index_path, bundle.data_path):
        assert path(tmp_path / "ours").read_bytes() == path(tmp_path / "theirs").read_bytes()


def test_tensorflow_reads_ours(tf, tmp_path, arrays):
    """Names, shapes, dtypes and values."""
    bundle.write(tmp_path / "ours", {name: ArrayTensor.of(a) for name, a in arrays.items()})
    reader = tf.train.load_checkpoint(str(tmp_path / "ours"))

    assert set(reader.get_variable_to_shape_map()) == set(arrays)
    for name in odd_weights():
        value = reader.get_tensor(name)
        assert np.asarray(value).tolist() == np.asarray(arrays[name]).tolist() or np.array_equal(
            np.asarray(value).view(np.uint8), np.asarray(arrays[name]).view(np.uint8)
        )


def test_we_read_theirs(tf, tmp_path, arrays):
    """Values, dtypes and shapes of everything, bit for bit."""
    theirs(tf, tmp_path / "theirs", arrays)

    read = bundle.read(tmp_path / "theirs")

    assert set(read) == set(arrays)
    for name, array in arrays.items():
        value = read[name].read()
        assert (value.dtype, value.shape) == (array.dtype, array.shape), name
        assert value.tolist() == array.tolist() or value.tobytes() == array.tobytes(), name


@pytest.mark.parametrize("kind", ["ref", "resource"])
def test_partitioned_variables_are_joined(tf, fixtures, kind):
    """What TensorFlow stored in slices is one tensor, equal to what it reads itself."""
    prefix = fixtures / "made-here-gaps" / f"partitioned_{kind}" / "model.ckpt-7"
    reader = tf.train.load_checkpoint(str(prefix))

    for name, tensor in bundle.read(prefix).items():
        assert np.array_equal(tensor.read(), reader.get_tensor(name))


def test_slices_have_the_keys_tensorflow_gives_them(tf, tmp_path):
    """Slices at any offset are found by the keys we make for them."""
    whole = np.arange(300 * 70, dtype=np.float32).reshape(300, 70)
    parts = {"300 70 0,130:-": whole[:130], "300 70 130,170:-": whole[130:]}
    for number, (spelled, part) in enumerate(parts.items()):
        tf.raw_ops.SaveV2(
            prefix=str(tmp_path / f"part{number}"),
            tensor_names=["w"],
            shape_and_slices=[spelled],
            tensors=[tf.constant(part)],
        )
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=[str(tmp_path / "part0"), str(tmp_path / "part1")],
        destination_prefix=str(tmp_path / "whole"),
    )

    assert np.array_equal(bundle.read(tmp_path / "whole")["w"].read(), whole)


def test_every_checkpoint_of_others(fixtures):
    """Recorded dtypes, shapes and digests of every tensor of every readable bundle."""
    import hashlib
    import json

    seen = 0
    for record in sorted(fixtures.rglob("expected__*.tensors.json")):
        inside = record.name.removeprefix("expected__").removesuffix(".tensors.json")
        prefix = record.parent / inside.replace("__", "/")
        if not bundle.recognises(prefix):
            continue
        tensors = bundle.read(prefix)
        rows = {row["name"]: row for row in json.loads(record.read_text())}
        assert set(tensors) == set(rows)
        for name, row in rows.items():
            tensor = tensors[name]
            assert (tensor.dtype.name, list(tensor.shape)) == (row["dtype"], row["shape"])
            if row["dtype"] != "string":
                assert hashlib.sha256(tensor.tobytes()).hexdigest() == row["sha256"], name
        seen += 1
    assert seen >= 20
