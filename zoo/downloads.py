"""A file from the network into the store: by one process, from one address after the other.

Whoever wants the same file meanwhile waits, and finds it in the store.  What is published was
hashed byte by byte on its way into a file that nobody else writes; the store has the last word.
"""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import claims, home
from zoo.addresses import shown
from zoo.disk import written
from zoo.errors import IntegrityError, WriteError
from zoo.store import Kept, Pin
from zoo.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zoo.partials import Partial
    from zoo.patience import Manner
    from zoo.store import Store


@contextmanager
def downloading(
    pin: Pin, store: Store, manner: Manner, url: str
) -> Iterator[Callable[[str], Kept]]:
    """Yield what returns the file that `pin` means from an address, for this process alone.

    Another process that is at it is waited for; if it brings the file no address is asked.

    Parameters
    ----------
    url
        The first of its addresses, which stands for a file without a digest.
    """
    folder, key = store.root / "partial", _key(pin, url)
    note, start = folder / f"{key}.done", time.time()

    done: list[Kept] = []

    def is_done() -> bool:
        """Tell whether the file is in the store by now, and note where."""
        found = store.find(pin) or _noted(note, start, store)
        done.extend([found] if found else [])
        return found is not None

    pinned = bool(pin.digests)
    with claims.claimed(folder, key, manner.patience.lock, is_done, copies=pinned) as partial:
        home.mark(store.root)
        if partial is None:
            yield lambda _: done[-1]
        else:
            download = Download(pin, store, manner, partial, note)
            try:
                yield download.take
            finally:
                download.close()


class Download:
    """A file that this process fetches into `partial`, and `note` for who waits for it."""

    def __init__(
        self, pin: Pin, store: Store, manner: Manner, partial: Partial, note: Path
    ) -> None:
        self._pin, self._store, self._manner = pin, store, manner
        self._partial, self._note = partial, note
        self._transfer: Transfer | None = None

    def take(self, url: str) -> Kept:
        """Return the file, what is missing of it from `url`.

        What was put together of several answers and is wrong comes anew, once.

        Raises
        ------
        FetchError
            It could not be had from there; what came of it is kept.
        IntegrityError
            What came is not what was pinned, and is not kept.
        """
        if self._transfer is None:
            name = Path(shown(url).removesuffix("?...")).name
            self._transfer = Transfer(self._partial, self._pin, self._manner, name)
        transfer = self._transfer
        transfer.bring(url)
        patched = transfer.patched
        try:
            return self._published(url, transfer)
        except IntegrityError:
            if not patched:
                raise
        transfer.bring(url)
        return self._published(url, transfer)

    def close(self) -> None:
        """End what runs beside."""
        self._manner.watch.ends()
        if self._transfer is not None:
            self._transfer.close()

    def _published(self, url: str, transfer: Transfer) -> Kept:
        """Return the file, now in the store."""
        path, pin = self._partial.path, self._pin
        try:
            with written(path):
                found, size = transfer.digests(), self._partial.size
                if pin.sha256 is None:  # before the partial's name is free for others
                    _note_down(self._note, found["sha256"], size)
                kept = self._store.take(path, found, size, pin, shown(url))
        except IntegrityError as error:
            transfer.restart()
            found_then = error.found + transfer.kind
            raise IntegrityError(error.problem, found=found_then, hint=error.hint) from None
        except WriteError:
            there = self._store.find(pin)  # who could not lock has tidied up
            if there is None:
                raise
            return there
        claims.forget(path.parent, _key(pin, url))
        return kept


def _key(pin: Pin, url: str) -> str:
    """Return what a partial is called: its digest, or that of its address."""
    if pin.sha256 is not None:
        return pin.sha256
    if pin.digests:
        return "_".join(pin.digests[0])
    return "url_" + hashlib.sha256(url.encode()).hexdigest()


def _noted(note: Path, start: float, store: Store) -> Kept | None:
    """Return the file that another process has fetched since `start`, if it left a note."""
    try:
        if note.stat().st_mtime < start:
            return None
        facts = json.loads(note.read_text(encoding="utf-8"))
        return store.find(Pin((("sha256", str(facts["sha256"])),), int(facts["size"])))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _note_down(note: Path, sha256: str, size: int) -> None:
    """Tell those who wait for a file without a sha256 which one it becomes."""
    with suppress(OSError):
        draft = note.with_suffix(".done~")
        draft.write_text(json.dumps({"sha256": sha256, "size": size}), encoding="utf-8")
        draft.replace(note)
