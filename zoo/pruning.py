"""Keep the cache small: what was not used for long goes, the least recently used first.

What is pinned stays, and what a process uses.
"""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import amounts, inventory, output, removal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zoo.inventory import Item

BUDGET = "ZOO_CACHE_MAX_SIZE"
_AGES = {inventory.DAMAGED: 7 * 86_400.0, inventory.PARTIAL: 30 * 86_400.0}
"""Seconds after which what is of no use but to be looked at, or to be continued, goes anyway."""
_AT_WORK = 600.0
"""Seconds for which what a download wrote last is taken to be still written to."""


@dataclass(frozen=True)
class Limits:
    """What may stay in the cache.

    Attributes
    ----------
    within
        What was used within so many seconds stays, whatever its size.
    size
        Bytes in all.  If neither is given, nothing is too much.
    keep
        Globs of names that stay.
    """

    within: float | None = None
    size: int | None = None
    keep: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pruned:
    """What was deleted, what should have been but is in use, and the bytes that are there still."""

    gone: tuple[Item, ...]
    busy: tuple[Item, ...]
    left: int


def prune(root: Path, limits: Limits, *, dry: bool = False) -> Pruned:
    """Delete what goes beyond `limits` from the cache `root`, and what dead processes left there.

    Parameters
    ----------
    dry
        Whether it is only said what would go.
    """
    if not dry:
        removal.clear(root)
    found = inventory.items(root)
    gone: list[Item] = []
    busy: list[Item] = []
    left = inventory.total(found)
    for item in _candidates(found, limits):
        if not _is_too_much(item, limits, left):
            continue
        if item.users or not (dry or removal.remove(root, item)):
            busy.append(item)
        else:
            gone.append(item)
            left -= item.size
            if limits.size is not None and left <= limits.size:  # what was freed may be shared
                left = inventory.total(one for one in found if one not in gone)
    return Pruned(tuple(gone), tuple(busy), left)


def budget() -> int | None:
    """Return the bytes that the environment allows the cache to have; None if it says nothing.

    Raises
    ------
    UsageError
        What it says is no size.
    """
    stated = os.environ.get(BUDGET)
    return amounts.size(stated) if stated else None


def keep_to_budget(root: Path) -> None:
    """Delete the least recently used of the cache `root` until it is as small as it may be."""
    allowed = budget()
    if allowed is None:
        return
    pruned = prune(root, Limits(size=allowed))
    if pruned.left > allowed:
        found = f"{output.size(pruned.left)} that are in use or pinned"
        warnings.warn(
            f"{root} is larger than {BUDGET}={os.environ[BUDGET]} allows: {found}", stacklevel=2
        )


def _candidates(found: Sequence[Item], limits: Limits) -> list[Item]:
    """Return what may go, the least recently used first.

    Registries are small, and without them nothing can be found offline: only age counts for them.
    """
    now = time.time()
    free = [
        item
        for item in found
        if not item.pinned
        and (item.kind != inventory.REGISTRY or limits.within is not None)
        and not any(item.is_called(name) for name in limits.keep)
        and not (item.kind == inventory.PARTIAL and now - item.used < _AT_WORK)
    ]
    return sorted(free, key=lambda item: item.used)


def _is_too_much(item: Item, limits: Limits, left: int) -> bool:
    """Tell whether `item` has to go while there are `left` bytes in the cache."""
    age = time.time() - item.used
    if age > _AGES.get(item.kind, float("inf")):
        return True
    if limits.within is None:
        return limits.size is not None and left > limits.size
    return age > limits.within and (limits.size is None or left > limits.size)
