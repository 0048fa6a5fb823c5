"""``zoo inspect``: what is in a model, without TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zoo import output
from zoo.commands.completion import complete_refs
from zoo.commands.examples import examples
from zoo.commands.libraries import library_options
from zoo.commands.options import (
    attaching_options,
    format_option,
    speech_options,
    tags_option,
)

if TYPE_CHECKING:
    from zoo.library import Library
    from zoo.renaming import Wishes


@click.command("inspect", epilog=examples("zoo inspect model.pb", "zoo inspect vgg16 --json"))
@click.argument("ref", shell_complete=complete_refs)
@tags_option
@click.option("--all", "everything", is_flag=True, help="Leave nothing out.")
@click.option(
    "--weights", "only_weights", is_flag=True, help="Show the weights alone, all of them."
)
@click.option("--ops", "only_ops", is_flag=True, help="Show all operations, and only them.")
@click.option("--tensors", metavar="GLOB", help="Show the tensors of the graph with such names.")
@attaching_options
@format_option
@library_options
@speech_options
def inspect(
    ref: str,
    tags: list[str] | None,
    everything: bool,
    only_weights: bool,
    only_ops: bool,
    tensors: str | None,
    wishes: Wishes,
    read_as: str | None,
    library: Library,
    as_json: bool,
) -> None:
    """Show what is in the model REF: a registered name, a path, or a URL."""
    facts = library.inspect(ref, read_as, {"tags": tags}, wishes, tensors)
    if as_json:
        output.say(output.document(facts))
        return
    from zoo import pages, report

    chosen = [report.weights(facts, everything=True)] if only_weights else []
    chosen += [report.ops(facts, everything=True)] if only_ops else []
    chosen += [report.tensors(facts)] if tensors is not None else []
    pages.say(chosen or report.sections(facts, everything=everything))


COMMANDS = {"inspect": inspect}
