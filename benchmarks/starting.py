"""How soon zoo says something, beside the import that every other tool begins with."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.bench import ZOO
from benchmarks.measure import in_turn
from benchmarks.works import IMPORT, WORKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.bench import Bench
    from benchmarks.rows import Row


def rows(bench: Bench) -> Iterator[Row]:
    """Measure the two commands that people begin with."""
    commands = {
        "zoo list": [*ZOO, "list"],
        "zoo --help": [*ZOO, "--help"],
        IMPORT: [sys.executable, "-c", "import tensorflow"],
    }
    found = in_turn(commands, bench.runs)
    theirs = [found[IMPORT]]
    yield WORKS["list"].row("the bundled registry", found["zoo list"], theirs)
    yield WORKS["help"].row("all commands", found["zoo --help"], theirs)
