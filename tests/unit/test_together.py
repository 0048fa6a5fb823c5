"""Files that change together: readers find all of the old or all of the new."""

import errno
import os
import stat

import pytest

from zoo import drafts
from zoo.errors import DiskError, WriteError
from zoo.together import publish_all

NAMES = ("meta", "data", "index")
NEW = dict.fromkeys((*NAMES, "pointer"), "new")


def written(folder, text, names=(*NAMES, "pointer")):
    """Return `folder` with files of these names, all with the same text."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(text)
    return folder


def names(folder):
    """Return what lies in `folder`, what is hidden too."""
    return sorted(path.name for path in folder.iterdir())


def found(folder):
    """Return what a reader finds in `folder`, by name; what is hidden is not looked for."""
    return {p.name: p.read_text() for p in folder.iterdir() if p.is_file() and p.name[0] != "."}


def published(folder, files=NAMES, stale=()):
    """Publish new files in `folder`."""
    with drafts.drafting(folder, "m") as draft:
        written(draft, "new", (*files, "pointer"))
        publish_all(draft, folder, files, pointer="pointer", stale=stale)


def without_links(monkeypatch):
    """Have a file system that has no links."""

    def refuse(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("os.symlink", refuse)
    monkeypatch.setattr("os.link", refuse)


@pytest.mark.parametrize("links", [True, False])
def test_files_take_the_place_of_others(tmp_path, monkeypatch, links):
    """Those that have no successor are gone; what is no part of it stays."""
    if not links:
        without_links(monkeypatch)
    written(tmp_path, "old", ("data", "index", "pointer", "stale", "other"))

    published(tmp_path, stale=["stale"])

    assert found(tmp_path) == NEW | {"other": "old"}
    assert names(tmp_path) == sorted(found(tmp_path))
    assert not any(path.is_symlink() for path in tmp_path.iterdir())


def failing_at(number):
    """Return a rename of which the one of this number fails."""
    real, calls = os.replace, []

    def replace(source, target):
        calls.append(target)
        if len(calls) == number:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    return replace


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("before", [(), (*NAMES, "pointer", "stale")])
def test_a_step_that_fails(tmp_path, monkeypatch, before, links):
    """Whichever it is, everything is as it was; or it is new, and nothing failed."""
    if not links:
        without_links(monkeypatch)
    outcomes = set()
    for number in range(1, 20):
        folder = written(tmp_path / str(number), "old", before)
        with monkeypatch.context() as patch:
            patch.setattr("os.replace", failing_at(number))
            try:
                published(folder, stale=[name for name in before if name == "stale"])
            except DiskError:
                assert found(folder) == dict.fromkeys(before, "old")
                assert names(folder) == sorted(before)
                outcomes.add("old")
            else:
                assert found(folder) == NEW
                outcomes.add("new")
    assert outcomes == {"old", "new"}


def test_only_one_rename_changes_what_readers_find(tmp_path, monkeypatch):
    """Before it everything is old, after it everything is new."""
    old = found(written(tmp_path, "old", (*NAMES, "pointer", "stale")))
    states, real = [], os.replace

    def replace(source, target):
        real(source, target)
        states.append(found(tmp_path))

    monkeypatch.setattr("os.replace", replace)
    published(tmp_path, stale=["stale"])

    turn = states.index(NEW)
    assert 4 < turn < len(states) - 1
    assert states == [old] * turn + [NEW] * (len(states) - turn)


def test_what_a_dead_process_left_is_settled(tmp_path, monkeypatch):
    """Until then what it published is found by way of links."""
    written(tmp_path, "old")
    with monkeypatch.context() as patch:
        patch.setattr(drafts, "settle", lambda *_: None)
        published(tmp_path)
    assert found(tmp_path) == NEW
    assert (tmp_path / "meta").is_symlink()

    published(tmp_path, files=["data", "index"])

    assert found(tmp_path) == NEW
    assert names(tmp_path) == sorted(found(tmp_path))
    assert not any(path.is_symlink() for path in tmp_path.iterdir())


def test_permissions_stay(tmp_path):
    """Of those files that were there."""
    written(tmp_path, "old")
    (tmp_path / "data").chmod(0o600)

    published(tmp_path)

    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o600


@pytest.mark.parametrize("failing", [False, True])
def test_what_was_a_link(tmp_path, monkeypatch, failing):
    """It becomes a file, what it led to is not touched; if a step fails it leads there again."""
    (tmp_path / "data").write_text("far")
    folder = written(tmp_path / "folder", "old", ("index",))
    (folder / "data").symlink_to("../data")
    if failing:
        monkeypatch.setattr("os.replace", failing_at(4))

    try:
        published(folder)
    except DiskError:
        assert failing

    assert found(folder)["data"] == ("far" if failing else "new")
    assert (folder / "data").is_symlink() == failing
    assert (tmp_path / "data").read_text() == "far"


@pytest.mark.parametrize("name", ["data", "pointer"])
@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_no_file_replaces(tmp_path, name, kind):
    """A pipe has its readers, a folder what is in it; no file is moved then."""
    (tmp_path / name).mkdir() if kind == "folder" else os.mkfifo(tmp_path / name)

    with pytest.raises(WriteError, match=f"is a {kind}"):
        published(tmp_path)

    assert names(tmp_path) == [name]
