"""Many processes fetch, use, prune and die on one cache: what a name leads to is always right."""

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo import digests, inventory, pruning

SCRIPT = Path(__file__).parents[1] / "fetching_hammer.py"
PROCESSES = 8


@pytest.fixture
def sources(tmp_path):
    """Return a folder with four files and two models of three files, one of which both have."""
    place, chance = tmp_path / "sources", random.Random(1)  # noqa: S311
    for name in ("one", "two", "three", "four", "a/x", "a/y", "a/z", "b/x", "b/y", "b/w"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(chance.randbytes(40_000))
    (place / "b" / "x").write_bytes((place / "a" / "x").read_bytes())
    return place


def right(root):
    """Check all that has a name in the store; return how much that is."""
    names = [path for path in (root / "sha256").glob("??/*") if path.parent.name != "drafts"]
    for path in names:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    folders = [*(root / "folders").glob("*")]
    for folder in folders:
        files = [path for path in folder.rglob("*") if path.is_file()]
        lines = [
            (
                path.relative_to(folder).as_posix(),
                path.stat().st_size,
                hashlib.sha256(path.read_bytes()).hexdigest(),
            )
            for path in files
        ]
        assert digests.folder_digest(lines) == folder.name
    return len(names) + len(folders)


def hammer(root, sources, seconds, locks, killing):
    """Run the processes; kill some if `killing`, and start others; return what was wrong."""
    chance = random.Random(2)  # noqa: S311
    seed, running, wrong, counts = 0, [], [], []
    end = time.monotonic() + seconds
    while time.monotonic() < end or running:
        while len(running) < PROCESSES and time.monotonic() < end:
            seed += 1
            left = max(0.3, min(2.0, end - time.monotonic()))
            command = [sys.executable, SCRIPT, root, sources, str(seed), str(left), locks]
            running.append(
                subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            )
        if killing and chance.random() < 0.3:
            chance.choice(running).send_signal(signal.SIGKILL)
        time.sleep(0.05)
        for one in [*running]:
            if one.poll() is not None:
                out, err = one.communicate()
                running.remove(one)
                if one.returncode not in (0, -signal.SIGKILL):
                    wrong.append(err)
                counts += [int(out)] if one.returncode == 0 else []
    return wrong, sum(counts)


@pytest.mark.parametrize("locks", ["yes", "no"])
@pytest.mark.parametrize(
    ("seconds", "killing"),
    [(4, False), pytest.param(30, True, marks=pytest.mark.slow)],
    ids=["all live", "some are killed"],
)
def test_c02_many_processes_on_one_cache(tmp_path, sources, locks, seconds, killing):
    """Nobody loses a model that it fetched, with locks and without; no litter is left."""
    root = tmp_path / "store"

    wrong, count = hammer(root, sources, seconds, locks, killing)

    assert wrong == []
    assert count > 20
    right(root)
    pruning.prune(root, pruning.Limits())
    for name in ("drafts", "trash", "going", "leases", "corrupt"):
        assert not (root / name).exists() or [*(root / name).iterdir()] == [], name
    pruning.prune(root, pruning.Limits(size=0))
    assert inventory.items(root) == []
    assert right(root) == 0
