"""Scanning a SavedModel of Keras: ``python -m benchmarks.scanning [RUNS] [BIN]``.

Beside zoo it runs modelscan and modelaudit, which are not among its own requirements: BIN is the
folder of programs of an environment in which they are installed (modelscan with TensorFlow, else it
skips such models).  Which models each of them flags is printed too: one that only computes, and
three that do not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks import others
from benchmarks.measure import Measured, show

if TYPE_CHECKING:
    from collections.abc import Callable

_TOOLS = {"modelscan": ["-p"], "modelaudit": ["scan"]}
_QUIET = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
_CLEAN = 0


def measure(runs: int, programs: Path | None) -> None:
    """Measure zoo, and what is installed in the folder `programs`, in turn."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled already
    commands = {"zoo scan": [sys.executable, "-m", "zoo", "scan"]}
    for tool, options in _TOOLS.items():
        if programs is not None and (programs / tool).is_file():
            commands[tool] = [str(programs / tool), *options]
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name:
        room = Path(name)
        _make(room)
        seconds: dict[str, list[float]] = {label: [] for label in commands}
        for _ in range(runs):
            for label, command in commands.items():
                seconds[label].append(_run([*command, str(room / "mobilenet")])[0])
        rows = [Measured(label, median(taken), 0.0) for label, taken in seconds.items()]
        show("MobileNetV2, a SavedModel of Keras of 1.6 MB: what would it do?", rows)
        for label, command in commands.items():
            said = {path.name: _run([*command, str(path)])[1] for path in sorted(room.iterdir())}
            words = (f"{name}: {'clean' if code == _CLEAN else 'flagged'}"
                     for name, code in said.items())  # fmt: skip
            print(f"  {label:42} {', '.join(words)}")


def _run(command: list[str]) -> tuple[float, int]:
    """Return the seconds that `command` takes, and its exit code."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, env={**os.environ, **_QUIET}, check=False)
    return time.perf_counter() - start, done.returncode


def _make(room: Path) -> None:
    """Write the models into `room`, in a process of its own, which imports TensorFlow."""
    program = "import sys; from benchmarks.scanning import build; build(sys.argv[1])"
    quiet = {**os.environ, **_QUIET}
    subprocess.run([sys.executable, "-c", program, str(room)], check=True, env=quiet)


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


if __name__ == "__main__":
    words = sys.argv[1:]
    count = int(words.pop(0)) if words and words[0].isdigit() else 3
    measure(count, Path(words[0]) if words else None)
