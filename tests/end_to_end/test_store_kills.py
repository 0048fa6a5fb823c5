"""Whatever dies or fails while the store is changed: no name in it leads to other bytes.

strace hits each system call (`tests/killed_fetches.py`).  The oracle is hashlib, and what a fetch
gives afterwards.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zoo import pruning
from zoo.library import Library

SCRIPT = Path(__file__).parents[1] / "killed_fetches.py"
FILES = {"net/index": b"index" * 100, "net/data": b"data" * 50_000}
SINGLE = b"single" * 30_000
FETCH = ("fetch", "several", "single", "--registry")
UNPACKED = ("files", "manifest")
FAULTS = ["EIO", "ENOSPC", "EDQUOT", "EROFS", "EINTR"]
BOTH_WAYS = ["changes", pytest.param("all", marks=pytest.mark.slow)]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def registry(tmp_path):
    """Return a registry with a model of two files and one of a single file."""
    place = tmp_path / "registry"
    lines = ["version: 1", "models:", "  several:", "    summary: s", "    weights:", "      one:"]
    lines += ["        format: frozen", "        files:"]
    for path, data in FILES.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(data)
        facts = f"path: {path}, urls: ['file:{path}'], sha256: {sha256(data)}, size: {len(data)}"
        lines.append(f"          - {{{facts}}}")
    (place / "single").write_bytes(SINGLE)
    facts = f"urls: ['file:single'], sha256: {sha256(SINGLE)}, size: {len(SINGLE)}"
    lines += ["  single:", "    summary: s", "    weights:"]
    lines += [f"      one: {{format: frozen, {facts}}}"]
    (place / "registry.yaml").write_text("\n".join(lines) + "\n")
    return place / "registry.yaml"


def hit(fault, way, before, folder, *command):
    """Return the stores in which a command was hit, each with how its process ended."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not there, which hits processes at their system calls")
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, SCRIPT, fault, way, before, folder, *map(str, command)],
        capture_output=True,
        text=True,
    )
    if "ptrace" in done.stderr:
        pytest.skip(f"processes may not be traced here: {done.stderr.strip()}")
    ends = json.loads(done.stdout.splitlines()[-1])
    assert len(ends) > 20, done.stderr
    return [(folder / step, code) for step, code in ends.items()]


def visible(root):
    """Return what has a name in the store, by its path; each must hash to that."""
    found = {}
    for path in (root / "sha256").glob("??/*"):
        if path.parent.name != "drafts":
            found[path.name] = path.read_bytes()
            assert sha256(found[path.name]) == path.name, path
    for place in (root / "unpacked").glob("*"):
        assert {path.name for path in place.iterdir()} == {"files", "manifest"}, place
        found[place] = UNPACKED
    for folder in (root / "folders").glob("*"):
        files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        assert {name: path.read_bytes() for name, path in files.items()} == FILES, folder
        found[folder.name] = FILES
    return found


def fetched(root, registry, monkeypatch):
    """Fetch both models once more, and check them; the store is as a new one then."""
    monkeypatch.setenv("ZOO_HOME", str(root))
    library = Library(registry)
    path = library.fetch("several")[1].path
    assert {name: (path / name).read_bytes() for name in FILES} == FILES
    assert library.fetch("single")[1].path.read_bytes() == SINGLE
    pruning.prune(root, pruning.Limits())
    assert [*(root / "drafts").iterdir()] == []
    for name in ("trash", "going"):
        assert not (root / name).exists() or [*(root / name).iterdir()] == []
    leases = [path.name.split("-")[3] for path in (root / "leases").iterdir()]
    assert set(leases) == {str(os.getpid())}


@pytest.fixture
def empty(registry, tmp_path, monkeypatch):
    """Return a store that has nothing but the index of the registry."""
    root = tmp_path / "empty"
    monkeypatch.setenv("ZOO_HOME", str(root))
    Library(registry).catalogue.listed()
    return root


@pytest.mark.parametrize("way", BOTH_WAYS)
def test_k02_a_fetch_that_is_killed_anywhere(registry, empty, tmp_path, monkeypatch, way):
    """The model is there or not; a file that is there is used by the next fetch, as it is.

    So is one that was published just before its record was written.
    """
    rooms = hit(
        "signal=KILL",
        way,
        empty,
        tmp_path / "k",
        "fetch",
        "several",
        "single",
        "--registry",
        registry,
    )

    counts = set()
    for room, code in rooms:
        assert code in (-9, 0)
        before = visible(room)
        inodes = {path: path.stat().st_ino for path in (room / "sha256").glob("??/*")}
        counts.add(len(before))
        fetched(room, registry, monkeypatch)
        assert (
            inodes.items() <= {p: p.stat().st_ino for p in (room / "sha256").glob("??/*")}.items()
        )
    assert counts == {0, 1, 2, 3, 4}


@pytest.fixture
def full(registry, tmp_path, monkeypatch):
    """Return a store with both models, and an unpacked archive."""
    root = tmp_path / "full"
    monkeypatch.setenv("ZOO_HOME", str(root))
    for command in ([*FETCH, registry], ["list"]):
        subprocess.run([sys.executable, "-m", "zoo", *command], check=True, capture_output=True)
    place = root / "unpacked" / sha256(SINGLE)
    for name in UNPACKED:
        (place / name / "inside").mkdir(parents=True)
    return root


@pytest.mark.parametrize("way", BOTH_WAYS)
@pytest.mark.parametrize("command", ["cache prune --max-size 0", "cache rm several single"])
def test_k06_a_deletion_that_is_killed_anywhere(
    registry, full, tmp_path, monkeypatch, command, way
):
    """A model is there whole or not at all; what is left of it goes with the next deletion."""
    rooms = hit("signal=KILL", way, full, tmp_path / "k", *command.split())

    counts = {len(visible(room)) for room, _ in rooms}
    assert {0, 5} <= counts
    for room, _ in rooms:
        fetched(room, registry, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_d03_a_system_call_that_fails(registry, empty, tmp_path, monkeypatch, fault):
    """A fetch ends well, or with an error that says what; never with other bytes in the store."""
    rooms = hit(f"error={fault}", "changes", empty, tmp_path / "k", *FETCH, registry)

    for room, code in rooms:
        found = visible(room)
        assert code in (0, 70, 73, 74, 77) or code == -9, room
        assert code != 70, room
        if code == 0:
            assert len(found) == 4
        fetched(room, registry, monkeypatch)
