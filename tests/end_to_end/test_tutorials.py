"""What the tutorials do with TensorFlow's Saver, in both directions: they read ours, we theirs."""

import filecmp
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo.errors import FormatError, UnknownNameError, UsageError


@pytest.fixture
def theirs(tf):
    """Return a function that saves two variables by a Saver of TensorFlow's, called as given."""
    v1 = tf.compat.v1

    def save(folder, *saves, **saver):
        """Save once for each dict of `saves`; the Saver takes `saver`."""
        folder.mkdir(parents=True, exist_ok=True)
        with tf.Graph().as_default(), v1.Session() as session:
            made = {
                "a": v1.get_variable("a", initializer=1.0, use_resource=False),
                "b": v1.get_variable("b", initializer=[2.0, 3.0], use_resource=False),
            }
            tf.add(made["a"], made["b"], name="y")
            session.run(v1.global_variables_initializer())
            chosen = saver.pop("var_list", None)
            if isinstance(chosen, list):
                chosen = [made[name] for name in chosen]
            elif chosen is not None:
                chosen = {key: made[name] for key, name in chosen.items()}
            made_saver = v1.train.Saver(chosen, save_relative_paths=True, **saver)
            for one in saves or ({},):
                made_saver.save(session, str(folder / "my_test_model"), **one)
        return folder / "my_test_model"

    return save


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def same_files(one, other, *, meta=False):
    """Check that two folders have the same files, byte for byte but for the graph."""
    names = files(one)
    assert names == files(other)
    compared = [name for name in names if meta or not name.endswith(".meta")]
    assert filecmp.cmpfiles(one, other, compared, shallow=False)[0] == compared


@pytest.mark.parametrize(
    ("save", "saver", "options"),
    [
        ({}, {}, {}),
        ({"global_step": 1000}, {}, {"global_step": 1000}),
        ({"write_meta_graph": False}, {}, {"write_meta_graph": False}),
        ({}, {"var_list": ["a"]}, {"weights": ["a"]}),
        ({}, {"var_list": {"new": "b", "a": "a"}}, {"weights": {"new": "b", "a": "a"}}),
    ],
    ids=["all", "step", "no graph", "list", "dict"],
)
def test_saves_leave_the_files_of_tensorflow(tf, theirs, tmp_path, save, saver, options):
    """Names, weights, index and the file ``checkpoint``: the same bytes."""
    theirs(tmp_path / "theirs", save, **saver)
    model = zoo.load(theirs(tmp_path / "source"))

    saved = zoo.save(model, tmp_path / "ours" / "my_test_model", "checkpoint", **options)

    same_files(tmp_path / "theirs", tmp_path / "ours")
    keys = dict(tf.train.list_variables(str(saved.path)))
    assert keys == dict(tf.train.list_variables(str(tmp_path / "theirs" / saved.path.name)))


@pytest.mark.parametrize("weights", [["a"], {"renamed": "a"}])
def test_a_part_is_restored_by_tensorflow(tf, theirs, tmp_path, weights):
    """The saver in the graph knows which, and under which key; the others are initialized."""
    v1 = tf.compat.v1
    model = zoo.load(theirs(tmp_path / "source"))
    changed = tmp_path / "ours" / "m"
    zoo.save(model, changed, "checkpoint", weights=weights)

    with tf.Graph().as_default(), v1.Session() as session:
        saver = v1.train.import_meta_graph(f"{changed}.meta")
        saver.restore(session, str(changed))
        assert session.run("a:0") == 1.0
        with pytest.raises(tf.errors.FailedPreconditionError):
            session.run("b:0")
        session.run("b/Assign")
        assert session.run("y:0").tolist() == [3.0, 4.0]


def test_theirs_of_a_part_is_read(tf, theirs, tmp_path):
    """Renamed weights have the names of the graph, and their keys; the others have no value."""
    model = zoo.load(theirs(tmp_path / "t", var_list={"renamed": "b"}))

    assert list(model.weights) == ["b"]
    assert model.weights.key("b") == "renamed"
    with pytest.raises(zoo.ZooError):
        model.run("y")
    with pytest.raises(zoo.ZooError, match="no value"):
        model.freeze(["y"])


class Clock:
    """A clock that a test sets; TensorFlow's Saver and zoo both read it."""

    def __init__(self, monkeypatch):
        self.now = 1.6e9
        monkeypatch.setattr("time.time", lambda: self.now)


@pytest.mark.parametrize("hours", [None, 2, 0.5])
@pytest.mark.parametrize("most", [1, 4])
@pytest.mark.parametrize("minutes", [[10] * 20, [59, 61] * 10, [200] * 8, [0] * 6, [1, 300] * 5])
def test_what_stays_is_what_tensorflow_keeps(
    tf, theirs, tmp_path, monkeypatch, most, hours, minutes
):
    """After each save: the same files, and the same list of them."""
    v1 = tf.compat.v1
    model = zoo.load(theirs(tmp_path / "source"))
    clock = Clock(monkeypatch)
    every = {} if hours is None else {"keep_checkpoint_every_n_hours": hours}
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("a", initializer=1.0)
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver(max_to_keep=most, save_relative_paths=True, **every)
        for step, passed in enumerate(minutes):
            saver.save(session, str(tmp_path / "t" / "m"), global_step=step)
            options = {"global_step": step, "max_to_keep": most, **every}
            zoo.save(model, tmp_path / "o" / "m", "checkpoint", **options)
            clock.now += passed * 60
            assert files(tmp_path / "t") == files(tmp_path / "o")

    states = [v1.train.get_checkpoint_state(str(tmp_path / name)) for name in "to"]
    listed = [[Path(p).name for p in s.all_model_checkpoint_paths] for s in states]
    assert listed[0] == listed[1]
    if hours is None:
        assert filecmp.cmp(tmp_path / "t" / "checkpoint", tmp_path / "o" / "checkpoint", False)


def test_saving_under_a_name_again_moves_it_to_the_end(tf, theirs, tmp_path):
    """A checkpoint that is saved again is the latest, and counts once."""
    model = zoo.load(theirs(tmp_path / "s"))
    for step in (1, 2, 1, 3):
        zoo.save(model, tmp_path / "o" / "m", "checkpoint", global_step=step, max_to_keep=2)

    assert sorted(p.name for p in (tmp_path / "o").glob("*.index")) == ["m-1.index", "m-3.index"]


def test_the_latest_of_several_also_after_a_move(tf, theirs, tmp_path):
    """TensorFlow's absolute paths lead nowhere once the folder has moved."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        a = v1.get_variable("a", initializer=0.0)
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver()
        for step in range(3):
            session.run(a.assign(step))
            saver.save(session, str(tmp_path / "then" / "m"), global_step=step)
    shutil.move(tmp_path / "then", tmp_path / "now")

    assert zoo.load(tmp_path / "now").weights["a"] == 2.0
    assert v1.train.latest_checkpoint(str(tmp_path / "now")) is None


def joined(tf, tmp_path, spelled):
    """Save a graph and weights apart; return where they lie."""
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        with tf.device("/device:GPU:7"):
            w = v1.get_variable("w", initializer=[[3.0], [4.0]], use_resource=False)
        tf.matmul(x, w, name="y")
        v1.get_variable("unused", initializer=1.0, use_resource=False)
        if spelled == "meta":
            v1.train.export_meta_graph(str(tmp_path / "graph"))
        else:
            tf.io.write_graph(graph, str(tmp_path), "graph", as_text=spelled == "text")
        config = v1.ConfigProto(allow_soft_placement=True)
        with v1.Session(graph=graph, config=config) as session:
            session.run(v1.global_variables_initializer())
            v1.train.Saver().save(session, str(tmp_path / "m"), write_meta_graph=False)
    return tmp_path / "graph", tmp_path / "m"


@pytest.mark.parametrize("spelled", ["text", "binary", "meta"])
def test_a_graph_and_weights_that_lie_apart(tf, plain, tmp_path, spelled):
    """What freeze_graph does, and its result compared with that of freeze_graph."""
    graph, prefix = joined(tf, tmp_path, spelled)
    x = np.array([[1.0, 10.0]], np.float32)
    done = zoo.convert(
        prefix, tmp_path / "ours.pb", to="frozen", graph=graph, outputs=["y"], clear_devices=True
    )
    theirs = str(tmp_path / "theirs.pb")
    if spelled != "meta":
        from tensorflow.python.tools import freeze_graph

        names = ("y", "", "", theirs, True, "")
        freeze_graph.freeze_graph(str(graph), "", spelled == "binary", str(prefix), *names)
        assert plain.frozen(tmp_path / "theirs.pb", {"x:0": x}, ["y:0"]) == [43.0]

    assert plain.frozen(done.target.path, {"x:0": x}, ["y:0"])[0] == 43.0
    assert {node.device for node in zoo.load(done.target.path).graph.node} == {""}
    assert zoo.load(prefix, graph=graph).run("y", {"x": x}) == 43.0


def test_a_frozen_model_inside_of_another(tf, tmp_path):
    """Names are mapped; the part's weights are constants; two of it are two parts."""
    v1 = tf.compat.v1
    adder = zoo.load("toy-adder")

    def twice(tensors):
        (once,) = adder.import_graph_def({"w1": tensors["x:0"], "w2": 1.0}, name="one")
        (again,) = adder.import_graph_def({"w1:0": once, "w2:0": once}, ["op_to_restore"], "two")
        return {"y": again}

    with tf.Graph().as_default() as graph, v1.Session():
        v1.placeholder(tf.float32, [], name="x")
        tf.io.write_graph(graph, str(tmp_path), "empty.pb", as_text=False)
    model = zoo.load(tmp_path / "empty.pb").extend(twice)

    assert model.run("y", {"x": 1.0}) == 16.0
    with pytest.raises(zoo.ZooError):
        adder.import_graph_def({"w3": 1.0})


def test_collections_of_every_kind_survive(tf, theirs, tmp_path):
    """Numbers, texts and nodes: in a checkpoint and a SavedModel; a frozen graph says no."""
    v1 = tf.compat.v1
    kinds = {"floats": 0.5, "ints": 7, "texts": "seven"}
    with tf.Graph().as_default() as graph, v1.Session() as session:
        a = v1.get_variable("a", initializer=1.0)
        y = tf.add(a, 1.0, name="y")
        for name, value in kinds.items():
            v1.add_to_collection(name, value)
        v1.add_to_collection("nodes", y)
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "s" / "m"))
        del graph

    for form in ("checkpoint", "saved_model"):
        path = zoo.convert(tmp_path / "s", tmp_path / form / "m", to=form).target.path
        with zoo.load(path).session() as session:
            found = {name: session.graph.get_collection(name) for name in [*kinds, "nodes"]}
            assert found["floats"] == [0.5]
            assert found["ints"] == [7]
            assert found["texts"] in (["seven"], [b"seven"])
            assert session.run(found["nodes"][0]) == 2.0
    with pytest.raises(zoo.ZooError) as caught:
        zoo.convert(tmp_path / "s", tmp_path / "net.pb", to="frozen")
    assert caught.value.found == "floats, ints, texts"
    zoo.convert(tmp_path / "s", tmp_path / "net.pb", to="frozen", drop_collections=True)


def test_signatures_by_name(tf, tmp_path):
    """Built from names, for Serving's layout, and called by TensorFlow's own tool."""
    zoo.convert(
        "toy-adder",
        tmp_path / "adder" / "1",
        to="saved_model",
        inputs={"left": "w1:0", "right": "w2:0"},
        outputs={"sum": "op_to_restore:0"},
        signature="add",
    )
    command = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", "run"]
    command += ["--dir", tmp_path / "adder" / "1", "--tag_set", "serve", "--signature_def", "add"]
    command += ["--input_exprs", "left=[13.0];right=[17.0]"]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "[60.]" in done.stdout
    call = tf.saved_model.load(str(tmp_path / "adder" / "1")).signatures["add"]
    assert call(left=tf.constant(13.0), right=tf.constant(17.0))["sum"] == 60.0
    assert zoo.load(tmp_path / "adder").run("sum", {"left": 4, "right": 8}, signature="add") == 24.0


def test_devices(tf):
    """All operations on one, or on none; a name that is none is told."""
    model = zoo.load("toy-adder")

    with model.placed("/cpu:0").session() as session:
        operation = session.graph.get_operation_by_name
        devices = {operation(node.name).device for node in model.graph.node}
    assert devices == {"/device:CPU:0"}
    assert {n.device for n in model.placed("/cpu:0").placed(None).graph.node} == {""}
    with pytest.raises(UsageError):
        model.placed("the fast one")


def test_a_configuration_reaches_the_session(tf):
    """As ``tf.Session(config=...)``."""
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1)

    with zoo.load("toy-adder").session(config) as session:
        assert session._config.intra_op_parallelism_threads == 1


def test_bad_uses_are_one_error_each(tf, theirs, tmp_path):
    """An unknown variable, shapes that differ, a folder without a checkpoint, a name of nothing."""
    prefix = theirs(tmp_path / "s")
    model = zoo.load(prefix)
    with pytest.raises(UnknownNameError) as caught:
        zoo.save(model, tmp_path / "o", "checkpoint", weights=["aa"])
    assert "'a'" in caught.value.hint

    zoo.save(model, tmp_path / "swapped", "checkpoint", weights={"a": "b", "b": "a"})
    with pytest.raises(FormatError, match="does not fit") as caught:
        zoo.load(tmp_path / "swapped", graph=f"{prefix}.meta")
    assert "float32 [2]" in caught.value.found

    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="holds no model"):
        zoo.load(tmp_path / "empty")
    (tmp_path / "empty" / "checkpoint").write_text('model_checkpoint_path: "gone"\n')
    with pytest.raises(FormatError, match="not in its folder"):
        zoo.load(tmp_path / "empty", format="checkpoint")
