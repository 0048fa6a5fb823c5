"""A page of sections, printed: plain in a pipe, in columns that fit the width on a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from zoo import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.report import Section


def say(sections: Sequence[Section]) -> None:
    """Print `sections` to standard output."""
    if sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        _on_terminal(sections)
    else:
        output.say("\n\n".join(map(_plain, sections)))


def _plain(section: Section) -> str:
    indent = "  " if section.title else ""
    lines = [section.title] if section.title else []
    lines.append(output.table(section.rows, indent))
    return "\n".join([*lines, *([indent + section.rest] if section.rest else [])])


def _on_terminal(sections: Sequence[Section]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for number, section in enumerate(sections):
        if number:
            console.print()
        if section.title:
            console.print(Text(section.title, style="bold"))
        grid = Table.grid(padding=(0, 2, 0, 0))
        if section.title:
            grid.add_column(width=0)
        for column in range(len(section.rows[0])):
            named = column in section.names
            grid.add_column(style="cyan" if named else "", overflow="fold", no_wrap=False)
        for row in section.rows:
            cells = [Text(output.printable(cell)) for cell in row]
            grid.add_row(*([Text("")] if section.title else []), *cells)
        console.print(grid)
        if section.rest:
            console.print(Text(f"  {section.rest}", style="dim"))
