"""Things by name, of which some are asked for first: the others only where these will not do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Tiered(Mapping[str, T]):
    """A mapping whose second half is made when a name is not in the first, or all are wanted.

    Parameters
    ----------
    first, others
        Return the things of each tier by name.  Where both have a name, the first one's counts.
    """

    def __init__(
        self, first: Callable[[], Mapping[str, T]], others: Callable[[], Mapping[str, T]]
    ) -> None:
        self._first, self._others = first, others

    def __getitem__(self, name: str) -> T:
        first = self._first()
        return first[name] if name in first else self._others()[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._first(), **self._others()})

    def __len__(self) -> int:
        return len({**self._first(), **self._others()})

    def tiers(self) -> Iterator[Mapping[str, T]]:
        """Yield the things of each tier; the second is made when it is its turn."""
        yield self._first()
        yield self._others()


def tiers(things: Mapping[str, T]) -> Iterator[Mapping[str, T]]:
    """Yield `things` tier by tier; a mapping without tiers is one."""
    if isinstance(things, Tiered):
        yield from things.tiers()
    else:
        yield things
