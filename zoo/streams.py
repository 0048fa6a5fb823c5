"""Large files written past the page cache: at the speed of the disk, whatever memory is free.

A conversion writes hundreds of megabytes that nobody reads at once.  Through the page cache they
push out what others need, cost a page fault each, and go to the disk only when a sync waits for
them. Written directly they cost none of that, and are on the disk when the file is closed.
"""

from __future__ import annotations

import errno
import importlib
import mmap
import os
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from typing_extensions import Buffer

    from zoo.checksums import Piece

_ROOM = 8 << 20
"""Bytes gathered before they are written, at an address that the disk can take them from."""

_DIRECT = getattr(os, "O_DIRECT", 0)
_fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None


class Stream:
    """The file at `path`, new or emptied, written from its beginning to its end.

    When it is closed its bytes are on the disk.  A file system that takes no direct writes gets
    ordinary ones.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o666)
        self._room = memoryview(mmap.mmap(-1, _ROOM))
        self._held = self._sent = 0
        self._direct = False

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
                self._finish()
        finally:
            os.close(self._descriptor)

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._sent + self._held

    def write(self, data: Piece) -> None:
        """Write `data` behind what was written before."""
        view = memoryview(cast("Buffer", data)).cast("B")
        while len(view):
            count = min(len(view), _ROOM - self._held)
            self._room[self._held : self._held + count] = view[:count]
            self._held += count
            view = view[count:]
            if self._held == _ROOM:
                self._send()

    def writelines(self, pieces: Iterable[Piece]) -> None:
        """Write all of `pieces`, one after the other."""
        for piece in pieces:
            self.write(piece)

    def _send(self) -> None:
        if self._sent == 0:
            self._go_direct(_DIRECT != 0)
        self._put(self._room)
        self._sent += self._held
        self._held = 0

    def _finish(self) -> None:
        """Write the rest, whose length no disk could take directly, and wait for the disk."""
        if self._direct:
            self._go_direct(False)
        self._put(self._room[: self._held])
        self._sent += self._held
        self._held = 0
        os.fsync(self._descriptor)

    def _put(self, view: memoryview) -> None:
        while len(view):
            try:
                view = view[os.write(self._descriptor, view) :]
            except OSError as error:
                if error.errno != errno.EINVAL or not self._direct:
                    raise
                self._go_direct(False)  # and write the same bytes once more

    def _go_direct(self, wanted: bool) -> None:
        if _fcntl is None:
            return
        flags = _fcntl.fcntl(self._descriptor, _fcntl.F_GETFL)
        flags = flags | _DIRECT if wanted else flags & ~_DIRECT
        try:
            _fcntl.fcntl(self._descriptor, _fcntl.F_SETFL, flags)
        except OSError:
            return  # the file system has no direct writes
        self._direct = wanted
