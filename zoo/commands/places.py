"""Paths as arguments of commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zoo.addresses import shown
from zoo.errors import UsageError


class Place(click.Path):
    """A path of this machine, as an argument of a command."""

    def __init__(self, *, dir_okay: bool = True) -> None:
        super().__init__(dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return `value` as a path; an address is refused, which would be read as a folder's."""
        if isinstance(value, str) and "://" in value:
            raise UsageError(
                f"{shown(value)} is an address, and this takes a path",
                hint="`zoo fetch` brings what is there here, and prints its path",
            )
        return super().convert(value, param, ctx)
