"""``zoo formats`` and ``zoo plugins``: what is installed, from where, and what broke."""

from __future__ import annotations

import traceback as tracebacks
from typing import TYPE_CHECKING, Any

import click

from zoo import output, plugins
from zoo.commands.options import speech_options
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.formats import Format
    from zoo.plugins import Loaded, Plugin


_READ_ONLY = " (read, not written)"


@click.command("formats")
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
    _warn(loaded)


@click.command("plugins")
@click.option("--traceback", is_flag=True, help="Show where a broken plugin broke.")
@speech_options
def list_plugins(traceback: bool, as_json: bool) -> None:
    """List the plugins, where each comes from, and what broke."""
    loaded = plugins.installed()
    for ask in (plugins.formats, plugins.architectures, plugins.commands):
        ask(loaded)  # what a plugin offers shows whether it is broken
    if as_json:
        output.say(output.document({"plugins": [_plugin_facts(loaded, p) for p in loaded.found]}))
        return
    rows = []
    for plugin in loaded.found:
        error = loaded.broken.get(plugin)
        state = "ok" if error is None else f"set aside: {_reason(error)}"
        rows.append([plugin.name, f"{plugin.distribution} {plugin.version}", plugin.module, state])
    output.say(output.table(rows))
    for plugin, error in loaded.broken.items() if traceback else ():
        output.say(f"\n{plugin}:\n{_trace(error)}")


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
        "error": None if error is None else _reason(error),
    }


def _reason(error: BaseException) -> str:
    if isinstance(error, ZooError):
        return f"{error.problem} ({error.found})" if error.found else error.problem
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _trace(error: BaseException) -> str:
    return "".join(tracebacks.format_exception(error)).rstrip()


def _warn(loaded: Loaded) -> None:
    for plugin, error in loaded.broken.items():
        output.note(f"zoo: plugin {plugin} was set aside: {_reason(error)}")


COMMANDS = {"formats": formats, "plugins": list_plugins}
