"""A conversion that is killed at any system call leaves nothing or the whole, the old or the new.

strace kills it (`tests/killed_conversions.py`).  Both models have the same names and shapes, so
that a mixture of them could be read, and would compute something else.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo

SCRIPT = Path(__file__).parents[1] / "killed_conversions.py"
FORMS = ("checkpoint", "frozen", "saved_model")
OLD, NEW = 10.0, 44.0
"""What the two models give for two ones."""


@pytest.fixture(scope="module")
def models(tf, tmp_path_factory):
    """Return two checkpoints, whose graphs and weights differ by a factor each."""
    folder, v1 = tmp_path_factory.mktemp("models"), tf.compat.v1
    for name, factor, value in (("old", 2.0, 2.0), ("new", 4.0, 5.0)):
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None, 2], name="x")
            kernel = v1.get_variable("kernel", initializer=tf.fill([2, 1], value))
            bias = v1.get_variable("bias", initializer=tf.fill([1], 1.0))
            tf.multiply(tf.matmul(x, kernel) + bias, factor, name="y")
            session.run(v1.global_variables_initializer())
            v1.train.Saver().save(session, str(folder / name))
    return folder


@pytest.fixture(scope="module", params=FORMS)
def form(request):
    """Return the name of a format."""
    return request.param


def killed(way, source, form, before, folder):
    """Return the folders in which conversions were killed."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not there, which kills processes at their system calls")
    command = [sys.executable, SCRIPT, way, source, form, before, folder]
    done = subprocess.run(command, capture_output=True, text=True)
    if "ptrace" in done.stderr:
        pytest.skip(f"processes may not be traced here: {done.stderr.strip()}")
    ends = json.loads(done.stdout.splitlines()[-1])
    assert [*ends.values()].count(-9) >= max(8, 0.95 * len(ends)), done.stderr
    return [folder / step for step in ends]


def visible(folder):
    """Return what a reader finds in `folder`: the bytes of each file by its path."""
    names = [path for path in folder.glob("*") if not path.name.startswith(".")]
    files = [f for path in names for f in (path.rglob("*") if path.is_dir() else [path])]
    return {str(f.relative_to(folder)): f.read_bytes() for f in files if f.is_file()}


def everything(folder):
    """Return what is in `folder`, what is hidden and where links lead too; but for random names."""
    found = []
    for path in folder.rglob("*"):
        content = path.readlink() if path.is_symlink() else path.is_file() and path.read_bytes()
        found.append(re.sub(r"zoo-\w{8}", "zoo", f"{path.relative_to(folder)} {content}"))
    return tuple(sorted(found))


def by_zoo(path, form):
    """Return the graph and the weights of the model at `path`."""
    model = zoo.load(path, format=form)
    weights = {name: model.weights[name].tobytes() for name in model.weights}
    return model.meta_graph.SerializeToString(deterministic=True), weights


def by_tensorflow(plain, path, form):
    """Return what plain TensorFlow computes from what is at `path`, for two ones."""
    return float(getattr(plain, form)(path, {"x:0": np.ones((1, 2))}, "y:0").item())


def check(plain, folders, form, before, models, tmp_path):
    """Check each state that was left; return what TensorFlow gives from it, without repetition."""
    clean = tmp_path / "clean"
    zoo.convert(models / "new", clean / "m", to=form)
    new = by_zoo(clean / "m", form)
    old = by_zoo(before / "m", form) if before else None
    given, seen = {}, set()
    for folder in folders:
        state = visible(folder)
        key = tuple(sorted(state.items()))
        if key not in given:
            given[key] = by_tensorflow(plain, folder / "m", form) if state else None
        assert (by_zoo(folder / "m", form) if state else None) in (old, new), folder
        if (whole := everything(folder)) not in seen:
            seen.add(whole)
            zoo.convert(models / "new", folder / "m", to=form, force=True)
            assert by_zoo(folder / "m", form) == new
            assert not [path for path in folder.iterdir() if path.name.startswith(".")]
            assert not [path for path in folder.iterdir() if path.is_symlink()]
    return list(given.values())


@pytest.mark.parametrize("way", ["changes", pytest.param("all", marks=pytest.mark.slow)])
def test_k07_where_nothing_was(tf, plain, models, tmp_path, form, way):
    """Nothing is there for a reader, or all of it."""
    folders = killed(way, models / "new", form, "", tmp_path)

    assert check(plain, folders, form, None, models, tmp_path) == [None, NEW]


@pytest.mark.parametrize("way", ["changes", pytest.param("all", marks=pytest.mark.slow)])
def test_k07_where_an_old_model_was(tf, plain, models, tmp_path, form, way):
    """It is there, or the new one; a checkpoint's files are switched all at once.

    The old one has two data files, and there is another model in the folder, to which nothing
    happens.
    """
    before = tmp_path / "before"
    options = {} if form == "frozen" else {"shard_size": 4}
    zoo.convert(models / "old", before / "m", to=form, **options)
    zoo.convert(models / "old", before / "other", to=form)
    other = {n: b for n, b in visible(before).items() if n.startswith("other")}

    folders = killed(way, models / "new", form, before, tmp_path)

    for folder in folders:
        assert other.items() <= visible(folder).items()
        if form == "checkpoint":
            assert Path(tf.train.latest_checkpoint(folder)).name in ("m", "other")
    outcomes = check(plain, folders, form, before, models, tmp_path)
    assert (outcomes[0], outcomes[-1]) == (OLD, NEW)
    assert set(outcomes) == {OLD, NEW}


def test_what_is_killed_while_it_settles_what_a_kill_left(tf, plain, models, tmp_path):
    """A second kill leaves old or new as the first one did, in whichever state that was."""
    before = tmp_path / "before"
    zoo.convert(models / "old", before / "m", to="checkpoint", shard_size=4)
    first = killed("changes", models / "new", "checkpoint", before, tmp_path / "first")
    linked = [folder for folder in first if (folder / "m.index").is_symlink()]
    given = [by_tensorflow(plain, folder / "m", "checkpoint") for folder in linked]
    turn = given.index(NEW)
    assert given == [OLD] * turn + [NEW] * (len(given) - turn)

    for left in (linked[turn - 1], linked[-1]):
        again = tmp_path / left.name
        folders = killed("changes", models / "new", "checkpoint", left, again)
        outcomes = check(plain, folders, "checkpoint", before, models, again)
        assert outcomes == sorted(outcomes)
        assert outcomes[-1] == NEW
