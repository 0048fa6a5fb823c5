"""A file whose bytes are looked at where they lie, or passed on in pieces, never read whole."""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import TYPE_CHECKING

from zoo.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zoo.checksums import Piece

CHUNK = 1 << 20
"""Bytes that a stream holds at once: it fits a processor's cache, and a larger one is no faster."""


class MappedFile:
    """The file at `path`, opened when its bytes are first asked for and kept open.

    Because the open file is what is read, a file that another process puts in its place does not
    disturb a model that is already loaded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._map: mmap.mmap | bytes | None = None
        self._descriptor: int | None = None
        self._size: int | None = None

    def __del__(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def __reduce__(self) -> tuple[type[MappedFile], tuple[Path]]:
        return MappedFile, (self.path,)

    @property
    def size(self) -> int:
        """The file's length in bytes, as it was when it was first asked for."""
        if self._size is None:
            self._size = os.fstat(self._open()).st_size
        return self._size

    def view(self) -> mmap.mmap | bytes:
        """Return the whole file as a read-only buffer; nothing is read before it is touched."""
        if self._map is None:
            descriptor = self._open()
            empty = os.fstat(descriptor).st_size == 0  # which cannot be mapped
            self._map = b"" if empty else mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        return self._map

    def chunks(self, offset: int, length: int) -> Iterator[Piece]:
        """Yield `length` bytes from `offset` on, in pieces of at most `CHUNK`.

        All pieces lie in one place in memory: each is gone when the next one comes.

        Raises
        ------
        FormatError
            The file ends before.
        """
        descriptor, end = self._open(), offset + length
        room = (ctypes.c_char * min(CHUNK, length))()
        while offset < end:
            count = os.preadv(descriptor, [memoryview(room)[: end - offset]], offset)
            if not count:
                raise self.cut_off(end)
            offset += count
            yield (ctypes.c_char * count).from_buffer(room)

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on.

        Raises
        ------
        FormatError
            The file ends before.
        """
        if offset + length > self.size or min(offset, length) < 0:
            raise self.cut_off(offset + length)
        found = os.pread(self._open(), length, offset)
        if len(found) < length:  # it became shorter meanwhile
            raise self.cut_off(offset + length)
        return found

    def cut_off(self, wanted: int) -> FormatError:
        """Return the error for a file that should be `wanted` bytes long at least."""
        return FormatError(
            f"{self.path} is cut off",
            found=f"{self.size} bytes, where its index promises {wanted}",
            hint="fetch or copy the file again",
        )

    def _open(self) -> int:
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            except OSError as error:
                raise FormatError(
                    f"{self.path} cannot be read", found=error.strerror or str(error)
                ) from error
        return self._descriptor
