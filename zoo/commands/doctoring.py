"""``zoo doctor``: why a file does not load, and the command that does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zoo import doctor, opinions, output, plugins
from zoo.commands.examples import examples
from zoo.commands.options import speech_options
from zoo.commands.places import Place
from zoo.errors import counted

if TYPE_CHECKING:
    from pathlib import Path

_NEGATIVE = 1
_STOPS = "error"


@click.command("doctor", epilog=examples("zoo doctor model.pb", "zoo doctor model.pb --json"))
@click.argument("path", type=Place())
@speech_options
def examine(path: Path, as_json: bool) -> int:
    """Say why what lies at PATH does not load, or loads and disappoints, and what helps.

    Ends with 1 where something stops it.
    """
    loaded = plugins.installed()
    facts = doctor.examine(path, plugins.formats(loaded), opinions.of_plugins(loaded))
    output.say(output.document(facts) if as_json else _page(facts))
    stops = any(one["severity"] == _STOPS for one in facts["diagnoses"])
    return _NEGATIVE if stops else 0


def _page(facts: dict[str, Any]) -> str:
    found = facts["diagnoses"]
    if not found:
        return f"{facts['path']}: {facts['format']}, nothing found wrong with it"
    head = f"{facts['path']}: {facts['format'] or 'not readable'}, {counted(len(found), 'finding')}"
    return "\n\n".join([head, *map(_finding, found)])


def _finding(one: dict[str, str]) -> str:
    lines = [f"{one['severity']}: {one['cause']}"]
    lines += [f"  found: {one['found']}"] if one["found"] else []
    lines += [f"  help:  {one['help']}"] if one["help"] else []
    return "\n".join(lines)


COMMANDS = {"doctor": examine}
