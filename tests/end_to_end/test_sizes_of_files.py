"""Models in several data files, and served ones: TensorFlow restores what was split."""

import subprocess
import sys

import numpy as np
import pytest

import zoo

IMAGES = np.linspace(0, 16, 64, dtype=np.float32).reshape(1, 8, 8, 1)
FEEDS, FETCHES = {"images:0": IMAGES}, ["prob:0"]


@pytest.fixture(scope="module")
def expected():
    """Return what the digits net, which comes with zoo, says of one image."""
    return zoo.load("vgg-digits").run(FETCHES, FEEDS)[0]


def shards(folder):
    """Return the sizes of the data files in `folder`, in their order."""
    return [path.stat().st_size for path in sorted(folder.glob("*.data-*"))]


def test_a_checkpoint_in_shards(tf, plain, expected, tmp_path):
    """The reader, and the saver of the graph, find every tensor in the file it went to."""
    done = zoo.convert("vgg-digits", tmp_path / "model", to="checkpoint", shard_size="20kB")

    reader = tf.train.load_checkpoint(str(done.target.path))
    weights = zoo.load("vgg-digits").weights
    assert len(shards(tmp_path)) > 2
    for name in weights:
        assert np.array_equal(reader.get_tensor(name), weights[name])
    (value,) = plain.checkpoint(done.target.path, FEEDS, FETCHES)
    assert value.tobytes() == expected.tobytes()


def test_fewer_shards_leave_no_old_ones(tmp_path):
    """A checkpoint that is replaced by one with other data files takes its own with it."""
    for size in ("20kB", "1GB"):
        zoo.convert("vgg-digits", tmp_path / "m", to="checkpoint", shard_size=size, force=True)

    assert [path.name for path in tmp_path.glob("*.data-*")] == ["m.data-00000-of-00001"]


def test_a_saved_model_in_shards(tf, plain, expected, tmp_path):
    """Both loaders take it."""
    path = zoo.save(zoo.load("vgg-digits"), tmp_path / "m", "saved_model", shard_size=20000).path

    assert len(shards(path / "variables")) > 2
    (value,) = plain.saved_model(path, FEEDS, FETCHES)
    assert value.tobytes() == expected.tobytes()
    (output,) = plain.signature(path, "serving_default", images=IMAGES).values()
    assert output.tobytes() == expected.tobytes()


def test_versions_of_processes_that_run_at_once(plain, expected, tmp_path):
    """Each gets a number of its own, and every version is whole."""
    command = [sys.executable, "-m", "zoo", "convert", "vgg-digits", str(tmp_path / "net")]
    command += ["--to", "saved_model", "--version", "next", "-q"]
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(6)]

    assert [process.wait() for process in running] == [0] * 6
    there = sorted(path.name for path in (tmp_path / "net").iterdir())
    assert there == list("123456")
    for name in there:
        (value,) = plain.saved_model(tmp_path / "net" / name, FEEDS, FETCHES)
        assert value.tobytes() == expected.tobytes()
