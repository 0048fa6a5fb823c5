"""Do work in a process of its own, so that what ends the process does not end the answer.

Some kernels of TensorFlow end the whole process where they should say what is wrong, and a system
that is short of memory ends it without a word.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

from zoo.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable

_BUG, _INTERRUPTED, _TERMINATED = 70, 130, 143
_GRACE = 3.0
"""Seconds that a process has to end by itself when it is asked to."""
_MEANING = {
    "SIGABRT": "one of its kernels met a value that it does not expect",
    "SIGBUS": "a file that it reads became shorter, or the disk is full",
    "SIGFPE": "one of its kernels divided by zero",
    "SIGKILL": "the system ended it, as it does where memory is short",
    "SIGSEGV": "one of its kernels read memory that is not its own",
}


def guarded(work: Callable[[], int]) -> int:
    """Return what `work` returns, done in a child of this process where that is possible.

    It is not where TensorFlow or a thread is there already: a child would have half of them.

    Raises
    ------
    RunError
        The child was ended by a signal; the error says by which, and what that means.
    """
    if not hasattr(os, "fork") or threading.active_count() > 1 or "tensorflow" in sys.modules:
        return work()
    _flush()
    alive, held = os.pipe()
    child = os.fork()
    if not child:
        os.close(held)
        _do(work, alive)
    os.close(alive)
    try:
        return _outcome(child)
    finally:
        os.close(held)


def _do(work: Callable[[], int], alive: int) -> None:
    """Do `work` and leave the process with what it returns, or as soon as the pipe `alive` ends."""
    threading.Thread(target=_end_with, args=(alive,), daemon=True).start()
    code = _BUG
    try:
        code = work()
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else _BUG
    except BaseException:  # noqa: BLE001  (the process ends here, whatever it was)
        if sys.stderr is not None:
            traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _flush() -> None:
    """Send on what was printed; a stream that was closed before zoo began is None."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError):  # it was reported where it was printed
                stream.flush()


def _end_with(alive: int) -> None:
    """Leave the process when the parent, which holds the other end of `alive`, is no more."""
    os.read(alive, 1)
    os._exit(_INTERRUPTED)


def _outcome(child: int) -> int:
    """Return the exit code of the process `child`."""
    code, asked = _waited(child)
    if code >= 0:
        return code
    if asked:
        return asked
    raise ended(-code)


def ended(number: int, said: str = "") -> RunError:
    """Return the error for a process of TensorFlow that the signal `number` ended.

    Parameters
    ----------
    said
        What it said itself before it ended.
    """
    name = signal.Signals(number).name
    meaning = said or _MEANING.get(name, "it was sent one")
    return RunError(
        "TensorFlow ended its process in place of an answer",
        found=f"{name}: {meaning}",
        hint="check rank and sizes of what is fed: `zoo inspect` lists what each input takes",
    )


def _waited(child: int) -> tuple[int, int]:
    """Return the exit code of `child`, negative for a signal, and the one that was asked for.

    The second is 0 where nobody asked the process to end.  The child hears of it: the terminal
    sends it an interrupt as well, and a request to end is handed on.  Inside of TensorFlow it
    cannot listen, so it has `_GRACE` seconds to leave by itself; the second interrupt takes them.
    """
    ending = _Ending(child)
    before = {
        number: signal.signal(number, handler)
        for number, handler in ((signal.SIGTERM, ending.ask), (signal.SIGALRM, ending.kill))
    }
    try:
        while True:
            try:
                return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), ending.asked
            except KeyboardInterrupt:
                ending.interrupt()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


class _Ending:
    """How the process `child` is brought to its end."""

    def __init__(self, child: int) -> None:
        self.child = child
        self.asked = 0

    def ask(self, number: int, _: object) -> None:
        """Hand on the request to end; the child has until `_GRACE` is over to follow it."""
        self._begin(_TERMINATED)
        self._send(number)

    def interrupt(self) -> None:
        """Let the child end as the terminal told it to, the first time; end it, the second."""
        if self.asked:
            self.kill()
        self._begin(_INTERRUPTED)

    def kill(self, *_: object) -> None:
        """End the child at once."""
        self._send(signal.SIGKILL)

    def _begin(self, code: int) -> None:
        if not self.asked:  # who asks again does not give it more time
            self.asked = code
            signal.setitimer(signal.ITIMER_REAL, _GRACE)

    def _send(self, number: int) -> None:
        with suppress(ProcessLookupError):  # it has just left
            os.kill(self.child, number)
