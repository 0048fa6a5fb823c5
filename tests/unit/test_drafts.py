"""Rooms of the dead are cleared away, those of the living are not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from zoo import atomic, disk, drafts

BEGUN = """
import os, signal, sys
from pathlib import Path
from zoo import drafts
with drafts.drafting(Path(sys.argv[1]), "m") as room:
    (room / "draft").write_text("half")
    print(room.parent, flush=True)
    os.kill(os.getpid(), int(sys.argv[2]))
"""


def begun(folder, number):
    """Return a process that began a draft and then got a signal, and its room."""
    command = [sys.executable, "-c", BEGUN, str(folder), str(int(number))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    room = process.stdout.readline().strip()
    process.stdout.close()
    return process, Path(room)


def names(folder):
    """Return what lies in `folder`, what is hidden too."""
    return sorted(path.name for path in folder.iterdir())


def replaced(path):
    with atomic.replacing(path) as draft:
        draft.write_text("new")


def test_the_room_of_a_killed_process_goes(tmp_path):
    """As soon as the next one writes to the same target."""
    process, room = begun(tmp_path, signal.SIGKILL)
    process.wait()

    replaced(tmp_path / "other")
    assert names(tmp_path) == [room.name, "other"]

    replaced(tmp_path / "m")
    assert names(tmp_path) == ["m", "other"]


def test_the_room_of_a_living_process_stays(tmp_path):
    """Also while it is stopped."""
    process, room = begun(tmp_path, signal.SIGSTOP)
    try:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)  # or it stops after it went on
        replaced(tmp_path / "m")
        assert names(room / "new") == ["draft"]
    finally:
        process.send_signal(signal.SIGCONT)
        assert process.wait(20) == 0

    assert names(tmp_path) == ["m"]


def test_many_processes_at_once(tmp_path):
    """Each writes the same target again and again, and none clears away what another makes."""
    program = (
        "import sys; from pathlib import Path; from zoo import atomic\n"
        "for turn in range(60):\n"
        "    with atomic.replacing(Path(sys.argv[1])) as draft:\n"
        "        draft.mkdir(); (draft / 'a').touch(); (draft / 'b').touch()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "m")]
    running = [subprocess.Popen(command) for _ in range(3)]

    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert names(tmp_path) == ["m"]
    assert names(tmp_path / "m") == ["a", "b"]


def test_a_room_that_is_cleared_before_it_is_locked(tmp_path, monkeypatch):
    """Its lock is one on nothing then, and another room is made."""
    real, rooms = drafts.locked, []

    def locked(descriptor):
        if not rooms:
            rooms.extend(tmp_path.iterdir())
            rooms[0].rmdir()
        return real(descriptor)

    monkeypatch.setattr(drafts, "locked", locked)
    replaced(tmp_path / "m")

    assert len(rooms) == 1
    assert names(tmp_path) == ["m"]


def test_what_only_looks_like_a_room(tmp_path):
    """Folders of others, files and links stay, and so does what the links lead to."""
    precious = tmp_path / "far"
    precious.mkdir()
    (precious / "photo").touch()
    (tmp_path / ".m.settings").mkdir()
    (tmp_path / ".m.zoo-abcdefgh").symlink_to(precious)
    (tmp_path / ".m.zoo-ijklmnop").touch()
    before = names(tmp_path)

    replaced(tmp_path / "m")

    assert names(tmp_path) == sorted([*before, "m"])
    assert (precious / "photo").exists()


def test_rooms_of_other_users_are_not_trusted(tmp_path, monkeypatch):
    """Nothing is moved out of them, and they are not deleted."""
    room = tmp_path / ".m.zoo-abcdefgh"
    (room / "old").mkdir(parents=True)
    (room / "now").symlink_to("old")
    (room / "old" / "m.index").touch()
    (tmp_path / "m.index").symlink_to(".m.zoo-abcdefgh/now/m.index")
    user = os.geteuid()
    monkeypatch.setattr("os.geteuid", lambda: user + 1)

    replaced(tmp_path / "m")
    drafts.settle(tmp_path)
    assert (tmp_path / "m.index").is_symlink()
    assert (room / "old" / "m.index").exists()

    monkeypatch.undo()
    replaced(tmp_path / "m")
    assert not (tmp_path / "m.index").is_symlink()
    assert names(tmp_path) == ["m", "m.index"]


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    """Nobody can tell who lives; writing goes on, and rooms stay."""
    process, room = begun(tmp_path, signal.SIGKILL)
    process.wait()

    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    replaced(tmp_path / "m")

    assert (tmp_path / "m").read_text() == "new"
    assert names(tmp_path) == [room.name, "m"]


def test_a_folder_that_lay_aside_comes_back(tmp_path, monkeypatch):
    """Where folders cannot change places, a kill may leave the old one in the room alone."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "weights").write_text("old")
    if (child := os.fork()) == 0:
        disk.exchange = lambda *_: False
        os.replace = lambda *_: os._exit(9)
        with atomic.replacing(tmp_path / "m") as draft:
            draft.mkdir()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not (tmp_path / "m").exists()

    with pytest.raises(KeyError), atomic.replacing(tmp_path / "m"):
        raise KeyError

    assert (tmp_path / "m" / "weights").read_text() == "old"
    assert names(tmp_path) == ["m"]


def test_files_that_lay_aside_are_not_deleted(tmp_path):
    """Where there are no links, the old files of a checkpoint may be in a room alone."""
    room = tmp_path / ".m.zoo-abcdefgh"
    (room / "old").mkdir(parents=True)
    (room / "old" / "m.index").write_text("old")

    replaced(tmp_path / "m")
    assert (room / "old" / "m.index").exists()

    (tmp_path / "m.index").touch()
    replaced(tmp_path / "m")
    assert not room.exists()
