"""How a transfer goes, for people: a bar with rate and time left on a terminal, lines elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from zoo import output
from zoo.patience import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress, TaskID

_EVERY = 10.0
"""Seconds between two lines."""
_MINUTE = 60


def watching() -> Watch:
    """Return what shows transfers on standard error, as suits what that is."""
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    if on_terminal and os.environ.get("TERM") != "dumb" and not os.environ.get("CI"):
        return Bar()
    return Lines()


def working() -> Watch:
    """Return what shows work on this machine: as a transfer, where it takes more than a second."""
    return Late(watching)


class Late(Watch):
    """Begins to show something once it has taken `after` seconds; most work is done by then."""

    def __init__(
        self,
        shows: Callable[[], Watch],
        after: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shows, self._after, self._clock = shows, after, clock
        self._watch: Watch | None = None
        self._start: float | None = None
        self._name, self._here = "", 0
        self._size: int | None = None

    def begins(self, name: str, size: int | None, here: int) -> None:
        """Keep what there is to do; the clock starts when something is done."""
        self._name, self._size, self._here = name, size, here

    def arrived(self, count: int) -> None:
        """Count, and begin to show it where it is time."""
        if self._watch is not None:
            self._watch.arrived(count)
            return
        self._here += count
        now = self._clock()
        self._start = now if self._start is None else self._start
        if now - self._start >= self._after:
            self._watch = self._shows()
            self._watch.begins(self._name, self._size, 0)
            self._watch.arrived(self._here)

    def ends(self) -> None:
        """End what is shown, if anything is."""
        if self._watch is not None:
            self._watch.ends()
            self._watch = None


class Lines(Watch):
    """Prints a line now and then, and one for each wait; short transfers get none."""

    def __init__(
        self,
        say: Callable[[str], None] = output.note,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say, self._clock = say, clock
        self._lock = threading.Lock()
        self._name, self._size, self._here, self._new = "", 0, 0, 0
        self._start = self._last = clock()
        self._why = ""

    def begins(self, name: str, size: int | None, here: int) -> None:
        """Begin to count; what is here already does not count for the rate."""
        with self._lock:
            self._name, self._size, self._here, self._new = name, size or 0, here, 0
            self._start = self._last = self._clock()
        if here:
            self._say(f"note: {name}: {output.size(here)} are here already")

    def arrived(self, count: int) -> None:
        """Count, and say how far it is where it is time."""
        with self._lock:
            self._here, self._new, self._why = self._here + count, self._new + count, ""
            now = self._clock()
            if now - self._last < _EVERY:
                return
            self._last = now
            line = self._line(now - self._start)
        self._say(line)

    def waits(self, seconds: float, why: str) -> None:
        """Say why nothing comes, once for each wait."""
        if why != self._why and seconds >= 1:
            self._why = why
            self._say(f"note: {why}; waiting {seconds:.0f} s")

    def _line(self, seconds: float) -> str:
        rate = self._new / seconds
        of = f" of {output.size(self._size)}" if self._size else ""
        parts = [f"{output.size(self._here)}{of}", f"{output.size(int(rate))}/s"]
        if self._size and rate:
            parts.append(f"{_clock_time((self._size - self._here) / rate)} left")
        return f"note: {self._name}: {', '.join(parts)}"


class Bar(Watch):
    """Draws a bar, which is gone when the transfer ends."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._name = ""

    def begins(self, name: str, size: int | None, here: int) -> None:
        """Draw the bar, from where it is."""
        self._name = output.printable(name)
        if self._progress is None:
            self._progress = _drawn()
            self._progress.start()
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(self._name, total=size, completed=here)

    def arrived(self, count: int) -> None:
        """Move it."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=self._name, advance=count)

    def waits(self, seconds: float, why: str) -> None:
        """Say in its place why it does not move, and for how long."""
        if self._progress is None:
            self.begins("", None, 0)
        if self._progress is not None and self._task is not None:
            text = output.printable(f"{why}; waiting {seconds:.0f} s")
            self._progress.update(self._task, description=text)

    def ends(self) -> None:
        """Remove it."""
        if self._progress is not None:
            self._progress.stop()
        self._progress = self._task = None


def _drawn() -> Progress:
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _clock_time(seconds: float) -> str:
    """Return `seconds` as minutes and seconds.

    >>> _clock_time(125.4)
    '2:05'
    """
    whole = int(seconds)
    return f"{whole // _MINUTE}:{whole % _MINUTE:02}"
