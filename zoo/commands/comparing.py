"""``zoo diff``: are two models the same, without TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zoo import output
from zoo.commands.completion import complete_refs
from zoo.commands.examples import examples
from zoo.commands.libraries import library_options
from zoo.commands.options import speech_options
from zoo.comparisons import diff
from zoo.contrast import Tolerance

if TYPE_CHECKING:
    from zoo.library import Library

_NEGATIVE = 1
_DISTANCE = click.FloatRange(min=0)


@click.command(
    "diff",
    epilog=examples("zoo diff toy-adder adder.pb", "zoo diff before/ after/ --rtol 1e-5 --json"),
)
@click.argument("a", shell_complete=complete_refs)
@click.argument("b", shell_complete=complete_refs)
@click.option("--tags-a", metavar="A,B", help="Tags of the MetaGraph of A, a SavedModel.")
@click.option("--tags-b", metavar="A,B", help="Tags of the MetaGraph of B.")
@click.option("--rtol", type=_DISTANCE, default=0.0, help="Let numbers differ by this share.")
@click.option("--atol", type=_DISTANCE, default=0.0, help="Let numbers differ by this much.")
@click.option("--all", "everything", is_flag=True, help="Leave nothing out.")
@library_options
@speech_options
def compare(
    a: str,
    b: str,
    tags_a: str | None,
    tags_b: str | None,
    rtol: float,
    atol: float,
    everything: bool,
    library: Library,
    as_json: bool,
) -> int:
    """Tell whether the models A and B are the same: signatures, weights bit for bit, graph.

    Ends with 1 where they differ. Names and order of nodes, and the format, make no difference.
    """
    tolerance = Tolerance(rtol, atol)
    facts = diff(library, a, b, tags_a=tags_a, tags_b=tags_b, tolerance=tolerance)
    if as_json:
        output.say(output.document(facts))
    else:
        from zoo import diff_report, pages

        pages.say(diff_report.sections(facts, everything=everything))
    return 0 if facts["equal"] else _NEGATIVE


COMMANDS = {"diff": compare}
