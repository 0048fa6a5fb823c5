"""The plugin: what fine-tuning adds to zoo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.hookspecs import hookimpl

if TYPE_CHECKING:
    import click

zoo_api = 1


@hookimpl
def zoo_commands(cli: click.Group) -> None:
    """Offer ``zoo finetune`` and ``zoo rebuild``."""
    from zoo_finetune.command import finetune, rebuild

    cli.add_command(finetune)
    cli.add_command(rebuild)
