"""A run has its place to itself, and the features that it keeps are those that it computed."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from zoo import inventory, leases
from zoo.errors import BusyError
from zoo_finetune import feature_cache, runs
from zoo_finetune.recipe import Recipe
from zoo_finetune.runs import Run


def run_at(place):
    return Run("vgg-digits", place.parent, place, Recipe(outputs=2))


def test_c11_two_trainings_into_one_place(tmp_path):
    """The second is refused; one into another place is not."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom zoo_finetune import runs\n"
        "from zoo_finetune.recipe import Recipe\n"
        "place = Path(sys.argv[1])\n"
        "one = runs.Run('vgg-digits', place.parent, place, Recipe(outputs=2))\n"
        "with runs._state(one):\n"
        "    print('begun', flush=True)\n    sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, tmp_path / "net"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout.readline() == "begun\n"
        with pytest.raises(BusyError), runs._state(run_at(tmp_path / "net")):
            pass
        with runs._state(run_at(tmp_path / "other")):
            pass
        first.kill()
    with runs._state(run_at(tmp_path / "net")):
        pass


@pytest.fixture
def features(monkeypatch):
    """Return a function that gives the features of three batches, and how often it computed."""
    computed = []

    def backbone():
        computed.append(1)
        return lambda batch: batch * 2.0

    monkeypatch.setattr(feature_cache, "digest", lambda *_: "0" * 64)
    net = SimpleNamespace(backbone=backbone)
    batches = [np.full((2, 3), number, np.float32) for number in range(3)]

    def call():
        return np.array(feature_cache.features(net, batches, 6)), len(computed)

    return call


def test_d11_features_with_a_flipped_bit_are_computed_again(features, home):
    """They are read before a training; what nobody changed is used as it is."""
    values, _ = features()
    assert features()[1] == 1
    path = home / "features" / f"{'0' * 64}.npy"
    facts, data = path.stat(), bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))

    again, count = features()

    assert count == 2
    assert again.tobytes() == values.tobytes()
    assert len([*(home / "corrupt").iterdir()]) == 1


def test_features_count_and_are_leased(features, home):
    """They have a last use, and nobody prunes them while a process uses them."""
    features()

    (item,) = (one for one in inventory.items(home) if one.kind == inventory.FEATURES)

    assert item.users == (f"process {os.getpid()}",)
    assert item.size == Path(item.paths[0]).stat().st_size
    assert "0" * 64 in leases.in_use(home)
