"""Checkpoints of before 2016, as today's TensorFlow still writes and reads them."""

import hashlib
import json

import numpy as np
import pytest

import zoo
from zoo.errors import FormatError


@pytest.fixture
def saved(tf, tmp_path):
    """Return a function that saves variables in the old format, and their values."""
    v1 = tf.compat.v1
    random = np.random.default_rng(0)
    values = {
        "float": random.normal(size=(3, 4)).astype("f"),
        "double": random.normal(size=5),
        "scalar": np.float32(2.5),
        "long": np.array([1, -(1 << 40)]),
        "int": np.arange(6, dtype=np.int32).reshape(2, 3),
        "bool": np.array([True, False]),
        "empty": np.zeros((0, 3), np.float32),
        "complex": np.array([1 + 2j, -3j], np.complex64),
        "text": np.array([b"a", b"", b"\xff\0"], object),
    }

    def save(**saver):
        with tf.Graph().as_default(), v1.Session() as session:
            for name, value in values.items():
                v1.get_variable(name, initializer=tf.constant(value), use_resource=False)
            parts = v1.fixed_size_partitioner(3)
            big = tf.constant(np.arange(20.0, dtype="f").reshape(10, 2))
            with v1.variable_scope("parts", partitioner=parts):
                v1.get_variable(
                    "big",
                    [10, 2],
                    initializer=lambda shape, dtype, partition_info: tf.slice(
                        big, partition_info.var_offset, shape
                    ),
                    use_resource=False,
                )
            session.run(v1.global_variables_initializer())
            version = v1.train.SaverDef.V1
            made = v1.train.Saver(write_version=version, **saver)
            (tmp_path / "old").mkdir()
            made.save(session, str(tmp_path / "old" / "model.ckpt"), global_step=7)
        return tmp_path / "old" / "model.ckpt-7"

    return save, values


@pytest.mark.parametrize("sharded", [False, True])
def test_every_value_is_read(tf, saved, sharded):
    """Of every dtype, sharded or not; partitioned variables too."""
    save, values = saved
    prefix = save(sharded=sharded)

    model = zoo.load(prefix)

    assert zoo.inspect(prefix)["format"] == "checkpoint_v1"
    for name, value in values.items():
        found = model.weights[name]
        assert (found.dtype, found.shape) == (np.asarray(value).dtype, np.shape(value))
        assert found.tolist() == np.asarray(value).tolist()
    whole = np.concatenate([model.weights[f"parts/big/part_{i}"] for i in range(3)])
    np.testing.assert_array_equal(whole, np.arange(20).reshape(10, 2))


@pytest.mark.parametrize("form", ["checkpoint", "frozen", "saved_model"])
def test_it_becomes_any_format_of_today(tf, plain, saved, tmp_path, form):
    """Restored by TensorFlow's own loaders, with the same values."""
    save, values = saved
    prefix = save()
    model = zoo.load(prefix.parent).extend(lambda t: {"y": tf.identity(t["float/read:0"])})

    path = zoo.save(model.prune("y:0"), tmp_path / "m", form).path

    np.testing.assert_array_equal(getattr(plain, form)(path, {}, ["y:0"])[0], values["float"])


@pytest.mark.parametrize("name", ["model.ckpt-7", "model.ckpt-7.meta", "."])
def test_every_way_to_name_it(tf, saved, name):
    """Its file, its graph, its folder."""
    save, _ = saved

    assert zoo.load(save().parent / name).weights["scalar"] == 2.5


def test_damage_is_told(tf, saved):
    """A flipped byte is found when it is read, a missing shard at once."""
    save, _ = saved
    prefix = save()
    data = bytearray(prefix.read_bytes())
    data[len(data) // 2] ^= 1
    prefix.write_bytes(data)

    with pytest.raises(FormatError, match="damaged"):
        model = zoo.load(prefix)
        [model.weights[name] for name in model.weights]
    prefix.rename(prefix.with_name("model.ckpt-7-00000-of-00002"))
    with pytest.raises(FormatError, match="not whole"):
        zoo.load(prefix)
    prefix.write_bytes(data[:100])
    with pytest.raises(zoo.ZooError):
        zoo.load(prefix)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tf-tfprof-v1ckpt/ckpt", "tf-tfprof-v1ckpt/expected__ckpt.tensors.json"),
        (
            "tf-session-bundle-v1ckpt/00000123/export",
            "tf-session-bundle-v1ckpt/expected__00000123__export.tensors.json",
        ),
    ],
)
def test_those_that_others_wrote(fixtures, path, expected):
    """Names, dtypes, shapes and bytes are the recorded ones."""
    recorded = json.loads((fixtures / expected).read_text())
    weights = zoo.load(fixtures / path).weights

    for one in recorded:
        tensor = weights.tensor(one["name"])
        assert (tensor.dtype.name, list(tensor.shape)) == (one["dtype"], one["shape"])
        assert hashlib.sha256(tensor.tobytes()).hexdigest() == one["sha256"]


def test_a_saved_model_with_old_variables(tf, fixtures):
    """Written between the formats, and refused by today's TensorFlow."""
    path = fixtures / "tf-savedmodel-hpt-v1-variables"
    recorded = np.load(path / "expected.npz")

    (found,) = zoo.load(path)(inputs=recorded["in:inputs"].astype(object)).values()

    np.testing.assert_array_equal(found, recorded["out:outputs"])
