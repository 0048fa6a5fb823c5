"""Every registry that counts, as one: the first that has a name wins.

In order: the one given, ``$ZOO_REGISTRY``, the user's own, the bundled one, and
``./registry.yaml``, which may add names but never override one: a folder one happens to stand in
is not trusted.
"""

from __future__ import annotations

import fnmatch
import os
import re
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import home
from zoo.errors import RegistryError, UnknownNameError, counted, did_you_mean
from zoo.names import natural
from zoo.offline import is_offline
from zoo.registry import Registry, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.entries import Entry

LOCAL = Path("registry.yaml")


@dataclass(frozen=True)
class Listed:
    """A model as a list shows it.

    Attributes
    ----------
    row
        Its name, summary and tags.
    registry
        The file it stands in, or the URL.
    overrides
        Registries that have another entry of that name, which does not count.
    """

    row: Row
    registry: Path | str
    overrides: tuple[Path | str, ...]


class Catalogue:
    """The registries at `places`, paths and URLs, the most important first.

    Parameters
    ----------
    cache
        The folder of the cache.
    offline
        Whether no server is asked for one: the copy that was read last counts.
    """

    def __init__(self, places: list[Path | str], cache: Path, *, offline: bool = False) -> None:
        self._places = places
        self._cache = cache
        self._offline = offline

    @cached_property
    def registries(self) -> list[Registry]:
        """The registries, opened when they are first asked: one view for as long as this lives."""
        return [one for place in self._places if (one := self._opened(place)) is not None]

    def _opened(self, place: Path | str) -> Registry | None:
        """Return the registry at `place`; None for a broken one in the folder one stands in.

        Such a file may be anybody's, and another tool's.
        """
        if isinstance(place, str):
            from zoo import remote_registry

            found: Registry = remote_registry.opened(place, self._cache, offline=self._offline)
            return found
        try:
            return Registry(place, self._cache)
        except RegistryError as error:
            if place != LOCAL:
                raise
            warnings.warn(f"./{LOCAL} is passed over: {error.problem}", stacklevel=2)
            return None

    def listed(self, pattern: str = "*") -> list[Listed]:
        """Return the models whose names match the glob `pattern`, in natural order."""
        found: dict[str, Listed] = {}
        beginning, matches = re.split(r"[*?[]", pattern)[0], re.compile(fnmatch.translate(pattern))
        for registry in self.registries:
            for row in registry.rows(beginning):
                if matches.match(row.name):
                    found[row.name] = self._merged(found.get(row.name), registry, row)
        return [found[name] for name in sorted(found, key=natural)]

    def names(self, prefix: str = "") -> set[str]:
        """Return the names of all models that begin with `prefix`."""
        return {name for registry in self.registries for name in registry.names(prefix)}

    def __contains__(self, name: str) -> bool:
        return any(name in registry for registry in self.registries)

    def registry_of(self, name: str) -> Registry:
        """Return the registry whose entry of `name` counts.

        Raises
        ------
        UnknownNameError
            No registry has it.
        """
        for registry in self.registries:
            if name in registry:
                return registry
        raise UnknownNameError(
            f"no model is called {name!r}",
            found=f"{counted(len(self.names()), 'model')} in "
            + counted(len(self.registries), "registry", "registries"),
            hint=did_you_mean(name, self.names(), "`zoo list` shows them"),
        )

    def unknown(self, ref: str) -> UnknownNameError:
        """Return the error for `ref`, which is neither a name nor a file."""
        known = self.names()
        return UnknownNameError(
            f"no model is called {ref!r}",
            found=f"{len(known)} registered, and no file of that name",
            hint=did_you_mean(ref.partition(":")[0], known, "`zoo list` shows the names"),
        )

    def entry(self, name: str) -> Entry:
        """Return the entry of `name`, validated.

        Raises
        ------
        UnknownNameError
            No registry has it.
        RegistryError
            The entry is wrong.
        """
        return self.registry_of(name).entry(name)

    def _merged(self, before: Listed | None, registry: Registry, row: Row) -> Listed:
        if before is None:
            return Listed(row, registry.place, ())
        counts = self.registry_of(row.name)
        if counts.raw(row.name) == registry.raw(row.name):
            return before
        return Listed(before.row, before.registry, (*before.overrides, registry.place))


def standard(given: Path | str | None = None, *, offline: bool = False) -> Catalogue:
    """Return the registries that count here and now, `given`, a path or URL, before all others."""
    return Catalogue(list(_places(given)), home.cache(), offline=is_offline(offline))


def is_url(place: Path | str) -> bool:
    """Tell whether a registry is to be asked from a server.

    >>> is_url("https://example.org/registry.yaml#sha256=00"), is_url("registry.yaml")
    (True, False)
    """
    return isinstance(place, str) and place.startswith(("http://", "https://"))


def bundled() -> Path:
    """Return the path of the registry that comes with zoo."""
    inside = Path(__file__).parent / "registry.yaml"
    return inside if inside.is_file() else inside.parents[1] / "registry.yaml"


def counts(registry: Registry) -> bool:
    """Tell whether the word of `registry` counts on what models may do.

    The user's own does, unless others can write it, and the one that comes with zoo; a folder or a
    server must not say that what they offer is to be trusted.
    """
    if registry.from_network:
        return False
    place, own = registry.path.resolve(), home.own_registry()
    return place == bundled().resolve() or (place == own.resolve() and home.is_ours(own))


def _places(given: Path | str | None) -> Iterator[Path | str]:
    for place in (given, os.environ.get("ZOO_REGISTRY")):
        if place:
            yield place if is_url(place) else Path(place)
    if home.own_registry().is_file():
        yield home.own_registry()
    yield bundled()
    if LOCAL.is_file() and LOCAL.resolve() != bundled().resolve():
        yield LOCAL
