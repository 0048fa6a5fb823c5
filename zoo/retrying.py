"""Trying again: how often, after how long, and what is said when it was in vain."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from zoo.network_errors import PassingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo.errors import FetchError
    from zoo.patience import Patience, Watch

Result = TypeVar("Result")


def persisting(
    attempt: Callable[[], Result],
    patience: Patience,
    watch: Watch,
    advanced: Callable[[], bool] = lambda: False,
) -> Result:
    """Return what `attempt` returns, which is called again while what it raises may pass.

    Parameters
    ----------
    advanced
        Tells whether an attempt brought something, though it failed: then it does not count.

    Raises
    ------
    FetchError
        It failed too often in a row, took too long in all, or the server wants too long a wait.
    """
    failures, start = 0, time.monotonic()
    while True:
        try:
            return attempt()
        except PassingError as error:
            failures = 1 if advanced() else failures + 1
            if failures >= patience.attempts:
                raise _given_up(error, f"{failures} times") from None
            seconds = patience.pause(failures) if error.wait is None else error.wait
            if seconds > patience.longest:
                raise _given_up(error, f"it asks for {seconds:.0f} seconds") from None
            if _too_long(patience, time.monotonic() - start + seconds):
                raise _given_up(error, f"for {patience.total:g} seconds") from None
            _wait(seconds, f"{error.problem}: {error.found}", patience, watch)


def _wait(seconds: float, why: str, patience: Patience, watch: Watch) -> None:
    """Wait, and have `watch` count the seconds down."""
    while seconds > 0:
        watch.waits(seconds, why)
        patience.sleep(min(1.0, seconds))
        seconds -= 1


def _too_long(patience: Patience, seconds: float) -> bool:
    return patience.total is not None and seconds > patience.total


def _given_up(error: PassingError, how: str) -> FetchError:
    return error.kind(error.problem, found=f"{error.found} ({how})", hint=error.hint)
