"""How far a transfer is, said to people: seldom, truly, and nothing that steers a terminal."""

import io
import sys
from hashlib import sha256

import pytest

from tests.faulty_server import FaultyServer, Served
from zoo import cli, digests, transfer_progress, work
from zoo.commands import libraries
from zoo.network_errors import PassingError
from zoo.patience import Patience, Watch
from zoo.retrying import persisting
from zoo.transfer_progress import Bar, Late, Lines


@pytest.fixture
def told():
    """Return lines that were said, and a watch with a clock that goes on by a second at a look."""
    lines, ticks = [], iter(range(10_000))
    return lines, Lines(lines.append, lambda: float(next(ticks)))


def test_work_that_is_soon_done_shows_nothing():
    """What takes less than a second is over before anybody has read what it was."""
    shown, ticks = Shown(), iter([0.0, 0.4, 0.9])
    watch = Late(lambda: shown, clock=lambda: next(ticks))

    watch.begins("writing net.pb", 300, 0)
    for _ in range(3):
        watch.arrived(100)
    watch.ends()

    assert shown.told == []


def test_longer_work_is_shown_with_what_was_done_before():
    """The clock starts with the first bytes, since before them something else may be shown."""
    shown, ticks = Shown(), iter([7.0, 8.0])
    watch = Late(lambda: shown, clock=lambda: next(ticks))

    watch.begins("writing net.pb", 300, 0)
    for _ in range(3):
        watch.arrived(100)
    watch.ends()

    assert shown.told == [("begins", "writing net.pb", 300, 0), 200, 100, "ends"]


def test_work_is_counted_for_who_shows_it(tmp_path):
    """Writing, hashing, comparing and unpacking count their bytes, once each."""
    out, asked = str(tmp_path / "net.pb"), []

    def shows():
        asked.append(Shown())
        return asked[-1]

    with work.shown(shows):
        cli.zoo.main(["convert", "vgg-digits", out, "--to", "frozen"], standalone_mode=False)
    with work.shown(shows), work.counted("hashing", 1), work.counted("inside", 1):
        digests.file_digest(tmp_path / "net.pb")

    assert [one.told[0][1] for one in asked] == ["writing net.pb", "hashing"]
    size = (tmp_path / "net.pb").stat().st_size
    for one in asked:
        assert sum(step for step in one.told if isinstance(step, int)) == size
        assert one.told[-1] == "ends"


def test_quiet_work_is_shown_by_nothing():
    """With -q there is no bar either."""
    assert type(cli._watch_unless(quiet={"-q"})()) is Watch
    assert type(cli._watch_unless(quiet=set())()) is Late


class Shown(Watch):
    """Notes what it is told."""

    def __init__(self):
        self.told = []

    def begins(self, *what):
        self.told.append(("begins", *what))

    def arrived(self, count):
        self.told.append(count)

    def ends(self):
        self.told.append("ends")


def test_lines_come_now_and_then(told):
    """With what is here, the rate since it began, and the time that is left."""
    lines, watch = told

    watch.begins("net.h5", 100_000_000, 20_000_000)
    for _ in range(25):
        watch.arrived(1_000_000)
    watch.ends()

    assert lines == [
        "note: net.h5: 20.0 MB are here already",
        "note: net.h5: 30.0 MB of 100.0 MB, 1.0 MB/s, 1:10 left",
        "note: net.h5: 40.0 MB of 100.0 MB, 1.0 MB/s, 1:00 left",
    ]


def test_a_file_of_unknown_length(told):
    """There is no end to say anything about."""
    lines, watch = told

    watch.begins("net", None, 0)
    for _ in range(10):
        watch.arrived(1_000_000)

    assert lines == ["note: net: 10.0 MB, 1.0 MB/s"]


def test_a_wait_is_said_once(told):
    """Not for each second of it, and again for the next one."""
    lines, watch = told
    errors = iter([PassingError("busy", found="status 503"), PassingError("gone", found="reset")])

    def attempt():
        for error in errors:
            error.wait = 3
            raise error

    persisting(attempt, Patience(sleep=lambda _: None), watch)

    assert lines == ["note: busy: status 503; waiting 3 s", "note: gone: reset; waiting 3 s"]


class Terminal(io.StringIO):
    """A terminal, as far as one can tell."""

    def isatty(self):
        """Say that it is."""
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "kind"),
    [(Terminal(), {}, Bar), (Terminal(), {"TERM": "dumb"}, Lines), (Terminal(), {"CI": "1"}, Lines),
     (io.StringIO(), {}, Lines), (None, {}, Lines)],
)  # fmt: skip
def test_a_bar_is_for_terminals(monkeypatch, stream, environment, kind):
    """Lines for files, pipes and plain terminals; nothing is written where that is closed."""
    for name in ("TERM", "CI"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", stream)

    watch = transfer_progress.watching()
    watch.begins("net", 10, 1)
    watch.ends()

    assert type(watch) is kind


def test_a_bar_shows_and_goes(monkeypatch):
    """Names out of addresses cannot steer the terminal, nor be taken for markup."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bar = Bar()

    bar.waits(5, "busy")
    bar.ends()
    bar.begins("net\x1b[31m[red]", 100, 50)
    bar.arrived(10)
    bar.begins("net\x1b[31m[red]", 100, 0)
    bar.ends()
    bar.ends()

    assert "net\\x1b[31m[red]" in terminal.getvalue()
    assert "busy; waiting 5 s" in terminal.getvalue()


def test_whatever_fetches_is_watched(tmp_path, monkeypatch):
    """A command that opens a model shows how far its bytes are; with -q nobody looks."""
    seen = []

    class Seeing(Watch):
        def begins(self, name, size, here):
            seen.append((name, size, here))

    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(libraries, "watching", Seeing)
    data = b"no model"
    with FaultyServer() as server:
        for name in ("one", "two"):
            server.files[f"/{name}"] = Served(data + name.encode())
        urls = {
            name: f"{server.url}/{name}#sha256={sha256(data + name.encode()).hexdigest()}"
            for name in ("one", "two")
        }
        assert cli.run(["inspect", urls["one"]]) == 0
        assert cli.run(["inspect", urls["two"], "-q"]) == 0

    assert [size for _, size, _ in seen] == [len(data) + 3]
