"""The options of commands that fetch: how many connections, how long one waits, who watches."""

from __future__ import annotations

import functools
from typing import Any, cast

import click

from zoo.commands.options import Command, quiet
from zoo.patience import Manner, Patience, Watch
from zoo.transfer_progress import watching

_MOST = 16

_FETCHING = (
    click.option(
        "--connections",
        type=click.IntRange(1, _MOST),
        default=1,
        help="Fetch parts of a file at once: for servers that are slow to each.",
    ),
    click.option(
        "--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds for a file at most."
    ),
    click.option(
        "--lock-timeout",
        type=click.FloatRange(min=0),
        default=Patience.lock,
        show_default=True,
        help="Seconds to wait for another process that fetches the same file.",
    ),
    click.option(
        "--allow-http", is_flag=True, help="Follow redirects from https: to http: for pinned bytes."
    ),
)


def fetching_options(command: Command) -> Command:
    """Give `command` what says how the network is asked: its argument `manner`."""

    @functools.wraps(command)
    def gathered(
        connections: int,
        timeout: float | None,
        lock_timeout: float,
        allow_http: bool,
        **given: Any,
    ) -> Any:
        """Call the command with one argument in the place of four."""
        manner = Manner(
            connections=connections,
            allow_http=allow_http,
            patience=Patience(total=timeout, lock=lock_timeout),
            watch=Watch() if quiet() else watching(),
        )
        return command(manner=manner, **given)

    whole: Any = gathered
    for option in reversed(_FETCHING):
        whole = option(whole)
    return cast("Command", whole)
