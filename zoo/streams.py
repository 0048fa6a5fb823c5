"""Large files on their way to the disk while they are written, and on it when they are closed.

A conversion writes hundreds of megabytes.  Left to itself the page cache keeps them until a sync
waits for all of them; begun early the disk works while the next ones are read, and there is little
to wait for.  That is faster than direct writes, of which a disk gets one at a time.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from zoo import work

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from typing_extensions import Buffer

    from zoo.checksums import Piece

_GATHERED = 1 << 16
"""Bytes from which on a piece is written by itself; smaller ones are put together."""
_AHEAD = 8 << 20
"""Bytes that are written before the disk begins with them."""
_KEPT = 1 << 30
"""Bytes that stay in the page cache for whoever reads the file next; what lies before them goes,
so that a file as large as the memory does not push out what others need."""


class Stream:
    """The file at `path`, new or emptied, written from its beginning to its end.

    When it is closed its bytes are on the disk.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o666)
        self._held = bytearray()
        self._sent = self._begun = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._send_held()
                os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._sent + len(self._held)

    def write(self, data: Piece) -> None:
        """Write `data` behind what was written before."""
        view = memoryview(cast("Buffer", data)).cast("B")
        if len(view) < _GATHERED:
            self._held += view
            if len(self._held) < _GATHERED:
                return
            view = view[:0]
        self._send_held()
        self._send(view)

    def writelines(self, pieces: Iterable[Piece]) -> None:
        """Write all of `pieces`, one after the other."""
        for piece in pieces:
            self.write(piece)

    def _send_held(self) -> None:
        held, self._held = self._held, bytearray()
        self._send(memoryview(held))

    def _send(self, view: memoryview) -> None:
        while len(view):
            count = os.write(self._descriptor, view)
            self._sent += count
            view = view[count:]
            work.done(count)
        if self._sent - self._begun >= _AHEAD:
            self._begin(self._begun, self._sent)
            self._begin(self._begun - _KEPT, self._sent - _KEPT)
            self._begun = self._sent

    def _begin(self, start: int, end: int) -> None:
        """Have the disk take the bytes from `start` to `end`; those that it has leave the cache.

        Linux does both when it is told that they are not needed (``mm/fadvise.c``).
        """
        if end > 0 and hasattr(os, "posix_fadvise"):
            start = max(start, 0)
            with suppress(OSError):  # advice that a file system does not take
                os.posix_fadvise(self._descriptor, start, end - start, os.POSIX_FADV_DONTNEED)
