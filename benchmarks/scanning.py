"""Scanning a SavedModel of Keras beside scanners of others, and what of harm each of them finds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import others
from benchmarks.bench import ZOO
from benchmarks.measure import in_turn
from benchmarks.works import WORKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.bench import Bench
    from benchmarks.rows import Row

_TOOLS = {"modelscan": ["-p"], "modelaudit": ["scan"]}
_QUIET = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
_INNOCENT = "mobilenet"
_CLEAN = 0
_ENDS = ["sh", "-c", '"$0" "$@"; true']
"""Runs a command whose exit code is its answer, and no failure."""


def rows(bench: Bench) -> Iterator[Row]:
    """Measure the scan of a net that only computes; count what each tool says of it and of harm."""
    room = bench.room / "scanned"
    room.mkdir()
    _make(room)
    commands = {"zoo scan": [*ZOO, "scan"], **_of_others(bench)}
    found = in_turn(
        {label: [*_ENDS, *command, str(room / _INNOCENT)] for label, command in commands.items()},
        bench.runs,
        lost=bench.missing,
    )
    facts = {} if bench.quick else _verdicts(commands, room)
    ours, *theirs = found.values()
    yield WORKS["scan"].row("MobileNetV2, a SavedModel of Keras of 1.6 MB", ours, theirs, facts)


def _verdicts(commands: Mapping[str, list[str]], room: Path) -> dict[str, Any]:
    """Return how many models that do harm each command passes, and whether it flags the net."""
    harm = sorted(path for path in room.iterdir() if path.name != _INNOCENT)
    facts: dict[str, Any] = {}
    for label, command in commands.items():
        passed = sum(_says(command, path) == _CLEAN for path in harm)
        facts[f"{label} passes of {len(harm)} models that do harm"] = passed
        facts[f"{label} flags the net"] = int(_says(command, room / _INNOCENT) != _CLEAN)
    return facts


def _of_others(bench: Bench) -> dict[str, list[str]]:
    """Return the commands of the tools that are there; the others are noted as missing."""
    programs = Path(bench.theirs.python).absolute().parent
    found = {}
    for tool, options in _TOOLS.items():
        if bench.theirs.has(tool):
            found[tool] = [str(programs / tool), *options]
    return found


def _says(command: list[str], path: Path) -> int:
    """Return the exit code of `command` for the model at `path`."""
    environment = {**os.environ, **_QUIET}
    done = subprocess.run([*command, str(path)], capture_output=True, env=environment, check=False)
    return done.returncode


def _make(room: Path) -> None:
    """Write the models into `room`, in a process of its own, which imports TensorFlow."""
    program = "import sys; from benchmarks.scanning import build; build(sys.argv[1])"
    quiet = {**os.environ, **_QUIET}
    done = [sys.executable, "-c", program, str(room)]
    subprocess.run(done, check=True, env=quiet, capture_output=True)


def build(folder: str) -> None:
    """Write MobileNetV2 and three models that do harm into `folder`."""
    import tensorflow as tf

    room = Path(folder)
    others.mobilenet(room)
    harm = {
        "prints-to-a-file": lambda x: tf.print(x, output_stream="file:///nowhere/x"),
        "reads-lines": lambda x: tf.data.TextLineDataset(x).reduce(0, lambda n, _: n + 1),
        "calls-python": lambda x: tf.py_function(lambda value: value, [x], tf.string),
    }
    for name, function in harm.items():
        module = tf.Module()
        module.run = tf.function(
            _after(function), input_signature=[tf.TensorSpec([], tf.string, "x")]
        )
        tf.saved_model.save(module, str(room / name), signatures=module.run)


def _after(function: Callable[[Any], object]) -> Callable[[Any], dict[str, Any]]:
    def run(x: Any) -> dict[str, Any]:
        """Do harm and hand `x` on."""
        function(x)
        return {"y": x}

    return run
