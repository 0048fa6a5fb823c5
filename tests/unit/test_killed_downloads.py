"""Row K1: a download that is killed at any system call leaves nothing wrong, and is gone on with.

strace kills it (`tests/killed_downloads.py`), or a signal at a random moment.  What was received is
kept but for one chunk at most, and not asked for again.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.faulty_server import FaultyServer, Served
from zoo import fetching
from zoo.fetching import Wanted
from zoo.mapped import CHUNK
from zoo.patience import Manner
from zoo.store import Pin, Store

SCRIPT = Path(__file__).parents[1] / "killed_downloads.py"
HEADERS = 2000
"""Bytes of an answer that are no bytes of the file, at most."""


@pytest.fixture
def server():
    """Return a server without files."""
    with FaultyServer() as running:
        yield running


def killed(way, server, data, folder, every, connections=1):
    """Return what there was after each kill."""
    if way != "moments" and shutil.which("strace") is None:
        pytest.skip("strace is not there, which kills processes at their system calls")
    sha = hashlib.sha256(data).hexdigest()
    command = [sys.executable, SCRIPT, way, f"{server.url}/f", sha, len(data), folder, every,
               connections]  # fmt: skip
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    if "ptrace" in done.stderr:
        pytest.skip(f"processes may not be traced here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def fetch(server, data, root, connections=1):
    """Fetch what is missing; return how many bytes that were."""
    pin = Pin((("sha256", hashlib.sha256(data).hexdigest()),), len(data))
    server.requests.clear()
    manner = Manner(connections=connections)
    path = fetching.fetch(
        [Wanted((f"{server.url}/f",), pin)], Store(root), root, manner=manner
    ).path
    assert path.read_bytes() == data
    assert {path.suffix for path in (root / "partial").glob("*")} <= {".json"}
    return server.sent


@pytest.mark.parametrize(
    ("way", "every"),
    [("changes", 7), pytest.param("changes", 1, marks=pytest.mark.slow),
     pytest.param("all", 1, marks=pytest.mark.slow)],
)  # fmt: skip
def test_k01_a_kill_at_a_system_call(server, tmp_path, way, every):
    """What is published is right; what was received is not asked for again."""
    data = os.urandom(2 * CHUNK + 4567)
    server.files["/f"] = Served(data)

    ends = killed(way, server, data, tmp_path, every)

    assert [code for code, *_ in ends].count(-9) >= 0.9 * len(ends) > 3
    for _, received, kept, is_right, step, name in ends:
        root = tmp_path / str(step)
        published = any((root / "sha256").glob("*/*"))
        assert is_right, name
        assert published or kept >= received - CHUNK - HEADERS, name
        assert fetch(server, data, root) == (0 if published else len(data) - kept), name


@pytest.mark.slow
@pytest.mark.parametrize("connections", [1, 8])
def test_k01_kills_at_a_hundred_random_moments(server, tmp_path, connections):
    """From kill to kill what is here only grows, and in the end only the rest is fetched."""
    data, rate = os.urandom(64 << 20), (8 << 20) / connections
    served = Served(data)

    def slow(request):
        request.pause = 65536 / rate
        served(request)

    server.files["/f"] = slow

    ends = killed("moments", server, data, tmp_path, 100, connections)

    kept = [one[2] for one in ends]
    assert all(one[3] for one in ends)
    assert sum(later > earlier for earlier, later in pairwise(kept)) > 5
    assert kept == sorted(kept) or any((tmp_path / "0" / "sha256").glob("*/*"))
    server.files["/f"] = served
    missing = len(data) - kept[-1]
    assert fetch(server, data, tmp_path / "0", connections) in (missing, 0)
