"""What becomes of a process that is locked in, whatever it does: one answer or one error.

The processes are small programs in the place of TensorFlow; the real one is in
`tests/end_to_end/test_isolated_models.py`.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo import bubblewrap, hearing, isolation, means, plugins, process_limits
from zoo.errors import FormatError, InputError, RunError, UnsupportedError
from zoo.isolation import Bounds, Call
from zoo.located import Located
from zoo.renaming import Wishes
from zoo.samples import sample_model

pytestmark = pytest.mark.long  # processes are started and waited for

SAYS = """
import json, os, signal, sys, time
from zoo import packets
from zoo.packets import Packet
job = json.load(sys.stdin)
def say(packet):
    os.write(1, packet.encoded())
"""


@pytest.fixture
def model(tmp_path):
    """Return where a frozen graph lies, in a folder with something that is nobody's business."""
    import zoo_frozen

    (tmp_path / "secret").write_text("secret")
    zoo_frozen.save(sample_model(), tmp_path / "net.pb")
    return Located("frozen", tmp_path / "net.pb")


@pytest.fixture
def outcome(model, monkeypatch):
    """Return what comes of a call in whose place `work` is done."""

    def run(work, call=Call(), by="rlimit", **settings):  # noqa: B008  (it is frozen)
        entrance = (sys.executable, "-c", SAYS + work)
        monkeypatch.setattr(isolation, "_ENTRANCE", entrance)
        return isolation.run(model, call, Bounds(1 << 28, by), plugins.installed(), **settings)

    return run


def test_arrays_that_come_are_the_answer(outcome):
    """By name; nothing of the user's environment is in the process."""
    work = "import numpy as np\nsay(packets.of_array('y', np.float32(len(job['inputs']))))\n"
    work += "say(packets.of_array('home', os.environ['HOME'].encode()))\nsay(Packet('done'))"

    assert outcome(work, Call(["a=1", "b=2"])) == {"y": 2.0, "home": b"/dev/null"}


def test_secrets_of_the_environment_stay(outcome, monkeypatch):
    """What is handed on is a short list."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    work = "import numpy as np\nnames = ' '.join(sorted(os.environ)).encode()\n"
    work += "say(packets.of_array('names', names))\nsay(Packet('done'))"

    names = outcome(work)["names"].decode().split()

    assert "TF_CPP_MIN_LOG_LEVEL" in names
    assert not {"AWS_SECRET_ACCESS_KEY", "ZOO_HOME", "USER"} & {*names}


@pytest.mark.parametrize(
    ("work", "found"),
    [
        ("os.abort()", "SIGABRT: one of its kernels"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL: the system ended it"),
        ("print('F a.cc:1] Check failed: x', file=sys.stderr); os.abort()", "Check failed: x"),
        ("say(Packet('array')); os.abort()", "cannot be read"),
    ],
)
def test_m15_an_end_by_a_signal_is_one_error(outcome, work, found):
    """The parent lives, and says what it was; a half answer is none."""
    with pytest.raises((RunError, FormatError)) as caught:
        outcome(work)

    assert found in str(caught.value)


@pytest.mark.parametrize("word", ["std::bad_alloc", "Cannot allocate memory", "out of memory"])
def test_m19_an_end_for_want_of_memory_says_so(outcome, word):
    """Not that a kernel is wrong."""
    with pytest.raises(RunError, match="needs more memory") as caught:
        outcome(f"print('what(): {word}', file=sys.stderr); os.abort()")

    assert "--memory" in caught.value.hint


def test_an_error_of_the_call_is_that_error(outcome):
    """Of its kind; one of memory gets the hint that helps."""
    said = "from zoo.errors import *\nsay(packets.of_error({}))"

    with pytest.raises(InputError, match="a"):
        outcome(said.format("InputError('a')"))
    with pytest.raises(RunError) as caught:
        outcome(said.format("RunError('a', found='OOM when allocating tensor', hint='b')"))
    assert "--memory" in caught.value.hint


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "os.write(1, b'x')", "os.close(1)"])
def test_no_answer_is_an_error(outcome, end):
    """An end without one, or with what is none."""
    with pytest.raises((RunError, FormatError)):
        outcome(end)


def test_a_bug_is_not_blamed_on_the_model(outcome):
    """What is no `ZooError` there is none here."""
    with pytest.raises(RuntimeError, match="in an isolated process: trace"):
        outcome("say(Packet('bug', {'text': 'trace'}))")


def test_m16_what_takes_for_ever_is_ended(outcome, monkeypatch):
    """After the time it was given and a little; it need not listen."""
    monkeypatch.setattr(hearing, "_GRACE", 0.2)
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsay(Packet('running'))\n"

    begin = time.monotonic()
    with pytest.raises(RunError, match=r"within 0\.3 seconds") as caught:
        outcome(f"{deaf}time.sleep(60)", Call(timeout=0.3))
    assert time.monotonic() - begin < 30
    assert "--timeout" in caught.value.hint


def test_m16_what_talks_for_ever_is_ended(outcome, monkeypatch):
    """Packets do not buy it time: neither notes, nor that it runs, said again and again."""
    monkeypatch.setattr(hearing, "_GRACE", 0.2)
    monkeypatch.setattr(hearing, "USUAL_TIME", 1.0)

    with pytest.raises(RunError, match="did not end"):
        outcome("while True:\n    say(Packet('running'))\n    time.sleep(0.01)", Call(timeout=0.3))


def test_what_opens_for_ever_is_ended(outcome, monkeypatch):
    """A model that cannot be opened in time is not waited for either."""
    monkeypatch.setattr(hearing, "USUAL_TIME", 0.5)

    with pytest.raises(RunError, match="did not end"):
        outcome("time.sleep(60)")


FLOOD = """
os.write(1, b'{"kind": "x", "bytes": 9999999999}\\n')
while True:
    os.write(1, b"x" * (1 << 20))
"""


def test_more_than_its_memory_is_not_taken_from_it(outcome):
    """What it says is held here, so it is bounded."""
    with pytest.raises(FormatError, match="more came"):
        outcome(FLOOD)


def test_what_it_prints_stays_out_unless_it_is_wanted(outcome, capsys):
    """And what steers a terminal is made visible."""
    work = "print('chatter\\x1b[31m', file=sys.stderr)\nsay(Packet('ready', {'by': {'net': 1}}))\n"
    work += "say(Packet('note', {'text': 'remark'}))\nsay(Packet('done'))"

    outcome(work, heard=True)
    assert capsys.readouterr().err == ""
    outcome(work, verbose=True)
    said = capsys.readouterr().err
    assert "chatter\\x1b" in said
    assert "note: remark" in said
    assert "isolated by rlimit" in said


def test_no_process_is_left(outcome, monkeypatch):
    """Who interrupts zoo ends the process too."""
    monkeypatch.setattr(hearing.Talk, "_take", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1]
    )

    with pytest.raises(KeyboardInterrupt):
        outcome("say(Packet('ready'))\ntime.sleep(60)")
    assert started[0].returncode == -signal.SIGKILL


def test_a_model_is_shown_without_its_neighbours(outcome):
    """The process is told of links to the model's files in a folder of their own."""
    work = "import numpy as np\nwhere = os.path.dirname(job['located']['path'])\n"
    work += "say(packets.of_array('there', ' '.join(os.listdir(where)).encode()))\n"
    work += "say(packets.of_array('can', ' '.join(job['readable']).encode()))\nsay(Packet('done'))"

    found = outcome(work)

    assert found["there"] == b"net.pb"
    assert b"net.pb" in found["can"]
    assert b"secret" not in found["can"]


def test_a_checkpoint_is_shown_with_all_its_files(tmp_path):
    """Index, data and graph; not the next checkpoint in the folder, but which is the latest."""
    import zoo_checkpoint

    zoo_checkpoint.save(sample_model(), tmp_path / "model")
    zoo_checkpoint.save(sample_model(), tmp_path / "other")
    found = Located("checkpoint", tmp_path / "model")

    with isolation._staged(found, plugins.installed()) as (staged, files):
        names = sorted(path.name for path in staged.path.parent.iterdir())
        opened = staged.opened(plugins.installed(), {})

    assert names == ["checkpoint", "model.data-00000-of-00001", "model.index", "model.meta"]
    assert {*opened.model.weights} == {*sample_model().weights}
    assert not any(path.name.startswith("other") for path in files)


def test_where_a_model_lies_goes_through_json(tmp_path):
    """All that opening it takes."""
    wishes = Wishes("vgg", tmp_path / "graph.pb", ["a=b"], ema=True, drop_slots=True)
    found = Located("npz", tmp_path / "net.npz", wishes, {"x": "x:0"}, {"y": "y:0"})

    assert Located.from_facts(found.facts()) == found


def test_what_is_wanted_has_to_be_there(monkeypatch):
    """Who names a means does not get a lesser one."""
    monkeypatch.setitem(means._THERE, "bwrap", lambda: False)
    with pytest.raises(UnsupportedError, match="bwrap does not work here"):
        means.chosen("bwrap")
    for name in means._THERE:
        monkeypatch.setitem(means._THERE, name, lambda: False)
    with pytest.raises(UnsupportedError, match="cannot be isolated"):
        means.chosen("auto")
    assert not means.there()


def test_the_folder_one_stands_in_and_the_home_are_not_shown(monkeypatch, tmp_path):
    """Though Python may look for modules there."""
    home = tmp_path / "home"
    (home / "work").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "work")
    for path in (tmp_path, home, home / "work"):
        monkeypatch.syspath_prepend(str(path))

    assert not {tmp_path, home, home / "work"} & {*means.readable()}


STANDS_IN = """#!{python}
import os, sys
at = sys.argv.index("--")
with open({log!r}, "w") as log:
    log.write("\\n".join(sys.argv[1:at]))
os.execv(sys.argv[at + 1], sys.argv[at + 1:])
"""


def test_bubblewrap_is_used_where_it_is(outcome, monkeypatch, tmp_path):
    """With no network and nothing to write; a stand-in notes what it is called with."""
    tool, log = tmp_path / "bin" / "bwrap", tmp_path / "log"
    tool.parent.mkdir()
    tool.write_text(STANDS_IN.format(python=sys.executable, log=str(log)))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=os.pathsep)
    monkeypatch.setitem(means._THERE, "bwrap", lambda: True)

    outcome("say(Packet('done'))", by="auto")

    given = log.read_text().split("\n")
    assert {"--unshare-all", "--die-with-parent", "--new-session", "--remount-ro"} <= {*given}
    assert str(tmp_path / "net.pb") in given
    assert not {"--bind", "--share-net", "/", str(tmp_path), str(Path.home())} & {
        one for at, one in enumerate(given) if given[at - 1] != "--remount-ro" if one != "/"
    }


def test_links_on_the_way_are_there_for_bubblewrap(tmp_path):
    """What is read by a link is read by the same name inside."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("x")
    (tmp_path / "link").symlink_to("real")

    command = bubblewrap.command(["true"], [tmp_path / "link" / "file", tmp_path / "none"])

    at = command.index("--symlink")
    assert command[at + 1 : at + 3] == [str(tmp_path / "real"), str(tmp_path / "link")]
    assert command[command.index("--ro-bind") + 1] == str(tmp_path / "real" / "file")
    assert not [part for part in command if part.endswith("none")]


def test_half_of_the_memory_is_usual():
    """Of the machine's, or of the group's that this process is in."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    assert 0 < process_limits.usual_memory() <= there // 2
