"""Import the plugins that are needed, each on its own, and collect what they offer.

The bundled ones are asked first; the others are imported only for what these do not have.
"""

from __future__ import annotations

import traceback
import warnings
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from zoo import found_plugins
from zoo.architectures import Architecture
from zoo.errors import PluginError, UnknownNameError, did_you_mean, some
from zoo.formats import Format, Option
from zoo.found_plugins import FoundPlugins, Plugin
from zoo.loaded import Loaded, PluginWarning, turn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from importlib.metadata import EntryPoint
    from pathlib import Path

    import click

    from zoo.diagnosis import Question
    from zoo.plugin_modules import Hook
    from zoo.scan_rules import ScanRule
    from zoo.sources import Source
    from zoo.tiered import Tiered
    from zoo.transforms import Transform

Offer = TypeVar("Offer")


def load(found: Iterable[EntryPoint] | FoundPlugins, choice: str | None = None) -> Loaded:
    """Return the plugins that are `found`; each is imported when something of it is wanted.

    Parameters
    ----------
    choice
        The names of those that may come in besides the bundled ones, ``"a,b"``; None for all.
    """
    if not isinstance(found, FoundPlugins):
        found = FoundPlugins(found_plugins.by_plugin(found))
    for name in found_plugins.unknown([*found.entries, *found.broken], choice):
        said = f"{found_plugins.CHOICE} names {name!r}, and no plugin of that name is installed"
        warnings.warn(said, PluginWarning, stacklevel=2)
    return Loaded(found, choice)


def installed() -> Loaded:
    """Return the plugins of this environment, looked for once per process, by one thread.

    ``ZOO_PLUGINS`` says which of them may come in besides the bundled ones.
    """
    with turn():
        return _installed(found_plugins.chosen())


@cache
def _installed(choice: str | None) -> Loaded:
    return load(found_plugins.search(), choice)


def formats(loaded: Loaded) -> Tiered[Format]:
    """Return every format on offer, by name."""

    def ask(plugin: Plugin, hook: Hook) -> dict[str, Format]:
        """Return the formats of `plugin`."""
        offered = _by_name(hook(), Format)
        for form in offered.values():
            if not all(isinstance(option, Option) for option in form.options):
                raise PluginError("a format's options must be Option objects", found=form.name)
        if plugin.bundled:
            return offered
        return {name: _careful(loaded, plugin, form) for name, form in offered.items()}

    return loaded.offers("zoo_formats", ask)


def architectures(loaded: Loaded) -> Tiered[Architecture]:
    """Return every architecture on offer, by name."""
    return loaded.offers("zoo_architectures", lambda _, hook: _by_name(hook(), Architecture))


def sources(loaded: Loaded) -> Tiered[Source]:
    """Return what opens URLs besides zoo itself, by scheme."""
    from zoo.sources import SCHEMES, Source

    return loaded.offers("zoo_sources", lambda _, hook: _by_name(hook(), Source), SCHEMES)


def transforms(loaded: Loaded) -> Tiered[Transform]:
    """Return every change of a model on offer, by name."""
    from zoo.transforms import Transform

    return loaded.offers("zoo_transforms", lambda _, hook: _by_name(hook(), Transform))


def scan_rules(loaded: Loaded) -> Tiered[ScanRule]:
    """Return every rule by which a model is looked at, by name."""
    from zoo.scan_rules import ScanRule

    return loaded.offers("zoo_scan_rules", lambda _, hook: _by_name(hook(), ScanRule))


def diagnoses(loaded: Loaded) -> Tiered[Question]:
    """Return every question for ``zoo doctor``, by name."""
    from zoo.diagnosis import Question

    return loaded.offers("zoo_diagnoses", lambda _, hook: _by_name(hook(), Question))


def commands(loaded: Loaded, taken: Collection[str] = ()) -> Tiered[click.Command]:
    """Return the commands of plugins, by name; who adds one in `taken` is set aside."""
    return loaded.offers("zoo_commands", lambda _, hook: _commands_of(hook), taken)


OFFERS: tuple[Callable[[Loaded], Tiered[Any]], ...] = (
    formats,
    architectures,
    sources,
    transforms,
    scan_rules,
    diagnoses,
    commands,
)
"""What plugins can be asked for."""


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


def transform_named(loaded: Loaded, name: str) -> Transform:
    """Return the transform called `name`.

    Raises
    ------
    UnknownNameError
        Nobody offers it.
    """
    return _named("transform", transforms(loaded), name)


def culprit(loaded: Loaded, error: BaseException) -> Plugin | None:
    """Return the plugin, none of ours, in whose code `error` was raised; None if in no such."""
    strangers = {one.root: one for one in loaded.found if not one.bundled}
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    roots = [str(frame.f_globals.get("__name__")).partition(".")[0] for frame in frames]
    return next((strangers[root] for root in reversed(roots) if root in strangers), None)


def _named(kind: str, offered: Mapping[str, Offer], name: str) -> Offer:
    if name not in offered:
        raise UnknownNameError(
            f"no {kind} is called {name!r}",
            found=some(sorted(offered)),
            hint=did_you_mean(name, offered, "`zoo plugins` says what is installed"),
        )
    return offered[name]


def _by_name(offers: Iterable[object], kind: type[Offer]) -> dict[str, Offer]:
    """Return what a hook returned, if it is all of one `kind`, by name."""
    found: dict[str, Offer] = {}
    for offer in offers:
        if not isinstance(offer, kind):
            raise PluginError(
                f"a hook must return {kind.__name__} objects", found=type(offer).__name__
            )
        name, summary = getattr(offer, "name", None), getattr(offer, "summary", None)
        if not isinstance(name, str) or not name.isprintable() or not name.strip():
            raise PluginError(f"a {kind.__name__} must have a name", found=repr(name))
        if not isinstance(summary, str):
            raise PluginError(f"the summary of {name!r} must be text", found=repr(summary))
        found[name] = offer
    return found


def _commands_of(hook: Hook) -> dict[str, click.Command]:
    """Return the commands that a plugin adds, each seen to be one that can be listed."""
    import click

    group = click.Group()
    hook(cli=group)
    for command in group.commands.values():
        command.get_short_help_str()
    return dict(group.commands)


def _careful(loaded: Loaded, plugin: Plugin, form: Format) -> Format:
    """Return a stranger's format as it is asked of every file: what fails is not asked again."""

    def recognises(path: Path) -> bool:
        """Tell whether `path` is one of its own, no where its plugin is set aside."""
        asked: Callable[[], bool] = lambda: bool(form.recognises(path))  # noqa: E731
        return plugin not in loaded.broken and bool(loaded.guarded(plugin, asked))

    return replace(form, recognises=recognises)
