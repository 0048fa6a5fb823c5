"""Where a model that was opened came from, and how far that makes it trusted."""

from __future__ import annotations

import os
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.addresses import shown
from zoo.catalogue import counts
from zoo.errors import UnsupportedError, some
from zoo.findings import USUAL
from zoo.known import key_of_address
from zoo.sources import is_url
from zoo.trust import Origin, Trust

if TYPE_CHECKING:
    from zoo.catalogue import Catalogue
    from zoo.entries import Entry
    from zoo.loaded import Loaded
    from zoo.located import Located
    from zoo.names import Reference
    from zoo.registry import Registry

_GRAPH = "--graph"
"""What the digest of a model calls a graph that lies elsewhere."""


def trust_in(
    found: Located, ref: str | Path, name: Reference | None, catalogue: Catalogue, loaded: Loaded
) -> Trust:
    """Return how far the model at `found`, called `ref`, is trusted by its user's registries.

    Parameters
    ----------
    name
        What `ref` is in `catalogue`, if it is a name.
    """
    levels, called = USUAL, place(ref)
    if name is not None:
        levels = USUAL | _allowed(found.entry, name, catalogue.registry_of(name.name))
        called = str(name)
    told = shown(ref) if isinstance(ref, str) and is_url(ref) else str(ref)
    return Trust(levels, Origin(told, called, partial(_parts, found, loaded)))


def _allowed(entry: Entry | None, name: Reference, registry: Registry) -> frozenset[str]:
    """Return the levels that `registry` allows the model, where its word counts."""
    stated = frozenset(entry.policy.allow if entry and entry.policy else ()) | registry.allowed
    if stated <= USUAL or counts(registry):
        return stated
    warnings.warn(ignored(registry, str(name)), stacklevel=5)
    return frozenset()


def ignored(registry: Registry, whose: str) -> str:
    """Return a sentence on a policy for `whose` that is in a registry whose word does not count."""
    return (
        f"the policy for {whose} is ignored: {registry.place} is neither your own registry nor"
        " the one that comes with zoo"
    )


def place(ref: str | Path) -> str:
    """Return what `ref`, a path or a URL, is called from any folder."""
    if isinstance(ref, str) and is_url(ref):
        return key_of_address(ref.partition("#")[0])
    return str(Path(ref).absolute())


def _parts(model: Located, loaded: Loaded) -> list[tuple[str, Path]]:
    """Return the files of a model, each called by its path in their folder.

    Raises
    ------
    UnsupportedError
        Folders in it are links: what is behind them is no part that could be told.
    """
    path, graph = model.path, model.wishes.graph
    found = [one for one in model.files(loaded) if one != graph]
    if path is not None and path.is_dir():
        links = [str(one) for one in path.rglob("*") if one.is_symlink() and one.is_dir()]
        if links:
            raise UnsupportedError(
                f"{path} has no digest", found=f"links to folders: {some(links)}"
            )
    folder = os.path.commonpath([one.absolute().parent for one in found]) if found else ""
    named = [(one.absolute().relative_to(folder).as_posix(), one) for one in found]
    return named if graph is None else [*named, (_GRAPH, graph)]
