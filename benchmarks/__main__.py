"""Print the figures: ``python -m benchmarks [RUNS]``.  It asserts nothing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from benchmarks import fetching, finetuning, large, others, registries, scanning, vgg16
from benchmarks.measure import in_turn, show

_ZOO = [sys.executable, "-m", "zoo"]
_FREEZE_GRAPH = [sys.executable, "-m", "tensorflow.python.tools.freeze_graph"]
_SAVED_MODEL_CLI = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli"]


def main(runs: int) -> None:
    """Measure everything, each command `runs` times, and print the medians."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled already
    print(f"Python {platform.python_version()}, TensorFlow {version('tensorflow')},", end=" ")
    print(f"{platform.machine()}, medians of {runs} runs of whole processes")
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name:
        _start_up(runs)
        registries.measure(Path(name), runs)
        _inspect_others(Path(name), runs)
        _vgg16(Path(name), runs)
        large.measure(Path(name))
    scanning.measure(runs, None)
    fetching.measure(runs)
    finetuning.measure()


def _start_up(runs: int) -> None:
    commands = {
        "zoo list": [*_ZOO, "list"],
        "zoo --help": [*_ZOO, "--help"],
        "import tensorflow": [sys.executable, "-c", "import tensorflow"],
    }
    show("start-up", in_turn(commands, runs, lambda: None))


def _inspect_others(room: Path, runs: int) -> None:
    subprocess.run([sys.executable, "-m", "benchmarks.others", str(room)], check=True)
    for made in others.MADE:
        path = str(room / made.name)
        theirs = [*_SAVED_MODEL_CLI, "show", "--all", "--dir", path]
        if not made.is_saved_model:
            theirs = [sys.executable, "-c", made.reads, path]
        commands = {"zoo inspect": [*_ZOO, "inspect", path], made.tool: theirs}
        show(f"{made.what}: what is in this file?", in_turn(commands, runs, lambda: None))


def _vgg16(room: Path, runs: int) -> None:
    prefix, ours, theirs = room / "vgg16", room / "ours.pb", room / "theirs.pb"
    subprocess.run([sys.executable, "-m", "benchmarks.vgg16", str(prefix)], check=True)
    freeze = [
        f"--input_meta_graph={prefix}.meta",
        f"--input_checkpoint={prefix}",
        "--input_binary=true",
        f"--output_graph={theirs}",
        f"--output_node_names={vgg16.OUTPUT}",
    ]
    commands = {
        "zoo convert --to frozen": _convert(prefix, ours, "frozen"),
        "freeze_graph": [*_FREEZE_GRAPH, *freeze],
    }

    def clear() -> None:
        for path in (ours, theirs):
            path.unlink(missing_ok=True)

    show(
        "VGG16, 138,357,544 parameters: checkpoint to frozen graph", in_turn(commands, runs, clear)
    )
    saved_model = room / "saved_model"
    for target, form in ((ours, "frozen"), (saved_model, "saved_model")):
        subprocess.run(_convert(prefix, target, form), check=True, capture_output=True)
    _copies(room, runs, {"saved_model": ours, "checkpoint": saved_model})
    commands = {
        "zoo inspect, frozen graph": [*_ZOO, "inspect", str(ours)],
        "zoo inspect, checkpoint": [*_ZOO, "inspect", str(prefix)],
        "zoo inspect, SavedModel": [*_ZOO, "inspect", str(saved_model)],
        "saved_model_cli show --all": [
            *_SAVED_MODEL_CLI,
            "show",
            "--all",
            "--dir",
            str(saved_model),
        ],
    }
    show("VGG16: what is in this file?", in_turn(commands, runs, lambda: None))
    shutil.rmtree(saved_model)
    _inside(prefix, room / "small.pb")


def _convert(source: Path, target: Path, form: str) -> list[str]:
    return [*_ZOO, "convert", str(source), str(target), "--to", form]


def _copies(room: Path, runs: int, sources: dict[str, Path]) -> None:
    """Measure conversions beside copies of as many bytes, from `sources` by the new format.

    What zoo wrote is on the disk when it ends; what `cp` wrote is not.
    """
    target = room / "target"

    def clear() -> None:
        """Remove what was written, and have nobody wait for the bytes of another."""
        target.mkdir(exist_ok=True)
        shutil.rmtree(target)
        target.mkdir()
        os.sync()

    data, copy = str(room / "vgg16.data-00000-of-00001"), str(target / "copy")
    for form, source in sources.items():
        commands = {
            f"zoo convert --to {form}": _convert(source, target / "model", form),
            "cp": ["cp", data, copy],
            "cp, then sync": ["sh", "-c", 'cp "$0" "$1" && sync "$1"', data, copy],
        }
        show(f"VGG16: {source.name} to {form}", in_turn(commands, runs, clear))
    shutil.rmtree(target)


def _inside(prefix: Path, small: Path) -> None:
    """Measure what goes on in one process, in a process of its own for each question."""
    for what, path in (
        ("weights", prefix), ("saves", prefix), ("calls", prefix), ("build", small),
        ("memory", small),
    ):  # fmt: skip
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-m", "benchmarks.inside", what, str(path)]
        sys.stdout.flush()
        subprocess.run(command, check=True, env=quiet, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
