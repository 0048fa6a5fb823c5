"""How cost grows with size: ``python -m benchmarks.growth``, figures as JSON and plots as SVG.

Bytes from 10 MB to 6 GB, tensors and registry entries from 10 to 100,000.  Sizes for which the
disk has no room are left out, and named.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import registries, synthetic
from benchmarks.answers import one_of
from benchmarks.bench import ZOO
from benchmarks.machine import machine, versions
from benchmarks.measure import Failed, in_turn, quietly
from benchmarks.theirs import Theirs
from benchmarks.works import SAFE_LOAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.rows import Measured

    Points = Iterator[tuple[int, Measured]]

SCHEMA = 1
_BYTES = (10**7, 10**8, 10**9, 6 * 10**9)
_COUNTS = (10, 100, 1000, 10_000, 100_000)
_LARGE_BYTES, _LARGE_COUNT = 10**9, 10_000
"""From here on each command is run once; TensorFlow exports no more than this."""
_RUNS = 3
_FIGURES = Path("docs/growth/growth.json")
_INSPECT, _CONVERT = "zoo inspect", "zoo convert --to saved_model"
_EXPORT, _LIST = "TensorFlow: restore, export", "tf.train.list_variables"
_LISTED = "import sys, tensorflow as tf; print(len(tf.train.list_variables(sys.argv[1])))"
_EXPORTED = (sys.executable, "-m", "benchmarks.exporting")


def of_bytes(room: Path, runs: int, sizes: Sequence[int] = _BYTES) -> Points:
    """Measure checkpoints of so many bytes of weights, in six tensors."""
    for size in sizes:
        if shutil.disk_usage(room).free < 4 * size:
            print(f"  {size / 1e6:,.0f} MB left out: the disk has no room for four times as much")
            continue
        prefix = room / "large" / "model"
        synthetic.write(prefix, tensors=6, columns=size // 24)
        data, copy = f"{prefix}.data-00000-of-00001", str(room / "target")
        commands = {
            **_commands(prefix, room / "target"),
            "cp, then sync": ["sh", "-c", 'cp "$0" "$1" && sync "$1"', data, copy],
        }
        if size <= _LARGE_BYTES:
            commands[_EXPORT] = [*_EXPORTED, str(prefix), copy]
        yield from _measured(room, size, commands, 1 if size >= _LARGE_BYTES else runs)
        shutil.rmtree(prefix.parent)


def of_tensors(room: Path, runs: int, counts: Sequence[int] = _COUNTS) -> Points:
    """Measure checkpoints of so many tensors of six numbers each."""
    for count in counts:
        prefix = room / "many" / "model"
        synthetic.write(prefix, tensors=count, columns=6)
        commands = _commands(prefix, room / "target")
        commands[_LIST] = [sys.executable, "-c", _LISTED, str(prefix)]
        if count < _LARGE_COUNT:
            commands[_EXPORT] = [*_EXPORTED, str(prefix), str(room / "target")]
        yield from _measured(room, count, commands, 1 if count >= _LARGE_COUNT else runs)
        shutil.rmtree(prefix.parent)


def of_entries(room: Path, runs: int, counts: Sequence[int] = _COUNTS) -> Points:
    """Measure registries of so many models."""
    for count in counts:
        loaders = (SAFE_LOAD, registries.C_LOADER)
        found = registries.of_size(room, count, 1 if count > _LARGE_COUNT else runs, loaders)
        yield from ((count, one) for one in found.values())


SERIES: dict[str, tuple[str, Callable[..., Points]]] = {
    "bytes": ("bytes of weights", of_bytes),
    "tensors": ("tensors in a checkpoint", of_tensors),
    "entries": ("models in a registry", of_entries),
}
"""What is on the axis, and what measures it."""


def _commands(prefix: Path, target: Path) -> dict[str, list[str]]:
    convert = [*ZOO, "convert", str(prefix), str(target), "--to", "saved_model"]
    return {_INSPECT: [*ZOO, "inspect", str(prefix)], _CONVERT: convert}


def _measured(room: Path, size: int, commands: dict[str, list[str]], runs: int) -> Points:
    target = room / "target"

    def clear() -> None:
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)

    lost: dict[str, str] = {}
    found = in_turn(commands, runs, clear, lost=lost)
    clear()
    for label, why in lost.items():
        print(f"  {label} at {size:,}: {why}")
    yield from ((size, one) for one in found.values())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the series that are asked for, and draw all that the file has then."""
    asked = _parser().parse_args(arguments)
    theirs = Theirs.at(asked.others)
    document = {"schema": SCHEMA, "machine": machine(), "versions": versions({}), "series": {}}
    if asked.series and asked.json.exists():
        document["series"] = json.loads(asked.json.read_text())["series"]
    for name in () if asked.draw else asked.series or SERIES:
        axis, measure = SERIES[name]
        print(f"{axis}:", flush=True)
        with tempfile.TemporaryDirectory(prefix="zoo-bench-", dir=asked.room) as room:
            points = [
                _point(*one) for one in measure(Path(room), asked.runs, **_fewer(asked, name))
            ]
        document["series"][name] = {"axis": axis, "points": points}
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(document, indent=1) + "\n")
    _draw(theirs, asked.json)


def _fewer(asked: argparse.Namespace, name: str) -> dict[str, Sequence[int]]:
    """Return the sizes of a quick run: the smallest two."""
    if not asked.quick:
        return {}
    return {"sizes": _BYTES[:2]} if name == "bytes" else {"counts": _COUNTS[:2]}


def _point(size: int, one: Measured) -> dict[str, Any]:
    memory = "" if one.memory is None else f"{one.memory:8.0f} MB"
    print(f"  {size:>13,}  {one.label:32} {one.time:8.2f} s{memory}", flush=True)
    seconds, megabytes = round(one.time, 4), round(one.memory or 0, 1)
    return {"label": one.label, "size": size, "seconds": seconds, "megabytes": megabytes}


def _draw(theirs: Theirs, figures: Path) -> None:
    """Have the plots drawn beside the figures, by the Python that has matplotlib."""
    try:
        quietly([theirs.python, "-m", "benchmarks.plots", str(figures)])
    except Failed as fault:
        print(f"no plots: {str(fault).splitlines()[-1]}")
        return
    print(f"figures: {figures}; plots: {figures.parent}/*.svg")


def _parser() -> argparse.ArgumentParser:
    about = "Measure how cost grows with size, and draw it."
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=about)
    parser.add_argument("series", nargs="*", type=one_of(SERIES), metavar="SERIES",
                        help=f"{', '.join(SERIES)}; all of them without")  # fmt: skip
    parser.add_argument("--json", type=Path, default=_FIGURES, metavar="FILE",
                        help="where the figures go, and the plots beside it")  # fmt: skip
    parser.add_argument("--runs", type=int, default=_RUNS, help="of each command that is short")
    parser.add_argument("--quick", action="store_true", help="the two smallest sizes of each")
    parser.add_argument("--draw", action="store_true", help="measure nothing, draw FILE again")
    parser.add_argument("--others", type=Path, default=Path(".venv-others"), metavar="DIR",
                        help="a virtual environment with matplotlib")  # fmt: skip
    parser.add_argument("--room", type=Path, metavar="DIR", help="where models are made; 24 GB")
    return parser


if __name__ == "__main__":
    main()
