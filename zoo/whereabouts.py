"""Where what a name, a path or a URL means lies: found and fetched, and not read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import detect, names, placing, plugins
from zoo.errors import UnknownNameError, did_you_mean
from zoo.sources import is_url

if TYPE_CHECKING:
    from zoo.library import Library


@dataclass(frozen=True)
class Whereabouts:
    """Where a model lies.

    Attributes
    ----------
    path
        Its file, its folder, or the prefix of its files; None where a plugin builds it.
    architecture
        What builds its graph, "" where the files bring it.
    """

    path: Path | None
    architecture: str = ""


def whereabouts(library: Library, ref: str | Path) -> Whereabouts:
    """Return where what `ref` means lies; it is fetched if it is not here.

    Raises
    ------
    UnknownNameError
        Nothing has this name, or nothing lies there.
    FetchError
        No source gave it.
    """
    name = names.reference(ref) if isinstance(ref, str) else None
    if name is not None and name.name in library.catalogue:
        return _registered(library, name)
    path = library.fetch(ref)[1].path if isinstance(ref, str) and is_url(ref) else Path(ref)
    path = placing.inside(path, lambda: library.store.root)
    if not detect.is_something(path, plugins.formats(library.plugins)):
        raise _nothing(library, path, name)
    return Whereabouts(path)


def _registered(library: Library, name: names.Reference) -> Whereabouts:
    from zoo import bringing  # late: what lies at a path needs nothing of the network

    entry = library.catalogue.entry(name.name)
    architecture = entry.architecture or ""
    if not entry.weights and name.tag is None:
        return Whereabouts(None, architecture)
    name = bringing.tagged(name, entry, library.lock)
    weights = entry.weights[str(name.tag)]
    if weights.link is not None:
        path = library.catalogue.registry_of(name.name).base / weights.link
    else:
        forms = plugins.formats(library.plugins)
        path = placing.placed(library.fetch(str(name))[1], weights, forms, library.store)
    return Whereabouts(path, architecture)


def _nothing(library: Library, path: Path, name: names.Reference | None) -> UnknownNameError:
    if name is None:
        return UnknownNameError(f"nothing lies at {path}")
    known = library.catalogue.names()
    hint = did_you_mean(name.name, known, "`zoo list` shows the names")
    return UnknownNameError(
        f"no model is called {str(path)!r}",
        found=f"{len(known)} registered, and no file of that name",
        hint=hint,
    )
