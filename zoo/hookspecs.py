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
    from zoo.diagnosis import Question
    from zoo.formats import Format
    from zoo.scan_rules import ScanRule
    from zoo.sources import Source
    from zoo.transforms import Transform

API = 1
"""The version of the hooks; a plugin names the one it was written for as ``zoo_api``."""

hookspec = pluggy.HookspecMarker("zoo")
hookimpl = pluggy.HookimplMarker("zoo")
"""Marks a function of a plugin as the implementation of the hook of the same name."""


@hookspec
def zoo_formats() -> Iterable[Format]:  # type: ignore[empty-body]
    """Offer formats to read and write.

    Called at most once per process, when a format is wanted that zoo does not bring, or a file is
    recognised by none of those.  Import what is slow inside ``load`` and ``save``.

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
def zoo_sources() -> Iterable[Source]:  # type: ignore[empty-body]
    """Offer to open URLs of more schemes than zoo does itself.

    Called at most once per process, when a URL has a scheme that zoo does not know.

    Returns
    -------
    Iterable[Source]
        One for each scheme.  What comes is hashed and kept in the store like everything else.
    """


@hookspec
def zoo_transforms() -> Iterable[Transform]:  # type: ignore[empty-body]
    """Offer changes of a model, for ``zoo convert --apply NAME`` and `zoo.apply`.

    Called at most once per process, on the first request for a transform.

    Returns
    -------
    Iterable[Transform]
        The transforms on offer.
    """


@hookspec
def zoo_commands(cli: click.Group) -> None:
    """Add commands to ``zoo``.

    Called for ``zoo --help``, for completion, and for a command that zoo itself does not have.

    Parameters
    ----------
    cli
        A group, whose commands ``zoo`` takes over.  Add to it with ``@cli.command()``.
    """


@hookspec
def zoo_scan_rules() -> Iterable[ScanRule]:  # type: ignore[empty-body]
    """Offer rules that find operations one should know of before a model is run.

    Called at most once per process, by ``zoo scan``, which adds what they find to its findings,
    and by ``zoo doctor``, which lists it as warnings.

    Returns
    -------
    Iterable[ScanRule]
        The rules on offer.
    """


@hookspec
def zoo_diagnoses() -> Iterable[Question]:  # type: ignore[empty-body]
    """Offer questions for ``zoo doctor`` to ask of a file.

    Called at most once per process, by ``zoo doctor``.

    Returns
    -------
    Iterable[Question]
        The questions, asked after those of zoo itself.
    """
