"""Model names for the shell to complete, out of the compiled index: no network, no validation."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from zoo.errors import ZooError
from zoo.names import natural

if TYPE_CHECKING:
    import click

_MOST = 500
"""Names that a shell is offered at most: more than that nobody reads."""


def complete_names(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001  (click's signature)
    incomplete: str,
) -> list[CompletionItem]:
    """Return the registered names that begin with `incomplete`; with a colon, those of tags."""
    from zoo import catalogue

    warnings.simplefilter("ignore")  # a shell has no place to print them
    try:
        known = catalogue.standard(ctx.params.get("registry"), offline=True)
        name, colon, tag = incomplete.partition(":")
        if colon:
            rows = (one.row for one in known.listed(name) if one.row.name == name)
            return [
                CompletionItem(f"{name}:{one}")
                for row in rows
                for one, _ in row.tags
                if one.startswith(tag)
            ]
        return [CompletionItem(one) for one in sorted(known.names(name), key=natural)[:_MOST]]
    except ZooError:
        return []


def complete_refs(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return what `complete_names` does, and have the shell offer files besides."""
    return [*complete_names(ctx, param, incomplete), CompletionItem(incomplete, type="file")]
