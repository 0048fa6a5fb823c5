"""The options that commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from zoo import output
from zoo.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print no remarks.")
registry_option = click.option(
    "--registry",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A registry that counts before all others.",
)
offline_option = click.option("--offline", is_flag=True, help="Use nothing but this machine.")
signature_option = click.option("--signature", metavar="KEY", help="The signature to use.")


def _split_tags(ctx: click.Context, _: click.Parameter, value: str | None) -> list[str] | None:  # noqa: ARG001
    return None if value is None else [tag for tag in value.split(",") if tag]


tags_option = click.option(
    "--tags", metavar="A,B", callback=_split_tags, help="Tags of the MetaGraph of a SavedModel."
)


def key_values(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Return the options of a format given as ``NAME=VALUE``, values read as JSON where they are.

    Raises
    ------
    UsageError
        One has no ``=``.
    """
    import json

    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"{pair!r} is no option", hint="write NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


def remarks(sentences: list[str] | tuple[str, ...], quiet: bool) -> None:
    """Print `sentences` to standard error, unless that is not wanted."""
    for sentence in sentences if not quiet else ():
        output.note(f"note: {sentence}")
