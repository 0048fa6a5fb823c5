"""A disk that is full, a process that is killed: the old or the new, never a part."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo_frozen
from zoo import plugins
from zoo.samples import sample_model
from zoo.tensors import ArrayTensor

FORMATS = plugins.formats(plugins.installed())
FORMS = ("checkpoint", "frozen", "saved_model")
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
from zoo.cli import run
sys.exit(run(sys.argv[1:]))
"""
SCRIPT = Path(__file__).parents[1] / "killed_conversions.py"


@pytest.fixture
def large(tmp_path):
    """Return a frozen model of a megabyte."""
    kernel = ArrayTensor.of(np.ones((125_000, 2), np.float32))
    zoo_frozen.save(sample_model(kernel=kernel), tmp_path / "large.pb")
    return tmp_path / "large.pb"


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_while_saving(large, tmp_path, form):
    """One error with code 74, and nothing half-written: no model, no draft, no parts."""
    target = tmp_path / "out"
    target.mkdir()

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            LIMITED,
            "convert",
            str(large),
            str(target / "m"),
            "--to",
            form,
            "--json",
        ],
        capture_output=True,
        text=True,
    )

    assert (done.returncode, json.loads(done.stdout)["error"]["kind"]) == (74, "DiskError")
    assert "Traceback" not in done.stderr
    assert list(target.iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize("form", FORMS)
def test_k07_a_process_that_dies_leaves_nothing_or_the_whole(large, tmp_path, form):
    """Whatever step of a new conversion is the last, what has a name can be read.

    Without strace, which sees more, and is not everywhere: `tests/end_to_end/test_kills.py`.
    """
    command = [sys.executable, SCRIPT, "calls", large, form, "", tmp_path / "kills"]

    done = subprocess.run(command, capture_output=True, text=True)

    ends = json.loads(done.stdout.splitlines()[-1])
    assert set(ends.values()) == {0, 99}
    whole = 0
    for step in ends:
        target = tmp_path / "kills" / step / "m"
        if FORMATS[form].recognises(target):
            model = FORMATS[form].load(target)
            assert {name: model.weights[name].size for name in model.weights} == {
                "dense/kernel": 250_000,
                "dense/bias": 2,
            }
            whole += 1
    assert len(ends) - whole >= 5
    assert whole > 1


def test_a_verification_that_was_killed(tmp_path):
    """The draft that it wrote goes with the next conversion to the same target."""
    program = (
        "import os, sys, zoo; from zoo import conversions, verifying\n"
        "conversions.tensorflow = lambda: None\n"
        "verifying.verify = lambda *_: os._exit(99)\n"
        "zoo.convert('toy-adder', sys.argv[1], to='frozen', verify=True)"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "m"])
    assert done.returncode == 99
    (room,) = tmp_path.iterdir()
    assert room.name.startswith(".m.zoo-")

    zoo_frozen.save(sample_model(), tmp_path / "m")

    assert [path.name for path in tmp_path.iterdir()] == ["m"]
