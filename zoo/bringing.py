"""What a name or a URL means becomes files of the store, and what was seen first is remembered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import fetching, pinning, pruning, usage
from zoo.errors import UsageError
from zoo.names import Reference
from zoo.patience import USUAL, Manner

if TYPE_CHECKING:
    from zoo.entries import Entry
    from zoo.fetching import Fetched, Wanted
    from zoo.lockfile import Lock
    from zoo.registry import Registry
    from zoo.sources import Others, Source
    from zoo.store import Store


@dataclass(frozen=True)
class Pinned:
    """A model as it is to be fetched.

    Attributes
    ----------
    name
        Its name and tag; for a bare URL, what its file is called.
    files
        The files of which it consists, and what they must be.
    registry
        The registry that says so; None for a bare URL.
    """

    name: Reference
    files: list[Wanted]
    registry: Registry | None = None


def of_url(url: str, *, trust_first: bool) -> Pinned:
    """Return the file behind a bare `url`; see `zoo.pinning.of_url`."""
    file = pinning.of_url(url, trust_first=trust_first)
    return Pinned(Reference(fetching.file_name(url)), [file])


def of_entry(name: Reference, entry: Entry, registry: Registry, lock: Lock | None) -> Pinned:
    """Return the model `name`, of which `registry` says `entry`.

    Raises
    ------
    IntegrityError
        The project has locked other bytes under this name.
    UsageError
        There is nothing to fetch.
    """
    if not entry.weights:
        raise UsageError(
            f"{name.name} has nothing to fetch",
            found=f"the architecture {entry.architecture!r}, which is installed",
            hint=f"`zoo run {name.name}` works at once",
        )
    name = tagged(name, entry, lock)
    weights = entry.weights[str(name.tag)]
    if weights.link is not None:
        found = f"a link to {registry.base / weights.link}"
        raise UsageError(f"{name} has nothing to fetch", found=found)
    return Pinned(name, pinning.of_weights(name, weights, registry.place, lock), registry)


def tagged(name: Reference, entry: Entry, lock: Lock | None) -> Reference:
    """Return `name` with a tag: its own, the default one when it was locked, or the default one.

    Raises
    ------
    UnknownNameError
        There are no weights with that tag.
    """
    locked = lock.find(name) if lock is not None else None
    return Reference(name.name, entry.tag(name if locked is None else locked.name))


def bring(
    pinned: Pinned,
    store: Store,
    manner: Manner = USUAL,
    *,
    offline: bool = False,
    others: Others = dict,
) -> Fetched:
    """Return the model as it lies in the store.

    Parameters
    ----------
    manner
        How the network is asked.
    offline
        Whether only this machine is asked.
    others
        What opens the URLs that zoo does not open itself.

    Raises
    ------
    FetchError
        No address gave a file; offline, all that are missing are listed.
    IntegrityError
        The bytes are not those that were pinned.
    """
    if offline:
        wanted = [(str(pinned.name), file) for file in pinned.files]
        pinning.refuse_missing(wanted, store, others)
    pruning.budget()  # what it says wrongly is said before anything is fetched
    registry = pinned.registry
    base = Path.cwd() if registry is None else registry.base
    if registry is not None and registry.from_network:
        others = partial(_of_other_machines, others)
    strange = registry is not None and registry.from_network and not registry.private
    with pinning.explaining(None if registry is None else pinned.name, pinned.files[0]):
        found = fetching.fetch(
            pinned.files,
            store,
            base,
            offline=offline,
            manner=manner,
            from_network=strange,
            others=others,
        )
    pinning.remember(None if registry is None else pinned.name, pinned.files[0], found)
    usage.called(store.root, found.sha256, str(pinned.name))
    if not found.from_cache:
        pruning.keep_to_budget(store.root)
    return found


def _of_other_machines(others: Others) -> dict[str, Source]:
    """Return the sources that a registry may name which came from elsewhere."""
    return {scheme: source for scheme, source in others().items() if not source.local}
