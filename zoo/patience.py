"""How the network is asked: how long one waits, how often one tries, what one is shown."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Watch:
    """What is told how a transfer goes; this one keeps it to itself."""

    def begins(self, name: str, size: int | None, here: int) -> None:
        """Note that `name` is on its way: `size` bytes if that is known, `here` of them here."""

    def arrived(self, count: int) -> None:
        """Note that `count` more bytes are here."""

    def waits(self, seconds: float, why: str) -> None:
        """Note that nothing is done for a while."""

    def ends(self) -> None:
        """Note that no more comes, whether all is here or not."""


@dataclass(frozen=True)
class Patience:
    """Seconds and numbers that bound every wait for somebody else.

    Attributes
    ----------
    connect, silence
        Seconds to wait for a connection, and for the next byte.
    header
        Seconds until a server must have begun to answer.
    window, least
        Fewer than `least` bytes a second over `window` seconds are as good as none.
    total
        Seconds for a whole transfer, if it is bounded.
    attempts
        How often in a row a server may fail without anything having come of it.
    restarts
        How often it may begin anew with what it should have gone on with.
    longest
        Seconds that a server may ask to be left alone.
    lock
        Seconds to wait for another process that fetches the same file.
    """

    connect: float = 10
    silence: float = 30
    header: float = 60
    window: float = 30
    least: float = 1000
    total: float | None = None
    attempts: int = 4
    restarts: int = 3
    longest: float = 120
    lock: float = 600
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def pause(self, failures: int) -> float:
        """Return seconds to wait after so many failures: doubled each time, up to half less.

        What failed for many at once is not asked again by all of them at once.
        """
        import random

        return min(30.0, 0.5 * 2.0 ** (failures - 1)) * random.uniform(0.5, 1)  # noqa: S311


@dataclass(frozen=True)
class Manner:
    """How a file is fetched.

    Attributes
    ----------
    connections
        How many ask for parts of it at once.
    from_network
        Whether its address came over the network: it must not name private addresses then.
    allow_http
        Whether a redirect from ``https:`` to ``http:`` is followed for bytes that are pinned.
    """

    connections: int = 1
    from_network: bool = False
    allow_http: bool = False
    patience: Patience = Patience()
    watch: Watch = Watch()  # noqa: RUF009  (it has no state)


USUAL = Manner()
"""The manner of who asks for no other."""
