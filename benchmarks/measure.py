"""Run a command as a whole process and measure it: wall seconds, peak memory, exit code."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Run:
    """One run of a command: wall seconds, and peak resident memory of its process in megabytes."""

    seconds: float
    megabytes: float


@dataclass(frozen=True)
class Measured:
    """The medians over several runs of a command, or of a function, whose memory is not known."""

    label: str
    seconds: float
    megabytes: float


def once(command: Sequence[str]) -> Run:
    """Run `command` to its end and return what it took; it must succeed."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{errors.decode()}")
    return Run(time.perf_counter() - start, usage.ru_maxrss / 1000)


def in_turn(
    commands: dict[str, Sequence[str]], runs: int, before: Callable[[], None]
) -> list[Measured]:
    """Return the medians of `commands`, in turn, `runs` times; `before` clears up."""
    found: dict[str, list[Run]] = {label: [] for label in commands}
    for _ in range(runs):
        for label, command in commands.items():
            before()
            found[label].append(once(command))
    return [
        Measured(
            label,
            statistics.median(run.seconds for run in taken),
            statistics.median(run.megabytes for run in taken),
        )
        for label, taken in found.items()
    ]


def show(title: str, rows: list[Measured]) -> None:
    """Print `rows`, the first of them zoo's, the others as multiples of it."""
    ours = rows[0]
    print(f"\n{title}")
    for row in rows:
        ratio = "" if row is ours else f"   {row.seconds / ours.seconds:6.2f} x the time"
        if not ours.megabytes:
            print(f"  {row.label:42} {row.seconds:10.4f} s{ratio}")
            continue
        if row is not ours:
            ratio += f", {row.megabytes / ours.megabytes:5.1f} x the memory"
        print(f"  {row.label:42} {row.seconds:8.2f} s {row.megabytes:8.0f} MB{ratio}")
