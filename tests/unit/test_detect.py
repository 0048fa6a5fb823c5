"""What lies at a path is found out by its contents."""

import dataclasses
import shutil

import pytest

import zoo_checkpoint
import zoo_frozen
import zoo_saved_model
from zoo import plugins
from zoo.detect import detect, size_of
from zoo.errors import FormatError, UnknownNameError, UsageError
from zoo.samples import sample_model

FORMS = plugins.formats(plugins.installed())


@pytest.fixture
def models(tmp_path):
    zoo_checkpoint.save(sample_model(), tmp_path / "ckpt" / "model-7")
    zoo_frozen.save(sample_model(), tmp_path / "net.txt")
    zoo_saved_model.save(sample_model(), tmp_path / "served" / "00000123")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "form", "called"),
    [
        ("ckpt/model-7", "checkpoint", "ckpt/model-7"),
        ("ckpt/model-7.index", "checkpoint", "ckpt/model-7"),
        ("ckpt/model-7.meta", "checkpoint", "ckpt/model-7"),
        ("ckpt/model-7.data-00000-of-00001", "checkpoint", "ckpt/model-7"),
        ("ckpt", "checkpoint", "ckpt"),
        ("net.txt", "frozen", "net.txt"),
        ("served/00000123", "saved_model", "served/00000123"),
        ("served/00000123/saved_model.pb", "saved_model", "served/00000123/saved_model.pb"),
        ("served", "saved_model", "served/00000123"),
    ],
)
def test_every_way_to_name_a_model(models, path, form, called):
    """A prefix, any of its files, a folder, a folder with one model in it, a file of any name."""
    found = detect(models / path, FORMS)

    assert (found.form.name, found.path) == (form, models / called)


def test_a_folder_without_its_checkpoint_file(models):
    """A folder that holds one model is that model, counted once for all its files."""
    (models / "ckpt" / "checkpoint").unlink()
    assert detect(models / "ckpt", FORMS).path == models / "ckpt"

    zoo_checkpoint.save(sample_model(), models / "ckpt" / "model-8")
    (models / "ckpt" / "checkpoint").unlink()
    with pytest.raises(UsageError) as caught:
        detect(models / "ckpt", FORMS)
    assert caught.value.found == "model-7, model-8"


def test_several_models_are_listed(models):
    """Nobody guesses among several."""
    with pytest.raises(UsageError) as caught:
        detect(models, FORMS)

    assert caught.value.found == "ckpt, net.txt, served/00000123"


def test_nothing_gets_its_neighbours(models):
    """A slip in a path is told with what is there."""
    with pytest.raises(UnknownNameError) as caught:
        detect(models / "nett.txt", FORMS)
    assert "net.txt" in caught.value.hint
    with pytest.raises(UnknownNameError) as caught:
        detect(models / "gone" / "net.txt", FORMS)
    assert "no folder" in caught.value.found


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "an empty file"),
        (b"<!doctype html><html>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"PK\x03\x04", "zip"),
        (b"just text", "a text of 9 bytes, which begins 'just text'"),
    ],
)
def test_what_is_no_model_is_named(tmp_path, data, words):
    """By its contents, whatever its name says."""
    (tmp_path / "model.pb").write_bytes(data)

    with pytest.raises(FormatError) as caught:
        detect(tmp_path / "model.pb", FORMS)

    assert words in caught.value.found


def test_a_folder_of_other_things(tmp_path):
    """A folder without a model says what is in it."""
    (tmp_path / "notes.md").write_text("hello")

    with pytest.raises(FormatError) as caught:
        detect(tmp_path, FORMS)

    assert caught.value.found == "notes.md"


def test_formats_that_both_claim_a_path(models):
    """Two formats that recognise one file are told, not chosen between."""
    twice = {**FORMS, "other": FORMS["frozen"]}

    with pytest.raises(UsageError, match="several formats"):
        detect(models / "net.txt", twice)


def test_sizes(models):
    """A file, a folder, all files of a prefix."""
    assert size_of(models / "net.txt") == (models / "net.txt").stat().st_size
    files = [p for p in (models / "ckpt").iterdir() if p.name != "checkpoint"]
    assert size_of(models / "ckpt" / "model-7") == sum(p.stat().st_size for p in files)
    shutil.rmtree(models / "served" / "00000123" / "variables")
    assert size_of(models / "served") == (models / "served/00000123/saved_model.pb").stat().st_size


def test_the_highest_version_is_served(models):
    """TensorFlow Serving's layout: ``name/1``, ``name/2``, ``name/10``."""
    for version in ("2", "10"):
        zoo_saved_model.save(sample_model(), models / "versions" / version)

    assert detect(models / "versions", FORMS).path == models / "versions" / "10"
    zoo_saved_model.save(sample_model(), models / "versions" / "draft")
    with pytest.raises(UsageError, match="several models"):
        detect(models / "versions", FORMS)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_names_that_no_system_takes(tmp_path, name):
    """Too long, or with a NUL in it."""
    with pytest.raises(UnknownNameError):
        detect(tmp_path / name, FORMS)


def test_a_format_that_fails_costs_only_itself(models):
    """A stranger's format may raise anything at a file it does not know."""

    def fail(path):
        raise RuntimeError("boom")

    bad = dataclasses.replace(FORMS["frozen"], name="bad", recognises=fail)

    with pytest.warns(UserWarning, match="the format bad failed"):
        assert detect(models / "net.txt", {"bad": bad, **FORMS}).form.name == "frozen"
