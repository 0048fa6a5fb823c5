"""Print the table: ``python -m benchmarks [--quick] [PART...]``; it asserts nothing."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import report
from benchmarks.answers import one_of
from benchmarks.bench import Bench
from benchmarks.machine import machine, versions
from benchmarks.measure import Failed
from benchmarks.parts import FURTHER, PARTS, part_named
from benchmarks.printing import block, header, table
from benchmarks.theirs import Theirs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.rows import Row

_RUNS, _QUICK_RUNS = 5, 2
_FAILED = "failed"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts that are asked for; print each row, then all of them as a table."""
    asked = _parser().parse_args(arguments)
    runs = asked.runs or (_QUICK_RUNS if asked.quick else _RUNS)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled already
    with tempfile.TemporaryDirectory(prefix="zoo-bench-", dir=asked.room) as name:
        theirs = Theirs.at(asked.others)
        bench = Bench(Path(name), runs, theirs, asked.quick, dict(theirs.missing))
        about = {"machine": machine(), "versions": versions(theirs.versions)}
        print(header(about["machine"], about["versions"], quick=bench.quick, runs=runs), end="\n\n")
        _measure(bench, asked, about)


def _measure(bench: Bench, asked: argparse.Namespace, about: dict[str, Any]) -> None:
    rows, parts = [], {}
    for part in asked.parts or (PARTS if bench.quick else (*PARTS, *FURTHER)):
        start = time.perf_counter()
        for row in _rows(bench, part):
            print(block(row), end="\n\n", flush=True)
            rows.append(row)
        parts[part] = round(time.perf_counter() - start, 1)
    print(table(rows), end="\n\n")
    for name, why in bench.missing.items():
        print(f"missing: {name}: {why}")
    took = ", ".join(f"{part} {seconds:.0f} s" for part, seconds in parts.items())
    print(f"took {sum(parts.values()):.0f} s: {took}")
    if asked.json:
        report.write(asked.json, report.document(bench, about, rows, parts))
        print(f"as JSON: {asked.json}")
    if any(why.startswith(_FAILED) for why in bench.missing.values()):
        sys.exit(1)


def _rows(bench: Bench, part: str) -> Iterator[Row]:
    """Yield what the part measures; one that is not there, or fails, is named as missing."""
    module, function = part_named(part)
    if importlib.util.find_spec(module) is None:
        bench.missing[part] = f"{module} is not in this checkout"
        return
    try:
        yield from getattr(import_module(module), function)(bench)
    except Failed as fault:
        print(f"{part} failed: {fault}", end="\n\n", file=sys.stderr)
        bench.missing[part] = f"{_FAILED}: {str(fault).splitlines()[-1]}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure zoo beside the tools that one would take otherwise, in turn.",
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", type=one_of({**PARTS, **FURTHER}),
        help=f"{', '.join((*PARTS, *FURTHER))}; all of them without",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true", help="small models and few runs: three minutes"
    )
    parser.add_argument("--runs", type=int, help=f"of each command; {_RUNS}, or {_QUICK_RUNS}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the document there too")
    parser.add_argument(
        "--others", type=Path, default=Path(".venv-others"), metavar="DIR",
        help="where the tools of others are: `python -m benchmarks.theirs DIR` makes it",
    )  # fmt: skip
    parser.add_argument(
        "--room", type=Path, metavar="DIR", help="where models are made; 4 GB, 20 GB with `large`"
    )
    return parser


if __name__ == "__main__":
    main()
