"""Where a model that was opened came from, and how far that makes it trusted."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
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
    from collections.abc import Callable

    from zoo.catalogue import Catalogue
    from zoo.names import Reference
    from zoo.opened import Opened
    from zoo.registry import Registry

    Files = Callable[[Opened], list[Path]]

_GRAPH = "--graph"
"""What the digest of a model calls a graph that lies elsewhere."""


def judged(
    opened: Opened,
    ref: str | Path,
    name: Reference | None,
    catalogue: Catalogue,
    files: Files,
    graph: Path | None,
    *,
    full: bool,
) -> Opened:
    """Return `opened`, called `ref`, with the trust that its user's registries have in it.

    Parameters
    ----------
    name
        What `ref` is in `catalogue`, if it is a name.
    files
        Returns the files of which it consists.
    graph
        The file of its graph, where that is another.
    full
        Whether its user trusts it with anything.
    """
    levels, called = USUAL, place(ref)
    if name is not None:
        levels = USUAL | _allowed(opened, name, catalogue.registry_of(name.name))
        called = str(name)
    told = shown(ref) if isinstance(ref, str) and is_url(ref) else str(ref)
    trust = Trust(levels, Origin(told, called, partial(_parts, opened, files, graph)))
    model = replace(opened.model, trust=trust.full() if full else trust)
    return replace(opened, model=model)


def _allowed(opened: Opened, name: Reference, registry: Registry) -> frozenset[str]:
    """Return the levels that `registry` allows the model, where its word counts."""
    entry = opened.entry
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


def _parts(opened: Opened, files: Files, graph: Path | None) -> list[tuple[str, Path]]:
    """Return the files of a model, each called by its path in their folder.

    Raises
    ------
    UnsupportedError
        Folders in it are links: what is behind them is no part that could be told.
    """
    found = files(opened)
    path = opened.path
    if path is not None and path.is_dir():
        links = [str(one) for one in path.rglob("*") if one.is_symlink() and one.is_dir()]
        if links:
            raise UnsupportedError(
                f"{path} has no digest", found=f"links to folders: {some(links)}"
            )
    folder = os.path.commonpath([one.absolute().parent for one in found]) if found else ""
    named = [(one.absolute().relative_to(folder).as_posix(), one) for one in found]
    return named if graph is None else [*named, (_GRAPH, graph)]
