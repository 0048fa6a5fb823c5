"""What is in this file? Three formats, each beside the tool that one would ask today."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.bench import ZOO
from benchmarks.measure import in_turn
from benchmarks.vgg16 import OUTPUT
from benchmarks.works import SHOW, WORKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.bench import Bench
    from benchmarks.rows import Row

SAVED_MODEL_CLI = (sys.executable, "-m", "tensorflow.python.tools.saved_model_cli")
_INSPECT_CHECKPOINT = (sys.executable, "-m", "tensorflow.python.tools.inspect_checkpoint")
_FROM_GRAPHDEF = (
    "import sys; from tf2onnx import tf_loader;"
    f"tf_loader.from_graphdef(sys.argv[1], ['images:0'], ['{OUTPUT}:0'])"
)
_LISTED, _LOADED = "inspect_checkpoint", "tf2onnx: from_graphdef"


def rows(bench: Bench) -> Iterator[Row]:
    """Measure the three of them, ``saved_model_cli show`` beside each."""
    files = {
        "inspect-frozen": bench.frozen,
        "inspect-checkpoint": bench.checkpoint,
        "inspect-saved-model": bench.saved_model,
    }
    commands = {key: [*ZOO, "inspect", str(path)] for key, path in files.items()}
    commands[SHOW] = [*SAVED_MODEL_CLI, "show", "--all", "--dir", str(bench.saved_model)]
    commands[_LISTED] = [*_INSPECT_CHECKPOINT, f"--file_name={bench.checkpoint}"]
    if bench.theirs.has("tf2onnx"):
        commands[_LOADED] = [bench.theirs.python, "-c", _FROM_GRAPHDEF, str(bench.frozen)]
    found = in_turn(commands, bench.runs, seldom=(_LOADED, _LISTED), lost=bench.missing)
    own = {"inspect-frozen": _LOADED, "inspect-checkpoint": _LISTED}
    for key in files:
        ours = found[key].called("zoo inspect")
        theirs = [found[label] for label in (SHOW, own.get(key, "")) if label in found]
        yield WORKS[key].row(bench.subject, ours, theirs)
