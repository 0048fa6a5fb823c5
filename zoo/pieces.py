"""Parts of a file that several connections fetch at once, read in their order.

Where each connection is slow, eight of them are eight times as fast.  A piece is a file of its own
beside the partial, appended to as its bytes come: a kill loses nothing of it.  Whoever reads gets
the bytes in their order, also from the piece that is still on its way.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zoo import resuming
from zoo.addresses import shown
from zoo.asking import Asker
from zoo.errors import DiskError, FetchError
from zoo.mapped import CHUNK
from zoo.network_errors import PassingError
from zoo.resuming import PARTIAL, StartOverError
from zoo.retrying import persisting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from zoo.partials import Partial
    from zoo.patience import Manner

_COURTESY = 0.5
"""Seconds to wait for a thread that cannot do anything any more."""
_LEAST, _MOST = 4 << 20, 64 << 20
"""Bytes of a piece: less is not worth a question, of more there would be too few."""


@dataclass
class Piece:
    """The bytes from `start` to before `end`, of which `written` are in the file at `path`."""

    start: int
    end: int
    path: Path
    written: int = 0


def piece_size(rest: int, connections: int) -> int:
    """Return how many bytes a piece has where `rest` are missing: four for each connection."""
    return min(_MOST, max(_LEAST, -(-rest // (4 * connections))))


def planned(partial: Partial, start: int, size: int, length: int) -> list[Piece]:
    """Return the pieces from byte `start` on: those that are here, and `length` bytes each else."""
    found: list[Piece] = []
    place = start
    for first, path in sorted(partial.pieces().items()):
        written = path.stat().st_size
        if first + written <= max(place, first):
            path.unlink()
            continue
        found += _gap(partial, place, first, length)
        found.append(Piece(first, first + written, path, written))
        place = first + written
    return found + _gap(partial, place, size, length)


def _gap(partial: Partial, start: int, end: int, length: int) -> list[Piece]:
    starts = range(start, end, length)
    return [Piece(one, min(one + length, end), partial.piece(one)) for one in starts]


class Pieces:
    """The bytes of a file from `start` on, of `size` in all, as several connections bring them.

    Entered, it begins with all but one of the connections; that one is for the bytes before
    `start`, and joins the others when these are read.
    """

    def __init__(
        self, url: str, partial: Partial, start: int, size: int, manner: Manner, *, pinned: bool
    ) -> None:
        length = piece_size(size - start, manner.connections)
        patience = replace(manner.patience, sleep=self._sleep)
        self._url, self._pinned = url, pinned
        self._manner = replace(manner, patience=patience)
        self._record = partial.record
        self._place, self._size = start, size
        self._pieces = planned(partial, start, size, length)
        self._open = deque(p for p in self._pieces if p.start + p.written < p.end)
        self._ahead = 2 * manner.connections * length
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._askers: list[Asker] = []
        self._error: FetchError | DiskError | None = None
        self._fatal = self._stopped = False
        self._working = 0

    def __enter__(self) -> Self:
        for _ in range(self._manner.connections - 1):
            self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped = True
        if self._changed.acquire(timeout=_COURTESY):  # a Ctrl-C may have left it held
            self._changed.notify_all()
            self._changed.release()
        for asker in self._askers:
            asker.line.cut()
        for thread in self._threads:
            thread.join(_COURTESY)

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in their order, and remove each piece that was read.

        Raises
        ------
        FetchError
            No connection brought a piece.
        StartOverError
            The file is another one by now, or does not come in parts.
        """
        self._start()
        for piece in self._pieces:
            if piece.end <= self._place:
                continue
            while not piece.written and self._place < piece.end:
                self._wait(piece)
            with piece.path.open("rb") as file:
                file.seek(self._place - piece.start)
                while self._place < piece.end:
                    chunk = file.read(CHUNK)
                    if not chunk:
                        self._wait(piece)
                        continue
                    with self._changed:
                        self._place += len(chunk)
                        self._changed.notify_all()
                    yield chunk
            piece.path.unlink()

    def _wait(self, piece: Piece) -> None:
        """Wait for more of `piece` than was read of it."""
        with self._changed:
            while piece.start + piece.written <= self._place:
                if self._error is not None and self._fatal:
                    raise self._error
                if self._error is not None and not self._working:
                    again = PassingError(self._error.problem, found=self._error.found)
                    if isinstance(self._error, FetchError):
                        again.kind = type(self._error)
                    raise again
                self._changed.wait()

    def _start(self) -> None:
        asker = Asker(self._manner)
        self._askers.append(asker)
        with self._changed:
            self._working += 1
        thread = threading.Thread(target=self._work, args=(asker,), name="pieces", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self, asker: Asker) -> None:
        """Fetch one piece after the other; one that cannot be had is left to other connections."""
        piece = None
        try:
            while (piece := self._next()) is not None:
                self._fetch(asker, piece)
        except (FetchError, DiskError) as error:
            self._fail(error, piece)
        finally:
            asker.line.close()
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def _next(self) -> Piece | None:
        """Return the next piece to fetch, once it is not too far ahead of who reads."""
        with self._changed:
            while self._open and not self._stopped:
                if self._open[0].start < self._place + self._ahead:
                    return self._open.popleft()
                self._changed.wait()
        return None

    def _fail(self, error: FetchError | DiskError, piece: Piece | None) -> None:
        with self._changed:
            self._error = error
            self._fatal = self._fatal or not _may_pass(error)
            if piece is not None:
                self._open.appendleft(piece)

    def _fetch(self, asker: Asker, piece: Piece) -> None:
        before = [piece.written]

        def advanced() -> bool:
            """Tell whether bytes came since this was asked last."""
            gained, before[0] = piece.written - before[0], piece.written
            return gained > 0

        persisting(
            lambda: self._attempt(asker, piece),
            self._manner.patience,
            self._manner.watch,
            advanced,
        )

    def _attempt(self, asker: Asker, piece: Piece) -> None:
        here = piece.start + piece.written
        headers = resuming.question(self._url, here, piece.end, self._record)
        with asker.ask(self._url, headers, pinned=self._pinned) as answer:
            if answer.status != PARTIAL:
                found = f"status {answer.status} for a part"
                raise StartOverError(f"{shown(self._url)} does not come in parts", found=found)
            resuming.refuse_other_part(answer, here, self._record, self._size)
            for chunk in answer.chunks(CHUNK // self._manner.connections):
                self._keep(chunk[: piece.end - here], piece)
                here = piece.start + piece.written
        if here < piece.end and not self._stopped:
            found = f"{piece.end - here} bytes are missing"
            raise PassingError(f"{shown(self._url)} ended too early", found=found)

    def _keep(self, chunk: bytes, piece: Piece) -> None:
        """Append `chunk` to `piece`; never once this was left, when others may own the piece."""
        with self._changed:
            self._refuse_stopped()
            try:
                with piece.path.open("ab", buffering=0) as file:
                    written = file.write(chunk)
            except OSError as error:
                hint = "what is here is kept, and the next fetch goes on from there"
                raise DiskError(
                    f"{piece.path} could not be written", found=str(error.strerror), hint=hint
                ) from error
            piece.written += written
            self._changed.notify_all()
        self._manner.watch.arrived(written)

    def _sleep(self, seconds: float) -> None:
        """Wait, but not when nobody waits for the pieces any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, seconds)
            self._refuse_stopped()

    def _refuse_stopped(self) -> None:
        if self._stopped:
            raise FetchError(f"{shown(self._url)} is not needed any more")


def _may_pass(error: FetchError | DiskError) -> bool:
    """Tell whether what one connection met need not stop the others."""
    return isinstance(error, FetchError) and not isinstance(error, StartOverError)
