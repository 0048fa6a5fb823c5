"""What is measured beside the table: other files, conversions beside copies, what loads leave."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from benchmarks import others as files
from benchmarks.bench import ZOO
from benchmarks.looking import SAVED_MODEL_CLI
from benchmarks.measure import in_turn, quietly
from benchmarks.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.bench import Bench


def others(bench: Bench) -> Iterator[Row]:
    """Measure ``zoo inspect`` on files that are large in other ways."""
    quietly([sys.executable, "-m", "benchmarks.others", str(bench.room)])
    for made in files.MADE:
        path = str(bench.room / made.name)
        theirs = [*SAVED_MODEL_CLI, "show", "--all", "--dir", path]
        if not made.is_saved_model:
            theirs = [sys.executable, "-c", made.reads, path]
        commands = {"zoo inspect": [*ZOO, "inspect", path], made.tool: theirs}
        ours, other = in_turn(commands, bench.runs).values()
        yield Row(f"inspect-{made.name}", "what is in this file", made.what, ours, (other,))


def copies(bench: Bench) -> Iterator[Row]:
    """Measure conversions beside copies of as many bytes.

    What zoo wrote is on the disk when it ends; what ``cp`` wrote is not.
    """
    target = bench.room / "target"

    def clear() -> None:
        """Remove what was written, and have nobody wait for the bytes of another."""
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        os.sync()

    data, copy = f"{bench.checkpoint}.data-00000-of-00001", str(target / "copy")
    for form, source in {"saved_model": bench.frozen, "checkpoint": bench.saved_model}.items():
        label = f"zoo convert --to {form}"
        commands = {
            label: [*ZOO, "convert", str(source), str(target / "model"), "--to", form],
            "cp": ["cp", data, copy],
            "cp, then sync": ["sh", "-c", 'cp "$0" "$1" && sync "$1"', data, copy],
        }
        ours, *theirs = in_turn(commands, bench.runs, clear).values()
        work = f"{source.name} to {form}"
        yield Row(f"convert-{form}", work, bench.subject, ours, tuple(theirs))
    shutil.rmtree(target)


def left_behind(bench: Bench) -> Iterator[Row]:
    """Measure what a process keeps of models that it has dropped."""
    small = bench.room / "small.pb"
    bench.rows_of("benchmarks.inside", "build", small)
    yield from bench.rows_of("benchmarks.inside", "left-behind", small)
