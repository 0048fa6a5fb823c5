"""A process that locked itself in: what it can do no more, tried in Python in place of a model."""

import json
import os
import subprocess
import sys
import time

import pytest

from zoo import landlock, means, system_calls

pytestmark = pytest.mark.long  # processes are started and waited for

PROGRAM = """
import concurrent.futures, json, os, socket, subprocess, sys, tempfile
from pathlib import Path
from zoo import process_limits
from zoo.confined import lock_in
job = json.load(sys.stdin)
file = open(job["file"], "r+b")
lock_in(job["readable"], job["files"], 0)
def in_a_thread(work):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return pool.submit(work).result()
path, outside, inside = Path(job["file"]), job["outside"], job["inside"]
try:
    print(eval(job["attempt"]))
except OSError as error:
    print("refused", error.errno)
sys.stdout.flush()
os._exit(0)
"""
LOCKS = pytest.mark.skipif(not landlock.version(), reason="this system has no Landlock")
FILTERS = pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine not in system_calls._MACHINES,
    reason="the system calls of this machine have numbers that are not known",
)


@pytest.fixture
def attempt(tmp_path):
    """Return what a locked-in process gets for an expression."""
    for name in ("file", "inside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text").write_text("secret")

    def run(expression, *, files=True):
        readable = [*map(str, means.readable()), str(tmp_path / "inside")]
        job = {"readable": readable, "files": files, "attempt": expression}
        job |= {"file": str(tmp_path / "file" / "text"), "inside": str(tmp_path / "inside")}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            input=json.dumps(job | {"outside": str(tmp_path / "file")}),
            capture_output=True,
            text=True,
        )
        assert done.stdout, done.stderr
        return done.stdout.strip()

    return run


REFUSED = {
    "read a file": "path.read_text()",
    "list a folder": "os.listdir(outside)",
    "read a home": "os.listdir(os.path.expanduser('~'))",
    "read what others run": "Path(f'/proc/{os.getppid()}/cmdline').read_bytes()",
    "read through its root": "Path('/proc/self/root' + str(path)).read_text()",
    "write a file": "path.write_text('x')",
    "write what it may read": "Path(inside, 'text').write_text('x')",
    "make a file": "Path(inside, 'new').touch()",
    "make a folder": "Path(outside, 'new').mkdir()",
    "make a link": "os.symlink('a', Path(outside, 'new'))",
    "remove a file": "path.unlink()",
    "rename a file": "path.rename(path.with_name('new'))",
    "cut a file off": "os.truncate(path, 0)",
    "make a temporary file": "tempfile.TemporaryFile(dir='/tmp')",
}


@LOCKS
@pytest.mark.parametrize("expression", REFUSED.values(), ids=REFUSED)
def test_files_of_others_are_closed(attempt, tmp_path, expression):
    """Nothing is read but what was allowed, nothing is written at all."""
    assert attempt(expression).startswith("refused")
    assert [path.read_text() for path in sorted(tmp_path.glob("*/*"))] == ["secret"] * 2


@LOCKS
def test_what_was_allowed_can_be_read(attempt):
    """The model's files, and a place where output goes that nobody wants."""
    assert attempt("Path(inside, 'text').read_text()") == "secret"
    assert attempt("Path('/dev/null').write_text('x')") == "1"
    assert attempt("os.listdir(inside)") == "['text']"


CALLS = {
    "open a socket": "socket.socket()",
    "open one of the system": "socket.socket(socket.AF_UNIX)",
    "ask the kernel": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "start a program": "subprocess.run([sys.executable, '-c', ''])",
    "send a signal": "os.kill(os.getppid(), 0)",
    "change rights": "path.chmod(0o777)",
    "change rights by a folder": "os.chmod('text', 0o777, dir_fd=os.open(outside, os.O_RDONLY))",
    "change an owner": "os.chown(path, 0, 0)",
    "change a time": "os.utime(path, (0, 0))",
}


@FILTERS
@pytest.mark.parametrize("expression", CALLS.values(), ids=CALLS)
def test_calls_that_no_model_needs_are_closed(attempt, expression):
    """With and without Landlock."""
    assert attempt(expression, files=False) == "refused 1"


@FILTERS
def test_threads_are_locked_in_too(attempt):
    """TensorFlow has many."""
    assert attempt("in_a_thread(socket.socket)", files=False) == "refused 1"


def test_no_byte_is_written_where_only_limits_are(attempt, tmp_path):
    """Even to a file that was open before."""
    assert attempt("os.write(file.fileno(), b'x')", files=False) == "refused 27"
    assert (tmp_path / "file" / "text").read_text() == "secret"


def test_memory_beyond_its_own_is_refused(attempt):
    """What is reserved counts, and it is said in Python's words."""
    limited = "process_limits.limit_memory(1 << 28) and {}"
    words = "(b'x' * ({}) and 'got it')"

    assert attempt(limited.format(words.format("1 << 27")), files=False) == "got it"
    with pytest.raises(AssertionError, match="MemoryError"):
        attempt(limited.format(words.format("1 << 33")), files=False)


def test_it_ends_with_who_started_it():
    """Also when that is killed for good, and before it listens to anybody."""
    inner = "import os, time\nfrom zoo.process_limits import end_with\nend_with(os.getppid())\n"
    inner += "print(os.getpid(), flush=True)\ntime.sleep(60)"
    outer = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {inner!r}])"
    with subprocess.Popen([sys.executable, "-c", outer], stdout=subprocess.PIPE) as process:
        assert int(process.stdout.readline())
        begin = time.monotonic()
        process.kill()
        assert process.stdout.read() == b""  # which comes when nobody has the other end any more
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize(
    "program",
    [
        "from zoo.process_limits import end_with\nend_with(1 << 22)",
        "from zoo.confined import lock_in\nlock_in([], False, 1 << 22)",
    ],
)
def test_who_has_another_parent_ends(program):
    """Whoever started it is no more, or was never this one."""
    program += "\nprint('here')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)

    assert (done.returncode, done.stdout) == (1, b"")
