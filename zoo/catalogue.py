"""Every registry that counts, as one: the first that has a name wins.

In order: the one given, ``$ZOO_REGISTRY``, the user's own, the bundled one, and
``./registry.yaml``, which may add names but never override one: a folder one happens to stand in
is not trusted.
"""

from __future__ import annotations

import fnmatch
import os
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import home
from zoo.errors import RegistryError, UnknownNameError, counted, did_you_mean
from zoo.names import natural
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
        The file it stands in.
    overrides
        Files that have another entry of that name, which does not count.
    """

    row: Row
    registry: Path
    overrides: tuple[Path, ...]


class Catalogue:
    """The registries `paths`, the most important first."""

    def __init__(self, paths: list[Path], cache: Path) -> None:
        self._paths = paths
        self._cache = cache

    @cached_property
    def registries(self) -> list[Registry]:
        """The registries, opened when they are first asked."""
        return [one for path in self._paths if (one := self._opened(path)) is not None]

    def _opened(self, path: Path) -> Registry | None:
        """Return the registry at `path`; None for a broken one in the folder one stands in.

        Such a file may be anybody's, and another tool's.
        """
        try:
            return Registry(path, self._cache)
        except RegistryError as error:
            if path != LOCAL:
                raise
            warnings.warn(f"./{LOCAL} is passed over: {error.problem}", stacklevel=2)
            return None

    def listed(self, pattern: str = "*") -> list[Listed]:
        """Return the models whose names match the glob `pattern`, in natural order."""
        found: dict[str, Listed] = {}
        for registry in self.registries:
            for row in registry.rows():
                if fnmatch.fnmatchcase(row.name, pattern):
                    found[row.name] = self._merged(found.get(row.name), registry, row)
        return [found[name] for name in sorted(found, key=natural)]

    def names(self) -> set[str]:
        """Return the names of all models."""
        return {name for registry in self.registries for name in registry.names()}

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
            return Listed(row, registry.path, ())
        counts = self.registry_of(row.name)
        if counts.raw(row.name) == registry.raw(row.name):
            return before
        return Listed(before.row, before.registry, (*before.overrides, registry.path))


def standard(given: Path | None = None) -> Catalogue:
    """Return the registries that count here and now, `given` before all others."""
    return Catalogue(list(_paths(given)), home.cache())


def bundled() -> Path:
    """Return the path of the registry that comes with zoo."""
    inside = Path(__file__).parent / "registry.yaml"
    return inside if inside.is_file() else inside.parents[1] / "registry.yaml"


def _paths(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
    named = os.environ.get("ZOO_REGISTRY")
    if named:
        yield Path(named)
    if home.own_registry().is_file():
        yield home.own_registry()
    yield bundled()
    if LOCAL.is_file() and LOCAL.resolve() != bundled().resolve():
        yield LOCAL
