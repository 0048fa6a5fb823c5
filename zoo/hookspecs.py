"""The hooks a plugin may implement.

A plugin is a module named by an entry point of group ``zoo``; its hook implementations are
functions marked with `zoo.hookimpl`.  It says ``zoo_api = 1``: the version of these hooks it was
written for. The plugins in ``plugins/`` come in by the same door as anyone else's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click

    from zoo.architectures import Architecture
    from zoo.formats import Format

API = 1
"""The version of the hooks; a plugin names the one it was written for as ``zoo_api``."""

hookspec = pluggy.HookspecMarker("zoo")
hookimpl = pluggy.HookimplMarker("zoo")
"""Marks a function of a plugin as the implementation of the hook of the same name."""


@hookspec
def zoo_formats() -> Iterable[Format]:  # type: ignore[empty-body]
    """Offer formats to read and write.

    Called at most once per process, on the first request for any format.  Import what is slow
    inside ``load`` and ``save``, not at the top of the module.

    Returns
    -------
    Iterable[Format]
        The formats on offer.  A name that is taken sets the later plugin aside: nobody replaces a
        format by accident.
    """


@hookspec
def zoo_architectures() -> Iterable[Architecture]:  # type: ignore[empty-body]
    """Offer graphs that are built by a function instead of being read from a file.

    Called at most once per process, on the first request for an architecture.

    Returns
    -------
    Iterable[Architecture]
        The architectures on offer, to which a registry's ``architecture:`` refers by name.
    """


@hookspec
def zoo_commands(cli: click.Group) -> None:
    """Add commands to ``zoo``.

    Called for ``zoo --help``, for completion, and for a command that zoo itself does not have.

    Parameters
    ----------
    cli
        The ``zoo`` group.  Add to it with ``@cli.command()``.
    """
