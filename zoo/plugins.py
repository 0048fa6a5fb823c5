"""Find plugins, load each on its own, and collect what they offer.

A plugin that raises, exits or takes a taken name costs itself, never a command: it is set aside and
reported.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from zoo import hookspecs
from zoo.architectures import Architecture
from zoo.errors import PluginError, UnknownNameError, did_you_mean, some
from zoo.formats import Format

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

if TYPE_CHECKING:
    import click

GROUP = "zoo"
_OURS = "zoo"
"""The distribution whose plugins win where two have one name."""

Offer = TypeVar("Offer", Format, Architecture)

_turn = threading.RLock()
"""Hooks need not be fit for threads: one asks them at a time."""


@dataclass(frozen=True)
class Plugin:
    """A plugin that was found: its name, its module, and the distribution that brought it."""

    name: str
    module: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution} {self.version})"


@dataclass(frozen=True)
class Loaded:
    """The outcome of loading plugins: what came in, and what did not and why.

    Attributes
    ----------
    manager
        Holds the plugins that came in.
    found
        Every plugin, in the order they were loaded: the bundled ones first.
    broken
        Those that were set aside, with the reason.
    """

    manager: pluggy.PluginManager
    found: list[Plugin] = field(default_factory=list)
    broken: dict[Plugin, BaseException] = field(default_factory=dict)
    _offers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def owner(self, name: str) -> Plugin:
        """Return the plugin that came in under `name`."""
        return next(p for p in self.found if p.name == name and p not in self.broken)

    def implementations(self, hook: str) -> list[tuple[Plugin, Any]]:
        """Return the functions that implement `hook`, with their plugins; not of broken ones."""
        standing = {plugin.name: plugin for plugin in self.found if plugin not in self.broken}
        return [
            (standing[one.plugin_name], one.function)
            for one in getattr(self.manager.hook, hook).get_hookimpls()
            if one.plugin_name in standing
        ]

    def offers(self, hook: str, kind: type[Offer]) -> dict[str, Offer]:
        """Return what plugins offer through `hook`, by name; each is asked once, by one thread."""
        with _turn:
            if hook not in self._offers:
                self._offers[hook] = _collected(self, hook, kind)
            return self._offers[hook]


def load(found: Iterable[EntryPoint]) -> Loaded:
    """Load the plugins that `found` names, each on its own; none can stop the others."""
    loaded = Loaded(pluggy.PluginManager(GROUP))
    loaded.manager.add_hookspecs(hookspecs)
    for entry in sorted(found, key=_bundled_first):
        plugin = _plugin(entry)
        loaded.found.append(plugin)
        try:
            _register(loaded, plugin, entry)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  (an import may raise anything, SystemExit too)
            loaded.broken[plugin] = error
    return loaded


def installed() -> Loaded:
    """Return the plugins of this environment, loaded once per process, by one thread."""
    with _turn:
        return _installed()


@cache
def _installed() -> Loaded:
    return load(entry_points(group=GROUP))


def formats(loaded: Loaded) -> dict[str, Format]:
    """Return every format on offer, by name."""
    return loaded.offers("zoo_formats", Format)


def architectures(loaded: Loaded) -> dict[str, Architecture]:
    """Return every architecture on offer, by name."""
    return loaded.offers("zoo_architectures", Architecture)


def commands(loaded: Loaded, taken: Collection[str] = ()) -> click.Group:
    """Return a group with the commands of plugins; who adds one in `taken` is set aside."""
    import click

    whole = click.Group("plugins")
    for plugin, function in loaded.implementations("zoo_commands"):
        group = click.Group()
        try:
            function(group)
            clash = sorted(set(group.commands) & {*taken, *whole.commands})
            if clash:
                raise PluginError(f"the command {clash[0]!r} is taken", found=str(plugin))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  (a hook may raise anything)
            loaded.broken[plugin] = error
            continue
        whole.commands.update(group.commands)
    return whole


def format_named(loaded: Loaded, name: str) -> Format:
    """Return the format called `name`.

    Raises
    ------
    UnknownNameError
        Nobody offers it.
    """
    return _named("format", formats(loaded), name)


def architecture_named(loaded: Loaded, name: str) -> Architecture:
    """Return the architecture called `name`.

    Raises
    ------
    UnknownNameError
        Nobody offers it.
    """
    return _named("architecture", architectures(loaded), name)


def _named(kind: str, offered: dict[str, Offer], name: str) -> Offer:
    if name not in offered:
        raise UnknownNameError(
            f"no {kind} is called {name!r}",
            found=some(sorted(offered)),
            hint=did_you_mean(name, offered, "`zoo plugins` says what is installed"),
        )
    return offered[name]


def _bundled_first(entry: EntryPoint) -> tuple[bool, str, str]:
    plugin = _plugin(entry)
    return plugin.distribution != _OURS, plugin.distribution, plugin.name


def _plugin(entry: EntryPoint) -> Plugin:
    name, version = (entry.dist.name, entry.dist.version) if entry.dist else ("unknown", "")
    return Plugin(entry.name, entry.value, name, version)


def _register(loaded: Loaded, plugin: Plugin, entry: EntryPoint) -> None:
    if loaded.manager.has_plugin(plugin.name):
        raise PluginError(
            f"the name {plugin.name!r} is taken", found=str(loaded.owner(plugin.name))
        )
    module = entry.load()
    wanted = getattr(module, "zoo_api", None)
    if wanted != hookspecs.API:
        raise PluginError(
            f"plugin {plugin.name!r} was written for other hooks",
            found=f"zoo_api = {wanted!r}, where this zoo has {hookspecs.API}",
        )
    loaded.manager.register(module, name=plugin.name)
    try:
        loaded.manager.check_pending()
    except pluggy.PluginValidationError:
        loaded.manager.unregister(name=plugin.name)
        raise


def _collected(loaded: Loaded, hook: str, kind: type[Offer]) -> dict[str, Offer]:
    offered: dict[str, Offer] = {}
    owners: dict[str, Plugin] = {}
    for plugin, function in loaded.implementations(hook):
        try:
            new = _asked(function, kind)
            _refuse_taken(kind, new, owners)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  (a hook may raise anything)
            loaded.broken[plugin] = error
            continue
        offered.update(new)
        owners.update(dict.fromkeys(new, plugin))
    return offered


def _asked(function: Any, kind: type[Offer]) -> dict[str, Offer]:
    """Return what a hook's implementation `function` offers, by name."""
    offers = list(function())
    strange = [offer for offer in offers if not isinstance(offer, kind)]
    if strange:
        raise PluginError(
            f"a hook must return {kind.__name__} objects", found=type(strange[0]).__name__
        )
    return {offer.name: offer for offer in offers}


def _refuse_taken(kind: type[Offer], new: Iterable[str], owners: dict[str, Plugin]) -> None:
    for name in new:
        if name in owners:
            raise PluginError(
                f"the {kind.__name__.lower()} {name!r} is offered already", found=str(owners[name])
            )
