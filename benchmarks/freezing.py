"""A checkpoint becomes a frozen graph: zoo, TensorFlow's ``freeze_graph``, tf2onnx's loader."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.bench import ZOO
from benchmarks.measure import in_turn
from benchmarks.vgg16 import OUTPUT
from benchmarks.works import FREEZE_GRAPH, WORKS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.bench import Bench
    from benchmarks.rows import Row

_CONVERT, _LOADER = "zoo convert --to frozen", "tf2onnx: from_checkpoint"
_FROM_CHECKPOINT = (
    "import sys; from tf2onnx import tf_loader;"
    f"tf_loader.from_checkpoint(sys.argv[1], ['images:0'], ['{OUTPUT}:0'])"
)


def rows(bench: Bench) -> Iterator[Row]:
    """Measure them; the loader freezes in memory and writes nothing."""
    prefix, ours, theirs = bench.checkpoint, bench.room / "ours.pb", bench.room / "theirs.pb"
    commands = {
        _CONVERT: [*ZOO, "convert", str(prefix), str(ours), "--to", "frozen"],
        FREEZE_GRAPH: _freeze_graph(prefix, theirs),
    }
    if bench.theirs.has("tf2onnx"):
        commands[_LOADER] = [bench.theirs.python, "-c", _FROM_CHECKPOINT, f"{prefix}.meta"]

    def clear() -> None:
        for path in (ours, theirs):
            path.unlink(missing_ok=True)

    found = in_turn(commands, bench.runs, clear, seldom=[_LOADER], lost=bench.missing)
    clear()
    mine = found.pop(_CONVERT)
    yield WORKS["freeze"].row(bench.subject, mine, list(found.values()))


def _freeze_graph(prefix: Path, target: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "tensorflow.python.tools.freeze_graph"),
        f"--input_meta_graph={prefix}.meta",
        f"--input_checkpoint={prefix}",
        "--input_binary=true",
        f"--output_graph={target}",
        f"--output_node_names={OUTPUT}",
    ]
