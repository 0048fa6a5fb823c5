"""Files that are not all here yet: ``<store>/partial/<key>``, to go on with after any end.

A partial is only ever appended to, by the one process that claimed it (`zoo.claims`); its length
says how much is here, so there is no record that a kill could tear.  Beside it, in ``.json``,
stands what the server said of the file when it was begun, and in ``.<first byte>`` lie pieces from
further behind that parallel connections fetched already.

"""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from zoo.errors import DiskError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_AHEAD = 8 << 20
"""Bytes that are written before the disk begins with them."""


@dataclass(frozen=True)
class Record:
    """What a server said of the file whose beginning is here.

    Attributes
    ----------
    url
        The address, without what may be secret in it.
    etag, modified
        Its validators, as they were sent.
    size
        Its length in bytes.
    """

    url: str
    etag: str | None = None
    modified: str | None = None
    size: int | None = None

    @property
    def strong(self) -> str | None:
        """The validator by which a server can tell that not one byte has changed."""
        return None if self.etag is None or self.etag.startswith("W/") else self.etag


class Partial:
    """The partial at `path`, open as `descriptor`, whose bytes nobody else writes."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._begun = 0
        os.lseek(descriptor, 0, os.SEEK_END)

    @property
    def size(self) -> int:
        """How many bytes are here, from the first one on."""
        return os.fstat(self._descriptor).st_size

    @property
    def record(self) -> Record | None:
        """What the server said, if that was kept."""
        try:
            return Record(**json.loads(self._beside("json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def note(self, record: Record) -> None:
        """Keep what the server said."""
        draft = self._beside("json~")
        draft.write_text(json.dumps(asdict(record)), encoding="utf-8")
        draft.replace(self._beside("json"))

    def append(self, data: bytes) -> None:
        """Write `data` behind what is here.

        Raises
        ------
        DiskError
            The disk is full or failed; what is here stays.
        """
        view = memoryview(data)
        with self._kept():
            while view:
                view = view[os.write(self._descriptor, view) :]
        end = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        if end - self._begun >= _AHEAD:  # the disk begins, so that the sync finds little to do
            with suppress(OSError, AttributeError):
                advice = os.POSIX_FADV_DONTNEED
                os.posix_fadvise(self._descriptor, self._begun, end - self._begun, advice)
            self._begun = end

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield what is here, `size` bytes at once."""
        offset = 0
        while chunk := os.pread(self._descriptor, size, offset):
            offset += len(chunk)
            yield chunk

    def clear(self) -> None:
        """Forget what is here, so that all comes anew."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._begun = 0
        for path in [*self.pieces().values(), self._beside("json")]:
            path.unlink(missing_ok=True)

    def pieces(self) -> dict[int, Path]:
        """Return the pieces from further behind, each by the place of its first byte."""
        found = {}
        for path in self.path.parent.glob(f"{self.path.name}.*"):
            if path.suffix[1:].isdecimal():
                found[int(path.suffix[1:])] = path
        return found

    @property
    def behind(self) -> int:
        """How many bytes are in pieces."""
        return sum(path.stat().st_size for path in self.pieces().values())

    def piece(self, start: int) -> Path:
        """Return where a piece goes whose first byte is number `start`."""
        return self._beside(str(start))

    def room(self, size: int) -> None:
        """Check that the disk has room for a file of `size` bytes, of which some are here.

        Raises
        ------
        DiskError
            It has not; nothing was asked for.
        """
        free = shutil.disk_usage(self.path.parent).free
        needed = size - self.size - self.behind
        if needed > free:
            raise DiskError(
                f"{self.path.parent} has no room for {size} bytes",
                found=f"{needed} bytes are missing, {free} are free",
                hint="free some space, or set ZOO_HOME to a folder on another disk",
            )

    def close(self) -> None:
        """Give the partial up to who comes next; nothing stays where nothing is here."""
        with suppress(OSError):
            if is_at(self._descriptor, self.path) and not self.size:
                self.path.unlink()
            if not self.path.exists():
                for suffix in ("json", "json~"):
                    self._beside(suffix).unlink(missing_ok=True)
        os.close(self._descriptor)

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{suffix}")

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Turn an error of the disk into one that says what is kept."""
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            free = shutil.disk_usage(self.path.parent).free
            raise DiskError(
                f"{self.path} could not be written",
                found=f"{error.strerror}; {free} bytes are free",
                hint=f"{self.size} bytes are kept, and the next fetch goes on from there"
                + ("; free some space first" if full else ""),
            ) from error


def is_at(descriptor: int, path: Path) -> bool:
    """Tell whether the open file is what lies at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
