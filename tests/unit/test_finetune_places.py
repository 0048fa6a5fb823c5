"""Where a result goes is looked at before training, and all of it comes there, or nothing."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import zoo_frozen
import zoo_saved_model
from zoo import cli, protos
from zoo.errors import BusyError, DiskError, UnsupportedError, UsageError, WriteError
from zoo.layers import Head
from zoo.library import Library
from zoo.model import Model
from zoo.samples import sample_model
from zoo.tensors import ArrayTensor
from zoo_finetune import runs, trial
from zoo_finetune.finetuning import Trained
from zoo_finetune.progress import Epoch
from zoo_finetune.recipe import Recipe
from zoo_finetune.trial import Trial

KERNEL = ArrayTensor.of(np.ones((3, 2), np.float32))
BIAS = ArrayTensor.of(np.zeros(2, np.float32))
NET = sample_model(KERNEL, BIAS)
HEAD = Head("x:0", "dense/BiasAdd:0", ("dense/kernel", "dense/bias"), 2, "")
BESIDE = {"recipe.yaml", "report", "report.json", "report.md", "README.md"}


@pytest.fixture
def training(monkeypatch, tmp_path):
    """Have a training that takes no time; return a list that says whether there was one."""
    monkeypatch.chdir(tmp_path)
    zoo_frozen.save(NET, tmp_path / "base.pb")
    (tmp_path / "data").mkdir()
    begun = []

    def of_opened(opened, data, recipe, *, state, tried, **_):
        untrained = Trained(NET, HEAD, [], -1, 0, ("even", "odd"))
        tried(untrained)
        if not recipe.epochs:
            return untrained
        begun.append(data)
        (state / "state.npz").write_text("far")
        return replace(untrained, epochs=[Epoch(0.5, 0.9, None, None, 1.0)], best_epoch=0)

    monkeypatch.setattr(runs, "of_opened", of_opened)
    return begun


def run(dest, form="frozen", epochs=1, **options):
    wanted = runs.Run("base.pb", Path("data"), Path(dest), Recipe(2, epochs=epochs), form)
    return runs.done(Library(), replace(wanted, **options))


def files(folder="."):
    """Return the paths of all that is in the folder, but for what a report is made of."""
    names = {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*")}
    return {name for name in names if "report/" not in name}


@pytest.mark.parametrize("dest", ["", ".", "..", "/", "data/.."])
def test_what_names_no_result(training, dest):
    """A folder that is there under any name."""
    before = files()

    with pytest.raises(WriteError, match="names no result"):
        run(dest)

    assert (files(), training) == (before, [])


def test_it_is_told_to_people(training, capsys):
    """By an exit code, not by a traceback."""
    assert cli.run(["finetune", "base.pb", "data", ".", "--outputs", "2"]) == 73
    assert "names no result" in capsys.readouterr().err


@pytest.fixture
def taken(training, tmp_path):
    """Have all that can be in the way of a result."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    zoo_saved_model.save(NET, tmp_path / "served")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "report.md").write_text("# Of our own\n")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "into").symlink_to("data/sub/net.pb")
    (tmp_path / "data" / "sub").write_text("a file")
    return training


@pytest.mark.parametrize(
    ("dest", "form", "said"),
    [
        ("full", "saved_model", "something else in it"),
        ("full", "frozen", "something else in it"),
        ("full/.", "frozen", "something else in it"),
        ("empty", "frozen", "a folder, where a file"),
        ("served", "frozen", "a model in another format"),
        ("/dev/null", "frozen", "is a device"),
        ("/dev/null", "checkpoint", "is a device"),
        ("pipe", "saved_model", "is a pipe"),
        ("base.pb/net.pb", "frozen", "could not be written"),
        ("into", "frozen", "could not be written"),
        ("theirs/net.pb", "frozen", "report.md would be replaced"),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_what_cannot_be_written_is_told_before_training(taken, dest, form, said, force):
    """And nothing is left; --force replaces no more than a result."""
    before = files()

    with pytest.raises(WriteError, match=said) as caught:
        run(dest, form, force=force)

    assert (files(), taken) == (before, [])
    assert not Path("/dev/.null.training").exists()
    assert "zoo-" not in str(caught.value)


def test_a_new_folder_goes_where_nothing_came_into_it(training, monkeypatch):
    """As many as were made."""
    monkeypatch.setattr(runs, "of_opened", lambda *_, **__: busy())

    with pytest.raises(BusyError):
        run("a/b/net.pb")

    assert not Path("a").exists()


@pytest.mark.parametrize("dest", ["net.keras", "net.h5", "net.HDF5"])
def test_a_keras_file_is_not_written(training, dest):
    """Nor is a folder of that name, unless its format is asked for."""
    with pytest.raises(UnsupportedError, match="the name of a Keras file"):
        run(dest, None)
    assert training == []

    assert run(dest, "saved_model").form == "saved_model"


def test_what_lies_there_afterwards(training):
    """The model and what tells of it; the state and the rooms are gone."""
    before = files()

    run("new/net.pb")
    run("served", "saved_model")

    assert files("new") == {"net.pb", *BESIDE}
    assert files("served") >= {"saved_model.pb", *BESIDE}
    assert {name for name in files() - before if "/" not in name} == {"new", "served"}


@pytest.mark.parametrize("step", ["model", "record", "report"])
def test_a_disk_that_is_full_leaves_nothing(training, monkeypatch, step):
    """But the state, from which --resume goes on; whichever of the files does not fit."""

    def there():
        """Return the bytes of each file."""
        return {name: Path(name).read_bytes() for name in files() if Path(name).is_file()}

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    run("net.pb")
    before = there()
    owner, name = {
        "model": (Trial, "save"),
        "record": (runs.results.run_record, "write"),
        "report": (runs.results.report.report_page, "page"),
    }[step]
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, full)
        with pytest.raises(DiskError, match="could not be written") as caught:
            run("net.pb", force=True)

    assert caught.value.hint.endswith("nothing was left half-written; what was learned is kept,"
                                      " and --resume goes on from there")  # fmt: skip
    assert there() == {**before, ".net.pb.training/state.npz": b"far"}
    run("net.pb", force=True, resume=True)
    assert there().keys() == before.keys()


def test_a_file_becomes_a_folder(training):
    """With --force; what told of the file goes, a page that a person wrote stays."""
    run("new/net")
    run("new/net", "saved_model", force=True)
    assert {name for name in files("new") if "/" not in name} == {"net"}

    run("own/net")
    Path("own/README.md").write_text("mine")
    run("own/net", "saved_model", force=True)
    assert {name for name in files("own") if "/" not in name} == {"net", "README.md"}
    Path("own/net/README.md").write_text("mine too")
    done = run("own/net", "saved_model", force=True)
    assert Path("own/net/README.md").read_text() == "mine too"
    assert any("a person wrote it" in note for note in done.notes)


def test_an_untrained_net_has_no_record(training):
    """That of the net it replaced told of other weights."""
    run("new/net.pb")

    run("new/net.pb", epochs=0, force=True)

    assert files("new") == {"net.pb"}


def test_a_record_of_another_place_stays(training):
    """One that tells of the folder around, which has the same name."""
    run("net", "saved_model")

    run("net/net", "saved_model", epochs=0)

    assert files("net") >= BESIDE


def test_a_name_that_cannot_be_given(training, monkeypatch):
    """Of another net: before training.  Else the model is there, and how to name it is said."""
    run("one/net.pb", name="mine")
    with monkeypatch.context() as patched:
        patched.setattr(runs.naming, "require_same", lambda *_, **__: None)
        patched.setattr(runs.naming, "register", lambda *_, **__: busy())
        with pytest.raises(BusyError, match="registry") as caught:
            run("two/net.pb", name="mine:v2")
    assert caught.value.hint.endswith("`zoo add two/net.pb --name mine:v2` gives it its name")
    assert files("two") == {"net.pb", *BESIDE}
    del training[:]

    monkeypatch.setattr(trial.naming, "_facts", lambda *_: {"labels": ["other"]})
    with pytest.raises(UsageError, match="is another net"):
        run("three/net.pb", name="mine:v3")

    assert training == []
    assert not Path("three").exists()


def test_what_was_not_trained_is_not_registered(training):
    """There is nothing to tell of it; how to name it is said."""
    (note,) = run("net.pb", epochs=0, name="mine").notes[-1:]

    assert note.startswith("not registered, as nothing was trained: `zoo add net.pb --name mine`")


def busy():
    raise BusyError("registry is in use")


def test_who_is_busy_says_what_to_do(training):
    """The result is named, and two ways out."""
    first = runs.Run("base.pb", Path("data"), Path("net.pb"), Recipe(2))

    with runs._state(first), pytest.raises(BusyError, match=r"net\.pb is the result") as caught:
        run("net.pb")

    assert caught.value.hint == "wait until it has ended, or name another DEST"


def narrow():
    """Return a model with a single output of another width."""
    return sample_model(
        ArrayTensor.of(np.ones((3, 1), np.float32)), ArrayTensor.of(np.zeros(1, np.float32))
    )


def nameless():
    """Return a model whose output is gone."""
    meta_graph = protos.MetaGraphDef()
    meta_graph.CopyFrom(NET.meta_graph)
    (one,) = (node for node in meta_graph.graph_def.node if node.name == "probabilities")
    one.name = "other"
    return Model(meta_graph, NET.weights)


@pytest.mark.parametrize("form", ["frozen", "saved_model", "checkpoint"])
@pytest.mark.parametrize("other", [narrow, nameless])
def test_a_format_that_keeps_another_model_is_found_out(training, monkeypatch, form, other):
    """What is read again must give what was meant, before hours are spent on it."""
    tried = Trial(Library(), Path("new/net"), form, {})
    good = Trained(NET.renamed(outputs={"probabilities": "said"}), HEAD, [], -1, 0, ())
    tried(good)
    assert not Path("new/net").exists()
    chosen = type(tried)._format.fget(tried)
    wrong = replace(chosen, save=lambda model, path, **o: chosen.save(other(), path, **o))
    monkeypatch.setattr(Trial, "_format", wrong)

    with pytest.raises(UnsupportedError, match=f"{form} does not keep what the model gives"):
        tried(good)


def test_a_trial_leaves_the_folder_as_it_was(training):
    """Also where a result is there already."""
    run("new/net.pb")
    before = files("new")

    Trial(Library(), Path("new/net.pb"), "frozen", {})(Trained(NET, HEAD, [], -1, 0, ()))

    assert files("new") == before
