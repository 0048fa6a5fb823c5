"""Work in a process of its own: its exit code, and what becomes of it when the process is ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo import apart

pytestmark = pytest.mark.long  # processes are started and waited for


def outcome(work):
    """Return what comes of `work` in a child of a process with neither threads nor TensorFlow."""
    program = f"import os, signal, sys, time\nfrom zoo.apart import guarded\n{work}"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def test_the_exit_code_is_that_of_the_work():
    """What it prints is printed, in order; where it fails, the trace is there."""
    done = outcome("print('before')\nsys.exit(guarded(lambda: print('inside') or 3))")
    assert (done.returncode, done.stdout) == (3, "before\ninside\n")

    done = outcome("sys.exit(guarded(lambda: 1 / 0))")
    assert done.returncode == 70
    assert "ZeroDivisionError" in done.stderr
    assert outcome("sys.exit(guarded(lambda: sys.exit(143)))").returncode == 143


@pytest.mark.parametrize(
    ("work", "found"),
    [
        ("os.abort()", "SIGABRT: one of its kernels"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL: the system ended it"),
        ("os.kill(os.getpid(), signal.SIGUSR1)", "SIGUSR1"),
    ],
)
def test_k12_an_end_by_a_signal_is_an_error(work, found):
    """The signal is named, with what it means."""
    done = outcome(f"guarded(lambda: {work})")

    assert done.returncode == 1
    assert "RunError: TensorFlow ended its process" in done.stderr
    assert found in done.stderr


def test_the_child_is_sent_what_the_parent_is_sent():
    """A request to end reaches the work."""
    work = "signal.signal(signal.SIGTERM, lambda *_: os._exit(9))\n"
    work += "sys.exit(guarded(lambda: print('here', flush=True) or time.sleep(60) or 0))"
    program = f"import os, signal, sys, time\nfrom zoo.apart import guarded\n{work}"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"here\n"
        process.terminate()
        assert process.wait(20) == 9


def test_k11_the_child_does_not_outlive_its_parent():
    """Who kills the command for good ends the work too, and its output."""
    work = "guarded(lambda: print(os.getpid(), flush=True) or time.sleep(60) or 0)"
    program = f"import os, time\nfrom zoo.apart import guarded\n{work}"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        child = int(process.stdout.readline())
        process.kill()
        assert process.stdout.read() == b""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _runs(child):
        time.sleep(0.05)
    assert not _runs(child)


def _runs(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")
    return not stat.is_file() or " Z " not in stat.read_text()


def test_the_second_interrupt_ends_it():
    """The first one reaches the child as well, which may be deep inside of TensorFlow."""
    program = (
        "import signal, sys, time\nfrom zoo.apart import guarded\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\ndef work():\n"
        "    signal.signal(signal.SIGINT, signal.SIG_IGN)\n    print('here', flush=True)\n"
        "    time.sleep(60)\n    return 0\nsys.exit(guarded(work))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"here\n"
        for _ in range(2):
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


DEAF = (
    "import signal, sys, time\nfrom zoo import apart\napart._GRACE = 0.5\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\ndef work():\n"
    "    for one in (signal.SIGINT, signal.SIGTERM):\n        signal.signal(one, signal.SIG_IGN)\n"
    "    print('here', flush=True)\n    time.sleep(60)\n    return 0\n"
    "sys.exit(apart.guarded(work))"
)
"""Work that does not listen, as inside of TensorFlow."""


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ([signal.SIGTERM], 143),
        ([signal.SIGINT], 130),
        ([signal.SIGTERM, signal.SIGINT], 143),
        ([signal.SIGTERM] * 9, 143),
    ],
)
def test_work_that_does_not_listen_is_ended(sent, code):
    """Asked once, it gets a moment; who asks again does not give it another."""
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"here\n"
        start = time.monotonic()
        for number in sent:
            process.send_signal(number)
            time.sleep(0.2)
        assert process.wait(20) == code
        assert time.monotonic() - start < 10


@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_were_closed_before(streams, tmp_path):
    """The work is done, and what it writes is all that is in its files."""
    work = (
        "import os, pathlib, sys\nfrom zoo import apart, output\noutput.keep_places()\n"
        "def work():\n    with open(sys.argv[1], 'w') as file:\n"
        "        os.write(1, b'news'), os.write(2, b'news')\n        file.write('all')\n"
        "    return 5\n"
        "sys.exit(apart.guarded(work))"
    )
    command = f'"$0" -c "$1" "$2" {streams}'
    done = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, work, tmp_path / "file"], capture_output=True
    )

    assert (done.returncode, (tmp_path / "file").read_text()) == (5, "all")
    assert b"Traceback" not in done.stderr


def test_a_trace_does_not_go_to_the_answer():
    """Where standard error is closed, it goes nowhere."""
    work = "from zoo.apart import guarded\nimport sys\nsys.exit(guarded(lambda: 1 / 0))"
    done = subprocess.run(
        ["/bin/sh", "-c", '"$0" -c "$1" 2>&-', sys.executable, work], capture_output=True
    )

    assert (done.returncode, done.stdout) == (70, b"")


def test_where_tensorflow_is_there_already(monkeypatch):
    """A child would have it without its threads: the work is done here."""
    monkeypatch.setitem(sys.modules, "tensorflow", object())

    assert apart.guarded(os.getpid) == os.getpid()


def test_without_fork(monkeypatch):
    """Some systems have none."""
    monkeypatch.delattr(os, "fork")

    assert apart.guarded(os.getpid) == os.getpid()
