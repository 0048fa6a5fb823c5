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
from typing import TYPE_CHECKING

from zoo.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable

_BUG, _INTERRUPTED = 70, 130
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
    sys.stdout.flush()
    sys.stderr.flush()
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
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _end_with(alive: int) -> None:
    """Leave the process when the parent, which holds the other end of `alive`, is no more."""
    os.read(alive, 1)
    os._exit(_INTERRUPTED)


def _outcome(child: int) -> int:
    """Return the exit code of the process `child`."""
    before = signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
    try:
        code, interrupted = _waited(child)
    finally:
        signal.signal(signal.SIGTERM, before)
    if code >= 0:
        return code
    if interrupted:
        return _INTERRUPTED
    name = signal.Signals(-code).name
    raise RunError(
        "TensorFlow ended its process in place of an answer",
        found=f"{name}: {_MEANING.get(name, 'it was sent one')}",
        hint="check rank and sizes of what is fed: `zoo inspect` lists what each input takes",
    )


def _waited(child: int) -> tuple[int, bool]:
    """Return the exit code of `child`, negative for a signal, and whether a person interrupted it.

    The terminal sends an interrupt to the child, too, which ends when TensorFlow lets it; the
    second interrupt ends it at once.
    """
    interrupts = 0
    while True:
        try:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), bool(interrupts)
        except KeyboardInterrupt:
            interrupts += 1
            if interrupts > 1:
                os.kill(child, signal.SIGKILL)
