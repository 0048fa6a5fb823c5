"""Files and folders are there whole or not at all."""

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from zoo import atomic, disk
from zoo.errors import DiskError, UnsupportedError, WriteError


def test_a_file_appears_whole(tmp_path):
    """The name exists when the block has ended, and folders on the way are made."""
    target = tmp_path / "new" / "file"

    with atomic.replacing(target) as draft:
        draft.write_text("all")
        assert not target.exists()

    assert target.read_text() == "all"
    assert list(target.parent.iterdir()) == [target]


def test_a_folder_takes_the_place_of_a_folder(tmp_path):
    """What was in the old folder is gone with it."""
    target = tmp_path / "model"
    target.mkdir()
    (target / "old").touch()

    with atomic.replacing(target) as draft:
        draft.mkdir()
        (draft / "new").touch()

    assert [path.name for path in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["new", "old", "now", "gone", "link"])
@pytest.mark.parametrize("exchanging", [True, False])
def test_no_name_is_special(tmp_path, monkeypatch, name, exchanging):
    """Also not one that a folder in a room has."""
    watched(monkeypatch, exchanging)
    for text in ("first", "second"):
        with atomic.replacing(tmp_path / name) as draft:
            draft.mkdir()
            (draft / "file").write_text(text)
    with pytest.raises(KeyError), atomic.replacing(tmp_path / name) as draft:
        draft.mkdir()
        (draft / "half").touch()
        raise KeyError

    assert (tmp_path / name / "file").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_failing_block_leaves_the_old(tmp_path, kind):
    """An error in the block leaves what was there, and no draft."""
    target = tmp_path / "model"
    target.mkdir() if kind == "folder" else target.write_text("old")
    before = list(tmp_path.iterdir())

    with pytest.raises(KeyError), atomic.replacing(target) as draft:
        draft.write_text("half")
        raise KeyError

    assert list(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("exchanging", [True, False])
def test_a_folder_takes_the_place_of_what_is_there(tmp_path, monkeypatch, kind, exchanging):
    """In one step where the file system can do that, else in two, and nothing else is left."""
    target = tmp_path / "model"
    target.mkdir() if kind == "folder" else target.write_text("old")
    seen = watched(monkeypatch, exchanging)

    with atomic.replacing(target) as draft:
        draft.mkdir()
        (draft / "new").touch()

    assert seen == [exchanging]
    assert [path.name for path in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


def watched(monkeypatch, exchanging):
    """Return what comes of each exchange from now on; without `exchanging` there is none."""
    seen, real = [], disk.exchange

    def exchange(one, other):
        seen.append(exchanging and real(one, other))
        return seen[-1]

    monkeypatch.setattr(disk, "exchange", exchange)
    return seen


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_failing_rename_brings_the_old_back(tmp_path, monkeypatch, kind):
    """Where it has to be set aside, that is for a moment only."""
    target = tmp_path / "model"
    target.mkdir() if kind == "folder" else target.write_text("old")
    before = target.stat().st_ino
    watched(monkeypatch, exchanging=False)
    monkeypatch.setattr("os.replace", full)

    with pytest.raises(DiskError), atomic.replacing(target) as draft:
        draft.mkdir()

    assert target.stat().st_ino == before
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_permissions_stay(tmp_path, kind):
    """What was private is not opened to all by its successor."""
    target = tmp_path / "model"
    target.mkdir() if kind == "folder" else target.touch()
    target.chmod(0o700)

    with atomic.replacing(target) as draft:
        draft.mkdir() if kind == "folder" else draft.touch()

    assert stat.S_IMODE(target.stat().st_mode) == 0o700


def full(*_):
    raise OSError(28, "No space left on device")


def test_a_full_disk_says_so(tmp_path):
    """ENOSPC is exit code 74, with what to do."""
    with pytest.raises(DiskError) as caught, atomic.replacing(tmp_path / "file"):
        full()

    assert "No space left" in caught.value.found
    assert caught.value.code == 74


def test_a_file_does_not_replace_a_folder(tmp_path):
    """A folder full of things is not lost to a file of its name."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "photo").touch()

    with pytest.raises(WriteError), atomic.replacing(tmp_path / "precious") as draft:
        draft.touch()

    assert (tmp_path / "precious" / "photo").exists()


def test_a_folder_that_cannot_be_made_is_a_write_error(tmp_path):
    """A file where a folder should be is exit code 73."""
    (tmp_path / "file").touch()

    with pytest.raises(WriteError), atomic.replacing(tmp_path / "file" / "model"):
        pass


def test_errors_of_ours_pass_unchanged(tmp_path):
    """Only what the operating system says is translated."""
    with pytest.raises(UnsupportedError), atomic.replacing(tmp_path / "file"):
        raise UnsupportedError("no")


def test_a_link_stays_a_link(tmp_path):
    """What it leads to is replaced, a folder or a file."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with atomic.replacing(tmp_path / "link") as draft:
        draft.mkdir()
        (draft / "new").touch()

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "new").exists()


def test_folders_made_for_nothing_go(tmp_path):
    """A write that fails leaves no empty folders behind; one that was there stays."""
    with pytest.raises(ValueError, match="stop"), atomic.replacing(tmp_path / "a" / "b" / "c"):
        raise ValueError("stop")

    assert list(tmp_path.iterdir()) == []


def test_links_in_a_circle(tmp_path):
    """They lead nowhere, and are left."""
    (tmp_path / "a").symlink_to(tmp_path / "a")

    with pytest.raises(WriteError, match="leads to itself"), atomic.replacing(tmp_path / "a"):
        pass
    assert (tmp_path / "a").is_symlink()


@pytest.fixture
def pipe(tmp_path):
    """Return a pipe that has a name."""
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_what_is_written_into_a_pipe_comes_out_of_it(pipe):
    """It stays a pipe, and its reader gets all of it, once it is whole."""
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()

    with atomic.receiving(pipe) as file:
        file.write(b"al")
        file.seek(0)
        file.write(b"a" * 100_000)

    reader.join(20)
    assert read == [b"a" * 100_000]
    assert pipe.is_fifo()


def test_a_block_that_fails_sends_nothing(pipe):
    """Nobody has to read the pipe for that."""
    with pytest.raises(KeyError), atomic.receiving(pipe) as file:
        file.write(b"half")
        raise KeyError

    assert pipe.is_fifo()


def test_a_device_that_is_full(tmp_path):
    """It says so, and the link to it stays what it is."""
    (tmp_path / "link").symlink_to("/dev/full")

    with pytest.raises(DiskError), atomic.receiving(tmp_path / "link") as file:
        file.write(b"all")

    assert (tmp_path / "link").readlink() == Path("/dev/full")


def test_what_is_received_replaces_a_file(tmp_path):
    """A file that is there, or is not, is whole afterwards."""
    for _ in range(2):
        with atomic.receiving(tmp_path / "file") as file:
            file.write(b"all")

    assert (tmp_path / "file").read_bytes() == b"all"


@pytest.mark.parametrize("name", ["no/such/file", "link"])
def test_no_folder_is_made_for_what_is_received(tmp_path, name):
    """A folder with a wrong name is more likely than one that is to be made."""
    (tmp_path / "link").symlink_to(tmp_path / "no" / "file")

    refused = pytest.raises(WriteError, match="could not be written")
    with refused as caught, atomic.receiving(tmp_path / name):
        pass

    assert "mkdir -p" in caught.value.hint
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("way", ["pipe", "link"])
def test_a_file_does_not_replace_a_pipe(tmp_path, pipe, way):
    """Programs wait at it, and would wait for ever."""
    (tmp_path / "link").symlink_to(pipe)

    with pytest.raises(WriteError, match="is a pipe"), atomic.replacing(tmp_path / way) as draft:
        draft.touch()

    assert pipe.is_fifo()
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "link"}


def test_a_pipe_that_came_meanwhile(tmp_path):
    """It is no more replaced than one that was there."""
    with pytest.raises(WriteError, match="is a pipe"), atomic.replacing(tmp_path / "p") as draft:
        draft.touch()
        os.mkfifo(tmp_path / "p")

    assert [path.is_fifo() for path in tmp_path.iterdir()] == [True]


def test_a_file_does_not_replace_a_socket(tmp_path, monkeypatch):
    """Nor can one be written into."""
    monkeypatch.chdir(tmp_path)  # addresses are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        with pytest.raises(WriteError, match="is a socket"), atomic.replacing(tmp_path / "s"):
            pass
        with pytest.raises(WriteError, match="not be written"), atomic.receiving(tmp_path / "s"):
            pass

    assert (tmp_path / "s").is_socket()
