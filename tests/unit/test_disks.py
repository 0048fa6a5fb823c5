"""A disk that is full, a process that is killed: the old or the new, never a part."""

import json
import subprocess
import sys

import numpy as np
import pytest

import zoo_frozen
from zoo.samples import sample_model
from zoo.tensors import ArrayTensor

FORMS = ("checkpoint", "frozen", "saved_model")
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
from zoo.cli import run
sys.exit(run(sys.argv[1:]))
"""
KILLED = """
import os, sys
from zoo.cli import run
steps, last = iter(range(10**9)), int(sys.argv[1])
for name in ("open", "mkdir", "rename", "replace", "unlink", "fsync", "write", "rmdir"):
    def step(*arguments, real=getattr(os, name), **named):
        if next(steps) == last:
            os._exit(99)
        return real(*arguments, **named)
    setattr(os, name, step)
code = run(sys.argv[2:])
print(next(steps))
sys.exit(code)
"""


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


def convert_and_die(source, target, form, step):
    """Convert, and die at a step; return the exit code."""
    arguments = ["convert", str(source), str(target), "--to", form, "-q"]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(step), *arguments], capture_output=True, text=True
    )
    return done.returncode


@pytest.mark.parametrize("form", FORMS)
def test_a_process_that_dies_leaves_nothing_or_the_whole(large, tmp_path, form):
    """Whatever step of a new conversion is the last, what has a name can be read."""
    from zoo.library import Library

    died = whole = 0
    for step in range(0, 60, 2):
        target = tmp_path / f"{form}-{step}" / "m"
        code = convert_and_die(large, target, form, step)
        assert code in (0, 99)
        died += code == 99
        if Library()._find(target, form).form.recognises(target):
            model = Library().open(target, format=form).model
            assert {name: model.weights[name].size for name in model.weights} == {
                "dense/kernel": 250_000,
                "dense/bias": 2,
            }
            whole += 1
        if code == 0:
            break
    assert died >= 5
    assert whole >= 1
