"""A file on its way: from an address into a partial, hashed while it comes.

It goes on where it was broken off, in this process or in one that was killed, and begins anew
where the bytes that are here might be of another version.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from zoo import resuming
from zoo.addresses import shown
from zoo.asking import Asker
from zoo.digesting import Digesting
from zoo.errors import FetchError, IntegrityError
from zoo.mapped import CHUNK
from zoo.network_errors import PassingError
from zoo.pieces import Pieces, piece_size
from zoo.resuming import PARTIAL, UNSATISFIABLE, ChangedError, StartOverError
from zoo.retrying import persisting

if TYPE_CHECKING:
    from zoo.asking import Answer
    from zoo.partials import Partial, Record
    from zoo.patience import Manner
    from zoo.store import Pin

_SMALL = 8 << 20
"""Bytes below which a file comes over one connection."""


class Transfer:
    """The file that `pin` means, on its way into `partial`.

    Attributes
    ----------
    patched
        Whether the bytes that are here came from more than one answer, or another process.
    kind
        What the last answer said of its kind, where that tells why its bytes are wrong ones.
    """

    def __init__(self, partial: Partial, pin: Pin, manner: Manner, name: str) -> None:
        self._partial, self._pin, self._manner, self._name = partial, pin, manner, name
        self._asker = Asker(manner)
        self._digesting = Digesting(pin.algorithms)
        self._restarts, self._before, self._in_parts = 0, 0, True
        self._record = partial.record
        self._here, self.kind = partial.size, ""
        self._begun = self.patched = self._here > 0
        if self._here:
            self._manner.watch.begins(f"{name} (what is here)", self._here, 0)
            for chunk in partial.chunks(CHUNK):
                self._digesting.update(chunk)
                self._manner.watch.arrived(len(chunk))

    @property
    def size(self) -> int | None:
        """The length of the whole file in bytes, if it is known."""
        known, record = self._pin.size, self._record
        return known if known is not None or record is None else record.size

    def bring(self, url: str) -> None:
        """Have all of the file in the partial, what is missing of it from `url`.

        Raises
        ------
        FetchError
            It could not be had from there; what came of it stays, to be gone on with.
        IntegrityError
            It is another file.
        DiskError
            There is no room for it.
        """
        self._restarts, self._in_parts, self._before = 0, True, self._here
        while not self._is_whole():
            persisting(
                lambda: self._attempt(url),
                self._manner.patience,
                self._manner.watch,
                self._advanced,
            )

    def digests(self) -> dict[str, str]:
        """Return the digests of what is here; no more may come then."""
        return self._digesting.finish()

    def restart(self) -> None:
        """Forget what is here."""
        self._partial.clear()
        self._record = None
        self._digesting.finish()
        self._digesting = Digesting(self._pin.algorithms)
        self._here = 0
        self._begun = self.patched = False

    def close(self) -> None:
        """End what runs beside, and the connections; what is here stays."""
        self._digesting.finish()
        self._asker.line.close()

    def _is_whole(self) -> bool:
        return self._begun and self._here == self.size

    def _advanced(self) -> bool:
        gained, self._before = self._here - self._before, self._here
        return gained >= CHUNK

    def _attempt(self, url: str) -> None:
        """Ask for what is missing, or for the first part of it."""
        self._take_pieces()
        pinned = bool(self._pin.digests)
        on = self._in_parts and resuming.may_go_on(url, self._record, pinned=pinned)
        if self._here and not on:
            self._anew(url)
        if self._is_whole():
            return
        headers = resuming.question(url, self._here, self._end() if on else None, self._record)
        try:
            with self._asker.ask(url, headers, pinned=pinned) as answer:
                if self._begins(answer):
                    self._receive(url, answer)
        except StartOverError as error:
            self._in_parts = isinstance(error, ChangedError)
            self._anew(url)
            again = PassingError(error.problem, found=error.found)
            again.wait = 0.0
            raise again from None

    def _end(self) -> int | None:
        """Return the byte before which the next answer shall end, if it is not to have all."""
        later = min((start for start in self._partial.pieces() if start > self._here), default=None)
        rest = _SMALL if self.size is None else self.size - self._here
        if self._manner.connections == 1 or rest < _SMALL:
            return later
        end = self._here + piece_size(rest, self._manner.connections)
        return end if later is None else min(end, later)

    def _begins(self, answer: Answer) -> bool:
        """Judge `answer`; tell whether it has bytes that belong behind those that are here."""
        self.kind, self._begun = resuming.described(answer), True
        if answer.status == UNSATISFIABLE:
            resuming.refuse_other_total(answer, self._pin.size)
            if resuming.whole_at(answer) != self._here:
                raise StartOverError(f"{shown(answer.url)} has no such part", found="status 416")
            self._note_size(answer)
            return False
        if answer.status == PARTIAL:
            resuming.refuse_other_part(answer, self._here, self._record, self.size)
        else:
            resuming.refuse_other_length(answer, self._here, self._pin.size)
            if self._here:
                self._anew(answer.url)
                self._begun = True
        if not self._here or self._record is None:
            self._note(resuming.recorded(answer))
        if self.size is not None:
            self._partial.room(self.size)
        self._manner.watch.begins(self._name, self.size, self._here + self._partial.behind)
        return True

    def _receive(self, url: str, answer: Answer) -> None:
        """Append the body of `answer`, and what parallel connections bring from behind it."""
        self.patched = self.patched or self._here > 0
        end = resuming.span(answer)[1] if answer.status == PARTIAL else self.size
        with self._others(url, answer, end) as pieces:
            for chunk in answer.chunks(CHUNK):
                self._append(url, chunk)
                self._manner.watch.arrived(len(chunk))
            if end is None:  # it did not say how long it is, and has ended
                self._note_size(answer)
            elif self._here < end:
                found = f"{self._here} of {end} bytes{self.kind}"
                raise PassingError(f"{shown(answer.url)} ended too early", found=found)
            if pieces is not None:
                self.patched = True
                for chunk in pieces.chunks():
                    self._append(url, chunk)

    def _others(self, url: str, answer: Answer, end: int | None) -> Pieces | nullcontext[None]:
        """Return what fetches from `end` on meanwhile, where there is more and it is wanted."""
        size, many = self.size, self._manner.connections > 1
        if not many or answer.status != PARTIAL or end is None or size is None or end >= size:
            return nullcontext()
        pinned = bool(self._pin.digests)
        return Pieces(url, self._partial, end, size, self._manner, pinned=pinned)

    def _append(self, url: str, chunk: bytes) -> None:
        size = self.size
        if size is not None and self._here + len(chunk) > size:
            self.restart()
            raise IntegrityError(
                f"{shown(url)} is not the file that was pinned",
                found=f"more than {size} bytes{self.kind}",
                hint="nothing of it was kept",
            )
        self._partial.append(chunk)
        self._here += len(chunk)
        self._digesting.update(chunk)

    def _take_pieces(self) -> None:
        """Append the pieces that parallel connections of another process left."""
        while True:
            here = self._here
            for start, path in sorted(self._partial.pieces().items()):
                if start <= self._here:
                    with path.open("rb") as file:
                        file.seek(self._here - start)
                        while chunk := file.read(CHUNK):
                            self._append(self._name, chunk)
                    path.unlink()
            if self._here == here:
                return

    def _note_size(self, answer: Answer) -> None:
        self._note(replace(self._record or resuming.recorded(answer), size=self._here))

    def _note(self, record: Record) -> None:
        self._record = record
        self._partial.note(record)

    def _anew(self, url: str) -> None:
        """Begin anew, if that was not tried too often."""
        self._restarts += 1
        if self._restarts > self._manner.patience.restarts:
            raise FetchError(
                f"{shown(url)} begins anew again and again",
                found=f"{self._restarts} times, without coming to an end",
            )
        self.restart()
