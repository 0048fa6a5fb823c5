"""Digests of a stream, computed beside it: a second thread hashes what the first one receives."""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_WAITING = 16
"""Chunks that wait to be hashed before whoever brings them has to wait."""
_PAUSE = 0.001
"""Seconds that one waits for the other thread at once."""


class Digesting:
    """The digests of the chunks that are handed in, by `algorithms`; ends with `finish`."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._digests = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
        # unlike `Queue` it is whole after a Ctrl-C in the middle of `put`
        self._chunks: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="digesting", daemon=True)
        self._thread.start()

    def update(self, chunk: bytes) -> None:
        """Take the next chunk."""
        while self._chunks.qsize() >= _WAITING:
            time.sleep(_PAUSE)
        self._chunks.put(chunk)

    def finish(self) -> dict[str, str]:
        """Return the digests by their algorithms, as hexadecimal digits; no more is taken."""
        self._chunks.put(None)
        self._thread.join()
        return {name: digest.hexdigest() for name, digest in self._digests.items()}

    def _work(self) -> None:
        while (chunk := self._chunks.get()) is not None:
            for digest in self._digests.values():
                digest.update(chunk)
