"""Long work on many bytes, counted for whoever shows how far it is.

What reads or writes counts with `done`; what knows how much there is to do says so with `counted`;
a command shows it with `shown`.  Where nobody does, counting costs a look at a variable.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zoo.patience import Watch

_shows: ContextVar[Callable[[], Watch] | None] = ContextVar("shows", default=None)
_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def shown(watch: Callable[[], Watch]) -> Iterator[None]:
    """Show the work that is done in the block by what `watch` returns for each piece of it."""
    before = _shows.set(watch)
    try:
        yield
    finally:
        _shows.reset(before)


@contextmanager
def counted(name: str, size: int | None) -> Iterator[None]:
    """Count what is done in the block as `name`, of which there are `size` bytes to do.

    Within work that is counted already it adds nothing.
    """
    show = _shows.get()
    if show is None or _watch.get() is not None:
        yield
        return
    watch = show()
    watch.begins(name, size, 0)
    before = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(before)
        watch.ends()


def done(count: int) -> None:
    """Count `count` bytes as done."""
    watch = _watch.get()
    if watch is not None:
        watch.arrived(count)
