"""Run a command as a whole process and measure it: wall seconds, peak memory, what it said."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.rows import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEGABYTE = 1e6
_OFTEN, _SELDOM, _SHORT = 0.01, 0.05, 0.5
"""Seconds between two looks at the memory of a process, while it is young and later."""


class Failed(Exception):  # noqa: N818  (said of a command)
    """A command ended with an error: which one, and what it said."""


@dataclass(frozen=True)
class Run:
    """One run of a command: wall seconds, peak megabytes of it and its children, its output."""

    seconds: float
    megabytes: float
    said: str


def once(command: Sequence[str]) -> Run:
    """Run `command` to its end and return what it took; `Failed` when it ends with an error."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=errors)
        with _Watch(process.pid) as watch:
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise Failed(_told(command, process.returncode, errors.read()))
        said.seek(0)
        megabytes = max(_largest(usage), watch.peak / _MEGABYTE)
        return Run(seconds, megabytes, said.read().decode())


def quietly(command: Sequence[str]) -> None:
    """Run `command`; `Failed` when it ends with an error."""
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, check=False, capture_output=True, env=quiet)
    if done.returncode:
        raise Failed(_told(command, done.returncode, done.stderr + done.stdout))


def in_turn(
    commands: Mapping[str, Sequence[str]],
    runs: int,
    before: Callable[[], object] = lambda: None,
    seldom: Sequence[str] = (),
    lost: dict[str, str] | None = None,
) -> dict[str, Measured]:
    """Return what each of `commands` takes, in turn, `runs` times, by label.

    Parameters
    ----------
    before
        Clears up, ahead of each run.
    seldom
        Labels of those that take minutes: they are measured in the first turn alone.
    lost
        Takes what the tools of others failed with, by label; these have no figures then.
    """
    taken: dict[str, list[Run]] = {label: [] for label in commands}
    for turn in range(runs):
        for label, command in commands.items():
            if turn and (label in seldom or not taken[label]):
                continue
            before()
            try:
                taken[label].append(once(command))
            except Failed as fault:
                if lost is None or "zoo" in command:
                    raise
                lost[label] = str(fault).splitlines()[-1]
    return {label: _measured(label, found) for label, found in taken.items() if found}


def by_their_own_clock(commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, Measured]:
    """Return what each of `commands` says that it took, in turn; each prints its seconds."""
    taken: dict[str, list[Run]] = {label: [] for label in commands}
    for _ in range(runs):
        for label, command in commands.items():
            run = once(command)
            taken[label].append(Run(float(run.said.split()[-1]), run.megabytes, ""))
    return {label: _measured(label, found) for label, found in taken.items()}


def calls_in_turn(
    ways: Mapping[str, Callable[[], object]],
    rounds: int,
    before: Callable[[], object] = lambda: None,
) -> dict[str, Measured]:
    """Return what each of `ways` takes in this process, in turn, each having been called once."""
    taken: dict[str, list[float]] = {label: [] for label in ways}
    for one in range(rounds + 1):
        for label, way in ways.items():
            before()
            start = time.perf_counter()
            way()
            if one:
                taken[label].append(time.perf_counter() - start)
    return {label: Measured(label, tuple(seconds)) for label, seconds in taken.items()}


def _told(command: Sequence[str], code: int, said: bytes) -> str:
    return f"{' '.join(command)} ended with {code}:\n{said.decode(errors='replace').strip()}"


def _measured(label: str, runs: list[Run]) -> Measured:
    return Measured(label, tuple(run.seconds for run in runs), tuple(run.megabytes for run in runs))


def _largest(usage: resource.struct_rusage) -> float:
    """Return the peak of the largest process in megabytes; 0 where it may be that of this one.

    Between fork and exec a process has the memory of its parent, and Linux counts that too.
    """
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage.ru_maxrss * unit / _MEGABYTE if usage.ru_maxrss > own else 0


class _Watch:
    """Looks at the memory of a process and of all that came from it, from time to time.

    What children share is counted for each of them.  Without ``/proc`` it sees nothing.
    """

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        start = time.monotonic()
        while True:
            self.peak = max(self.peak, sum(map(_resident, _tree(self._pid))))
            young = time.monotonic() - start < _SHORT
            if self._ended.wait(_OFTEN if young else _SELDOM):
                return


def _tree(pid: int) -> Iterator[int]:
    """Yield the process and what came from it; those that end meanwhile are left out."""
    yield pid
    children: list[str] = []
    with contextlib.suppress(OSError):
        for file in Path(f"/proc/{pid}/task").glob("*/children"):
            children += file.read_text().split()
    for child in children:
        yield from _tree(int(child))


def _resident(pid: int) -> int:
    """Return the bytes that the process has in memory, 0 when it has gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0
