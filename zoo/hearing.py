"""Listen to a process that is locked in, until it has said all, or has to be ended."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from zoo import apart, errors, output, packets
from zoo.errors import RunError, ZooError

if TYPE_CHECKING:
    from zoo.packets import Packet

USUAL_TIME = 600.0
"""Seconds that a call may take where its caller says nothing, and that opening a model may take."""
_GRACE = 3.0
"""Seconds after which a call that is overdue is ended with its process."""
_PIECE, _TAIL, _MOST_SAID = 1 << 20, 1 << 13, 1 << 20
_OF_MEMORY = ("bad_alloc", "Cannot allocate memory", "out of memory", "OOM when allocating")
_MORE = "give it more memory: --memory SIZE"
_NO_ROOM = "Cannot parse tensor from proto"
"""What TensorFlow says of a constant for which it gets no memory."""
_FATAL = re.compile(r"Check failed|^F\d{4} ")


class Talk:
    """What is said between this process and an isolated one.

    Parameters
    ----------
    memory
        Bytes that may come.
    timeout
        Seconds that the call may take; `USUAL_TIME` if not given.
    means
        What locks the process in.
    heard
        Whether its notes are known already.
    verbose
        Whether what it prints is printed here.
    """

    def __init__(
        self, memory: int, timeout: float | None, means: str, *, heard: bool, verbose: bool
    ) -> None:
        self._reader = packets.Reader(memory + _MOST_SAID)
        self._limit = timeout
        self._means, self._heard, self._verbose = means, heard, verbose
        self._said = bytearray()
        self._values: dict[str, Any] = {}
        self._error: Exception | None = None
        self._done = self._runs = False
        self._deadline = time.monotonic() + USUAL_TIME

    def hold(self, process: subprocess.Popen[bytes], job: bytes) -> None:
        """Send `job`, and listen until the process ends, or has to."""
        assert process.stdin  # noqa: S101  (it was started so)
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(job)
        with selectors.DefaultSelector() as selector:
            for pipe, take in ((process.stdout, self._hear), (process.stderr, self._overhear)):
                assert pipe  # noqa: S101
                selector.register(pipe, selectors.EVENT_READ, take)
            while selector.get_map():
                left = self._deadline - time.monotonic()
                ready = selector.select(left) if left > 0 else []
                if not ready:
                    raise self._overdue()
                for key, _ in ready:
                    data = os.read(key.fd, _PIECE)
                    key.data(data)
                    if not data:
                        selector.unregister(key.fileobj)
        with suppress(subprocess.TimeoutExpired):  # it is ended then
            process.wait(_GRACE)

    def answer(self, code: int) -> dict[str, Any]:
        """Return the arrays that came, by name; the process ended with `code`."""
        if self._error is not None:
            raise self._error
        if self._done:
            return self._values
        number = -code if code < 0 else code - 128
        said = self._said.decode(errors="replace")
        if any(word in said for word in _OF_MEMORY):
            raise _too_little(said)
        if number in set(signal.Signals):
            raise apart.ended(number, _last(said))
        raise RunError("an isolated process gave no answer", found=_last(said) or f"code {code}")

    def _hear(self, data: bytes) -> None:
        for packet in self._reader.packets(data):
            self._take(packet)

    def _overhear(self, data: bytes) -> None:
        """Keep the last of what was printed, and print it where that is wanted."""
        if self._verbose and data:
            output.note(data.decode(errors="replace").rstrip("\n"))
        self._said = (self._said + data)[-_TAIL:]

    def _take(self, packet: Packet) -> None:
        if packet.kind == "array":
            name, value = packets.array(packet)
            self._values[name] = value
        elif packet.kind == "error":
            self._error = _with_hint(packets.error(packet, _kind))
        elif packet.kind == "bug":
            self._error = RuntimeError(f"in an isolated process: {packet.facts.get('text')}")
        elif packet.kind == "running" and not self._runs:  # the first time only
            self._runs = True
            self._deadline = time.monotonic() + (self._limit or USUAL_TIME) + _GRACE
        elif packet.kind == "ready":
            self._tell(packet)
        elif packet.kind == "note" and not self._heard:
            output.note(f"note: {packet.facts.get('text')}")
        self._done = self._done or packet.kind == "done"

    def _tell(self, packet: Packet) -> None:
        if self._verbose:
            by = packet.facts.get("by")
            parts = [name for name, is_so in by.items() if is_so] if isinstance(by, dict) else []
            output.note(f"note: isolated by {self._means}, which closes: {', '.join(parts)}")

    def _overdue(self) -> RunError:
        limit = self._limit or USUAL_TIME
        return RunError(
            f"the call did not end within {limit:g} seconds, and its process was ended",
            hint="give it more time: --timeout SECONDS",
        )


def _kind(name: str) -> type[ZooError] | None:
    """Return the kind of error that is called `name`."""
    kind = getattr(errors, name, None)
    return kind if isinstance(kind, type) and issubclass(kind, ZooError) else None


def _with_hint(error: ZooError) -> ZooError:
    """Return `error`; one of too little memory says how there is more."""
    if any(word in error.found for word in (*_OF_MEMORY, _NO_ROOM)):
        error.hint = f"{_MORE}; a smaller batch may do with less"
    return error


def _too_little(said: str) -> RunError:
    problem = "the model needs more memory than an isolated process is given"
    return RunError(problem, found=_last(said), hint=_MORE)


def _last(said: str) -> str:
    """Return what TensorFlow said last, why it ended first of all."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    fatal = [line for line in lines if _FATAL.search(line)]
    return (fatal or lines or [""])[-1][:300]
