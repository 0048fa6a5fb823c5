"""``zoo formats`` and ``zoo plugins``: what is installed, from where, and what broke."""

from __future__ import annotations

import traceback as tracebacks
import warnings
from typing import TYPE_CHECKING, Any

import click

from zoo import output, plugins
from zoo.commands.examples import examples
from zoo.commands.options import speech_options
from zoo.errors import some
from zoo.found_plugins import CHOICE
from zoo.loaded import PluginWarning, reason

if TYPE_CHECKING:
    from types import TracebackType

    from zoo.formats import Format
    from zoo.found_plugins import Plugin
    from zoo.loaded import Loaded


_READ_ONLY = " (read, not written)"
_SHOWN = 3
"""Names that are shown of what a plugin offers; ``--json`` has all."""


@click.command("formats", epilog=examples("zoo formats"))
@speech_options
def formats(as_json: bool) -> None:
    """List the formats that are installed, and the options each takes."""
    loaded = plugins.installed()
    offered = sorted(plugins.formats(loaded).values(), key=lambda form: form.name)
    if as_json:
        output.say(output.document({"formats": [_facts(form) for form in offered]}))
        return
    rows = [[one.name, one.summary + _READ_ONLY * (not one.written)] for one in offered]
    output.say(output.table(rows))
    options = [
        [f"  {form.name}", option.name, option.summary]
        for form in offered
        for option in form.options
    ]
    if options:
        output.say("\noptions, given as --option NAME=VALUE:")
        output.say(output.table(options))


@click.command("plugins", epilog=examples("zoo plugins", "zoo plugins --traceback"))
@click.option("--traceback", is_flag=True, help="Show where a broken plugin broke.")
@speech_options
@click.pass_context
def list_plugins(ctx: click.Context, traceback: bool, as_json: bool) -> None:
    """List the plugins, where each comes from, what it offers, and what broke."""
    loaded = plugins.installed()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # it is all in the list
        _ask_all(ctx, loaded)
    if as_json:
        facts = [_plugin_facts(loaded, plugin) for plugin in loaded.found]
        output.say(output.document({"plugins": facts}))
        return
    rows = [
        [one.name, f"{one.distribution} {one.version}".rstrip(), one.module, _state(loaded, one)]
        for one in loaded.found
    ]
    output.say(output.table(rows))
    for plugin, error in loaded.broken.items() if traceback else ():
        output.say(f"\n{plugin}:\n{_trace(error)}")


def _ask_all(ctx: click.Context, loaded: Loaded) -> None:
    """Ask every plugin for everything: what it offers shows whether it is broken."""
    root = ctx.find_root().command
    if isinstance(root, click.Group):
        root.list_commands(ctx)
    for offers in plugins.OFFERS:
        len(offers(loaded))


def _state(loaded: Loaded, plugin: Plugin) -> str:
    if plugin in loaded.broken:
        return f"set aside: {reason(loaded.broken[plugin])}"
    if plugin in loaded.left_out:
        return f"left out: {CHOICE} does not name it"
    offered = _offered(loaded, plugin)
    return "; ".join(f"{kind}: {some(names, _SHOWN)}" for kind, names in offered.items()) or "ok"


def _offered(loaded: Loaded, plugin: Plugin) -> dict[str, list[str]]:
    """Return the names that `plugin` offers, by what they are: ``{"formats": ["frozen"]}``."""
    offered: dict[str, list[str]] = {}
    for (hook, name), owner in sorted(loaded.owners.items(), key=lambda pair: pair[0]):
        if owner == plugin:
            offered.setdefault(hook.removeprefix("zoo_").replace("_", " "), []).append(name)
    return offered


def _facts(form: Format) -> dict[str, Any]:
    options = [
        {"name": one.name, "summary": one.summary, "load": one.load, "save": one.save}
        for one in form.options
    ]
    return {
        "name": form.name,
        "summary": form.summary,
        "written": form.written,
        "options": options,
    }


def _plugin_facts(loaded: Loaded, plugin: Plugin) -> dict[str, Any]:
    error = loaded.broken.get(plugin)
    return {
        "name": plugin.name,
        "module": plugin.module,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "bundled": plugin.bundled,
        "left_out": plugin in loaded.left_out,
        "offers": _offered(loaded, plugin),
        "error": None if error is None else reason(error),
        "traceback": None if error is None else _trace(error),
    }


def _trace(error: BaseException) -> str:
    """Return where `error` was raised, from where zoo left its own code on."""
    place = error.__traceback__
    while place and place.tb_next and _is_on_the_way(place):
        place = place.tb_next
    return "".join(tracebacks.format_exception(type(error), error, place)).rstrip()


def _is_on_the_way(place: TracebackType) -> bool:
    module = str(place.tb_frame.f_globals.get("__name__"))
    return module.partition(".")[0] in ("zoo", "importlib", "pluggy")


COMMANDS = {"formats": formats, "plugins": list_plugins}
