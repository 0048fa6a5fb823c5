"""A process that is killed at any system call while it locks leaves the old lock or the new one."""

import hashlib
import os
import re
import shutil
import subprocess
import sys

import pytest

from zoo import known, lockfile

CHANGES = "openat,mkdir,rename,renameat2,unlink,unlinkat,rmdir,write,fsync,fdatasync,chmod,fchmod"


def registry(folder, data):
    """Write a registry with one model of these bytes, pinned by an md5 only, and the model."""
    (folder / "net.pb").write_bytes(data)
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    (folder / "r.yaml").write_text(
        "version: 1\nmodels:\n  net:\n    summary: s\n    weights:\n      a:\n        format: f\n"
        f"        urls: ['file:net.pb']\n        md5: {md5}\n"
    )


def locked(folder, *before):
    """Return how ``zoo lock --update`` ends in `folder`, run by the command `before`."""
    zoo = [sys.executable, "-m", "zoo", "lock", "--update", "net", "--registry", "r.yaml", "-q"]
    done = subprocess.run([*before, *zoo], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.mark.slow
def test_k05_a_lock_and_a_record_are_old_or_new_at_every_call(tmp_path, monkeypatch):
    """Killed before each system call that changes files, from the first that touches either."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    start = tmp_path / "start"
    start.mkdir()
    monkeypatch.setenv("ZOO_HOME", str(start / "home"))
    registry(start, b"old")
    code, said = locked(start)
    assert code == 0, said
    registry(start, b"new")
    log = tmp_path / "log"
    traced = shutil.copytree(start, tmp_path / "traced")
    monkeypatch.setenv("ZOO_HOME", str(traced / "home"))
    code, said = locked(traced, "strace", "-e", f"trace={CHANGES}", "-o", str(log))
    if "ptrace" in said and code != 0:
        pytest.skip("this machine does not allow tracing")
    states = set()
    for name, number in _points(log.read_text()):
        room = shutil.copytree(start, tmp_path / f"{name}-{number}")
        monkeypatch.setenv("ZOO_HOME", str(room / "home"))
        kill = f"inject={name}:signal=KILL:when={number}"

        code, said = locked(room, "strace", "-e", f"trace={name}", "-e", kill, "-o", os.devnull)

        assert code in (-9, 137), said
        assert len(known._read()) in (1, 2)
        (model,) = lockfile.here(room / "zoo.lock").models
        states.add(model.sha256)
        assert locked(room)[0] == 0
        assert lockfile.here(room / "zoo.lock").models[0].size == 3
        shutil.rmtree(room)

    assert states == {hashlib.sha256(data).hexdigest() for data in (b"old", b"new")}


def _points(log):
    """Return the calls of a trace that may matter, each with how many of its name came before."""
    counts, points, begun = {}, [], False
    for line in log.splitlines():
        found = re.match(r"(\w+)\(", line)
        if found is None:
            continue
        counts[found[1]] = counts.get(found[1], 0) + 1
        begun = begun or ".zoo-" in line
        if begun and (found[1] != "openat" or "O_CREAT" in line):
            points.append((found[1], counts[found[1]]))
    return points
