"""The options that say which registries count, and what may be fetched: a command's library."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from zoo.commands.options import quiet
from zoo.patience import Manner, Watch
from zoo.transfer_progress import watching

Command = TypeVar("Command", bound=Callable[..., Any])


class _Registry(click.Path):
    """A registry: a file that is there, or a URL."""

    name = "registry"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a URL as it is, anything else as the path of a file."""
        from zoo.catalogue import is_url

        return value if is_url(value) else super().convert(value, param, ctx)


registry_option = click.option(
    "--registry",
    metavar="FILE|URL",
    type=_Registry(exists=True, dir_okay=False, path_type=Path),
    help="A registry that counts before all others.",
)
offline_option = click.option("--offline", is_flag=True, help="Use nothing but this machine.")
_OPTIONS = (
    registry_option,
    offline_option,
    click.option(
        "--trust-first",
        is_flag=True,
        help="Take a URL without #sha256=...; what comes now must come ever after.",
    ),
    click.option(
        "--rehash",
        is_flag=True,
        help="Read and hash what is used from the store; fetch what is bad.",
    ),
)


def library_options(command: Command) -> Command:
    """Give `command` what says where models come from: its argument `library`."""

    @functools.wraps(command)
    def gathered(**given: Any) -> Any:
        """Call the command with one argument in the place of four."""
        from zoo.library import Library

        names = ("registry", "offline", "trust_first", "rehash")
        manner = Manner(watch=Watch() if quiet() else watching())
        library = Library(manner=manner, **{name: given.pop(name) for name in names})
        return command(library=library, **given)

    whole: Any = gathered
    for option in reversed(_OPTIONS):
        whole = option(whole)
    return cast("Command", whole)


def trusting_option(command: Command) -> Command:
    """Let `command` trust what it opens, below `library_options`: ``--trust``."""

    @functools.wraps(command)
    def gathered(trust: bool, library: Any, **given: Any) -> Any:
        """Call the command with a library that trusts, if that is wanted."""
        library.trust = trust
        return command(library=library, **given)

    told = "Let the model do more than compute: files, network, Python."
    return cast("Command", click.option("--trust", is_flag=True, help=told)(gathered))
