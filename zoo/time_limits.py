"""Work of others with a time limit: what takes longer is left behind, and it is said where it was.

The work is done in a thread, which Python cannot end: one that was left behind goes on until the
process ends.  A signal would end it, at any place, and leave a half-imported TensorFlow behind.
"""

from __future__ import annotations

import contextvars
import sys
import threading
import traceback
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class OverdueError(TimeoutError):
    """Work was not done in time, and was left behind."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """Return what `work` returns; whatever it raises is raised, `SystemExit` too.

    Raises
    ------
    OverdueError
        It took longer than `seconds`.  A note on the error says where it was.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        """Do the work, and keep what comes of it."""
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001  (it is raised again where it is waited for)
            errors.append(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,), daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise _too_long(seconds, thread)
    if errors:
        raise errors[0]
    return results[0]


def _too_long(seconds: float, thread: threading.Thread) -> OverdueError:
    error = OverdueError(f"it was not done after {seconds:g} s")
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is not None:
        error.add_note("it was here:\n" + "".join(traceback.format_stack(frame)).rstrip())
    return error
