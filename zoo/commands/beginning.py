"""``zoo new-plugin``: a project to begin a format with."""

from __future__ import annotations

from pathlib import Path

import click

from zoo import new_plugin as projects
from zoo import output, plugins
from zoo.commands.examples import examples
from zoo.commands.options import remark, speech_options


@click.command(
    "new-plugin", epilog=examples("zoo new-plugin mine", "zoo new-plugin mine --into ~/projects")
)
@click.argument("name")
@click.option(
    "--into",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where the project's folder is made (here).",
)
@speech_options
def new_plugin(name: str, into: Path, as_json: bool) -> None:
    """Write a project with a format called NAME that works, and its tests."""
    path = projects.write(name, into, plugins.formats(plugins.installed()))
    if as_json:
        files = sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.is_file())
        output.say(output.document({"path": str(path), "files": files}))
        return
    output.say(str(path))
    remark(f"install it with `pip install -e {path}`, and run its tests with `pytest {path}`")


COMMANDS = {"new-plugin": new_plugin}
