"""Verify what the store has of models, and bring again what is damaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import rehashing
from zoo.errors import UnknownNameError, ZooError, did_you_mean
from zoo.names import reference
from zoo.rehashing import DAMAGED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from zoo.inventory import Item
    from zoo.library import Library

REPLACED = "replaced"


@dataclass(frozen=True)
class Verified:
    """What became of a thing that was verified.

    Attributes
    ----------
    item
        The thing.
    state
        ``sound``, ``unknown`` where nothing says what its bytes should be, ``replaced`` where it
        was damaged and is sound now, ``damaged`` where it could not be replaced.
    aside
        Where the damaged files are now.
    why
        Why it was not replaced.
    """

    item: Item
    state: str
    aside: tuple[Path, ...]
    why: str


def chosen(library: Library, found: Sequence[Item], refs: Sequence[str]) -> list[Item]:
    """Return those of the things `found` in the store that `refs` mean.

    A reference is a glob of the names that were used, a registered name, or the beginning of a
    digest.

    Raises
    ------
    UnknownNameError
        One means none of them.
    """
    taken: dict[str, Item] = {}
    for ref in refs:
        digests = _pinned(library, ref)
        meant = [item for item in found if item.is_called(ref) or item.key in digests]
        if not meant:
            names = sorted({name for item in found for name in item.names})
            raise UnknownNameError(
                f"the store has nothing called {ref!r}",
                hint=did_you_mean(ref, names, "`zoo cache ls` shows what it has"),
            )
        taken.update((item.key, item) for item in meant)
    return [*taken.values()]


def verify(library: Library, found: Sequence[Item]) -> Iterator[Verified]:
    """Yield what became of each of `found` whose bytes can be read again.

    What is damaged is set aside, and fetched anew if a registry has it.
    """
    for checked in rehashing.Rehashing(library.store.root).all(found):
        state, why = checked.state, ""
        if state == DAMAGED:
            why = _brought(library, checked.item)
            state = DAMAGED if why else REPLACED
        yield Verified(checked.item, state, checked.aside, why)


def _brought(library: Library, item: Item) -> str:
    """Fetch `item` anew; return why that was not possible."""
    names = dict.fromkeys([*item.names, *_called(library, item.key)])
    why = "no registry has it" if not names else "it is registered with other bytes now"
    for name in names:
        try:
            if library.fetch(name)[1].sha256 == item.key:
                return ""
        except ZooError as error:
            why = error.problem
    return why


def _called(library: Library, digest: str) -> list[str]:
    """Return the registered names whose weights are pinned to `digest`."""
    rows = (listed.row for listed in library.catalogue.listed())
    return [f"{row.name}:{tag}" for row in rows for tag, pinned in row.tags if pinned == digest]


def _pinned(library: Library, ref: str) -> set[str]:
    """Return the digests to which weights of the registered name `ref` are pinned."""
    name = reference(ref)
    if name is None:
        return set()
    rows = (one.row for one in library.catalogue.listed(name.name) if one.row.name == name.name)
    tags = (pair for row in rows for pair in row.tags)
    return {digest for tag, digest in tags if digest and name.tag in (None, tag)}
