"""What a conversion replaces: nothing unless asked, then all of it; the source itself too."""

import shutil

import numpy as np
import pytest

import zoo
import zoo_checkpoint
import zoo_frozen
import zoo_saved_model
from zoo.errors import WriteError
from zoo.samples import sample_model
from zoo.tensors import ArrayTensor

FORMS = ("checkpoint", "frozen", "saved_model")
SAVE = {
    "checkpoint": zoo_checkpoint.save,
    "frozen": zoo_frozen.save,
    "saved_model": zoo_saved_model.save,
}
OTHERS = [(a, b) for a in FORMS for b in FORMS if a != b]


def saved(path, form, seed=0):
    """Return the values of a model of 200 kB, saved at `path`."""
    kernel = np.random.default_rng(seed).normal(size=(25_000, 2)).astype(np.float32)
    SAVE[form](sample_model(kernel=ArrayTensor.of(kernel)), path)
    return kernel


def held(path, form):
    """Return the values of the model at `path`."""
    model = zoo.load(path, format=form)
    return model.weights["dense/kernel"]


def contents(folder):
    """Return the bytes of all files in `folder`, what is hidden too."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_there_is_replaced_if_asked(tmp_path, form):
    """Else it stays as it was; and nothing of it is left if it is."""
    saved(tmp_path / "m", form)
    before = contents(tmp_path)
    new = saved(tmp_path / "new" / "m", form, seed=1)
    wanted = contents(tmp_path / "new")

    with pytest.raises(WriteError, match="exists"):
        zoo.convert(tmp_path / "new" / "m", tmp_path / "m", to=form)
    assert before.items() <= contents(tmp_path).items()

    zoo.convert(tmp_path / "new" / "m", tmp_path / "m", to=form, force=True)
    np.testing.assert_array_equal(held(tmp_path / "m", form), new)
    shutil.rmtree(tmp_path / "new")
    assert contents(tmp_path) == wanted


@pytest.mark.parametrize("form", FORMS)
def test_a_model_takes_its_own_place(tmp_path, form):
    """Though its weights are read while it is written."""
    kernel = saved(tmp_path / "m", form)
    before = contents(tmp_path)

    done = zoo.convert(tmp_path / "m", tmp_path / "m", to=form, force=True)

    assert contents(tmp_path) == before
    np.testing.assert_array_equal(held(tmp_path / "m", form), kernel)
    np.testing.assert_array_equal(done.source.model.weights["dense/kernel"], kernel)


@pytest.mark.parametrize("force", [False, True])
def test_a_file_at_the_prefix_of_a_checkpoint(tmp_path, force):
    """It would stay beside the files of the checkpoint, and nobody could tell what is meant."""
    saved(tmp_path / "m", "frozen")
    before = contents(tmp_path)

    with pytest.raises(WriteError, match="is a file, where the prefix"):
        zoo.convert(tmp_path / "m", tmp_path / "m", to="checkpoint", force=force)

    assert contents(tmp_path) == before


def test_a_file_makes_room_for_a_folder(tmp_path):
    """A model in one file is replaced by what it is itself converted to."""
    form = "saved_model"
    kernel = saved(tmp_path / "m", "frozen")

    with pytest.raises(WriteError, match="exists"):
        zoo.convert(tmp_path / "m", tmp_path / "m", to=form)
    zoo.convert(tmp_path / "m", tmp_path / "m", to=form, force=True)

    assert not (tmp_path / "m").is_file()
    np.testing.assert_array_equal(held(tmp_path / "m", form), kernel)
    assert zoo.inspect(tmp_path / "m")["format"] == form
    assert not [name for name in contents(tmp_path) if name.startswith(".")]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(("there", "form"), [pair for pair in OTHERS if pair[0] != "frozen"])
def test_a_model_of_several_files_in_another_format(tmp_path, there, form, force):
    """It is not mixed with another one, whatever was asked; what to do is said."""
    saved(tmp_path / "m", there)
    before = contents(tmp_path)

    with pytest.raises(WriteError, match="a model in another format") as caught:
        zoo.convert(tmp_path / "m", tmp_path / "m", to=form, force=force)

    assert caught.value.found == there
    assert contents(tmp_path) == before


@pytest.mark.parametrize("form", ["frozen", "saved_model"])
def test_a_link_stays(tmp_path, form):
    """What it leads to is replaced, in the folder where that lies."""
    saved(tmp_path / "far" / "m", form)
    (tmp_path / "link").symlink_to("far/m")

    kernel = saved(tmp_path / "new", form, seed=1)
    zoo.convert(tmp_path / "new", tmp_path / "link", to=form, force=True)

    assert (tmp_path / "link").is_symlink()
    np.testing.assert_array_equal(held(tmp_path / "far" / "m", form), kernel)
    assert [path.name for path in (tmp_path / "far").iterdir()] == ["m"]


def test_links_of_a_checkpoint_become_files(tmp_path):
    """What they lead to, in a store of files perhaps, is not written to."""
    saved(tmp_path / "far" / "m", "checkpoint")
    (tmp_path / "here").mkdir()
    for path in (tmp_path / "far").glob("m.*"):
        (tmp_path / "here" / path.name).symlink_to(path)
    before = contents(tmp_path / "far")

    kernel = saved(tmp_path / "new", "frozen", seed=1)
    zoo.convert(tmp_path / "new", tmp_path / "here" / "m", to="checkpoint", force=True)

    assert contents(tmp_path / "far") == before
    assert not any(path.is_symlink() for path in (tmp_path / "here").iterdir())
    np.testing.assert_array_equal(held(tmp_path / "here" / "m", "checkpoint"), kernel)


def test_a_checkpoint_of_before_2016(fixtures, tmp_path):
    """Its one file, called by the prefix, is gone when today's files are there."""
    for path in (fixtures / "tf-tfprof-v1ckpt").iterdir():
        shutil.copy(path, tmp_path)
    assert (tmp_path / "ckpt").is_file()
    old = zoo.load(tmp_path / "ckpt", format="checkpoint")
    values = {name: old.weights[name].copy() for name in old.weights}

    zoo.convert(tmp_path / "ckpt", tmp_path / "ckpt", to="checkpoint", force=True)

    assert not (tmp_path / "ckpt").exists()
    new = zoo.load(tmp_path / "ckpt", format="checkpoint")
    for name, value in values.items():
        np.testing.assert_array_equal(new.weights[name], value)


def test_what_is_left_out_of_itself(fixtures, tmp_path):
    """It is told, though after the conversion nobody could see it any more."""
    source = fixtures / "made-here-gaps" / "three_metagraphs"
    shutil.copytree(source, tmp_path / "m")
    (tmp_path / "m" / "notes.txt").touch()

    done = zoo.convert(tmp_path / "m", tmp_path / "m", to="saved_model", force=True)

    assert any("notes.txt" in note for note in done.repairs)
    assert any("other tags" in note for note in done.repairs)
