"""The options that say how a conversion is verified."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

import click

from zoo import values
from zoo.both_sides import Asked
from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.commands.options import Command
    from zoo.specs import TensorSpec

_VERIFYING = (
    click.option(
        "--verify", is_flag=True, help="Run both with TensorFlow; publish only what agrees."
    ),
    click.option(
        "--input",
        "verify_inputs",
        metavar="NAME=VALUE",
        multiple=True,
        help="A value to verify with, as `zoo run` takes it.",
    ),
    click.option("--rtol", type=float, default=0.0, help="Verify: how far outputs may differ."),
    click.option("--atol", type=float, default=0.0, help="The same, whatever they are."),
)


def verifying_options(command: Command) -> Command:
    """Give `command` what says how a conversion is verified: its argument `verify`."""

    @functools.wraps(command)
    def gathered(**given: Any) -> Any:
        """Call the command with one argument in the place of four."""
        wanted, typed = given.pop("verify"), given.pop("verify_inputs")
        rtol, atol = given.pop("rtol"), given.pop("atol")
        if not wanted and (typed or rtol or atol):
            raise UsageError("--input, --rtol and --atol belong to --verify")
        inputs = {name: functools.partial(_parsed, text) for name, text in map(values.split, typed)}
        return command(verify=Asked(inputs, rtol, atol) if wanted else None, **given)

    whole: Any = gathered
    for option in reversed(_VERIFYING):
        whole = option(whole)
    return cast("Command", whole)


def _parsed(text: str, spec: TensorSpec) -> Any:
    return values.parsed(text, spec)
