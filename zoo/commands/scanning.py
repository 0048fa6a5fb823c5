"""``zoo scan``: what a model would do besides computing, without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zoo import output, scans
from zoo.commands.completion import complete_refs
from zoo.commands.examples import examples
from zoo.commands.libraries import library_options
from zoo.commands.options import speech_options
from zoo.sightings import CLEAN

if TYPE_CHECKING:
    from zoo.library import Library

_NEGATIVE = 1


@click.command("scan", epilog=examples("zoo scan model.pb", "zoo scan keras-vgg16 --json"))
@click.argument("ref", shell_complete=complete_refs)
@click.option("--all", "everything", is_flag=True, help="Leave nothing out.")
@library_options
@speech_options
def scan(ref: str, everything: bool, library: Library, as_json: bool) -> int:
    """Say what the model REF would do besides computing: files, network, Python code.

    Nothing of it is run. Ends with 1 unless it is clean: also where something cannot be judged.
    """
    facts = scans.scan(library, ref)
    if as_json:
        output.say(output.document(facts))
    else:
        from zoo import pages, scan_report

        pages.say(scan_report.sections(facts, everything=everything))
    return 0 if facts["verdict"] == CLEAN else _NEGATIVE


COMMANDS = {"scan": scan}
