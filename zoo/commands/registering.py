"""``zoo add`` and ``zoo remove``: names of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zoo import output, registering
from zoo.commands.examples import examples
from zoo.commands.options import remark, speech_options
from zoo.commands.places import Place
from zoo.errors import UsageError
from zoo.library import Library

_registry = click.option(
    "--registry",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to edit; by default your own registry.",
)


@click.command(
    "add",
    epilog=examples(
        "zoo add model.pb --name my-net:v2", "zoo add model.pb --name my-net --registry team.yaml"
    ),
)
@click.argument("path", type=Place())
@click.option("--name", metavar="NAME[:TAG]", required=True, help="What it shall be called.")
@click.option("--link", is_flag=True, help="Leave the files where they are; do not copy them.")
@click.option("--summary", metavar="TEXT", help="One line on what it is.")
@click.option("--license", "license_", metavar="SPDX", help="Its licence, as in Apache-2.0.")
@click.option("-i", "inputs", metavar="NAME=TENSOR", multiple=True, help="Name an input.")
@click.option("-o", "outputs", metavar="NAME=TENSOR", multiple=True, help="Name an output.")
@click.option("--force", is_flag=True, help="Replace the weights that have this tag.")
@_registry
@speech_options
def add(
    path: Path,
    name: str,
    link: bool,
    summary: str | None,
    license_: str | None,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    force: bool,
    registry: Path | None,
    as_json: bool,
) -> None:
    """Give the model at PATH a name, and keep a copy of it in the store."""
    facts = {"summary": summary, "inputs": _pairs(inputs), "outputs": _pairs(outputs)}
    facts |= {"license": license_}
    stated = {key: value for key, value in facts.items() if value}
    done = registering.add(
        Library(), path, name, registry=registry, link=link, force=force, facts=stated
    )
    remark(f"{'linked to' if link else 'copied'} {done.opened.path}: {output.size(done.bytes)}")
    if as_json:
        output.say(output.document(_facts(done)))
    else:
        output.say(f"{done.name} is in {done.registry}")


def _facts(done: registering.Registered) -> dict[str, Any]:
    return {
        "name": done.name.name,
        "tag": done.name.tag,
        "registry": str(done.registry),
        "format": done.opened.format,
        "path": str(done.opened.path),
        "bytes": done.bytes,
        "linked": done.linked,
    }


@click.command("remove", epilog=examples("zoo remove my-net:v2"))
@click.argument("name")
@_registry
@speech_options
def remove(name: str, registry: Path | None, as_json: bool) -> None:
    """Take NAME, or one tag of it, out of your registry; its files stay in the store."""
    removed, path = registering.remove(name, registry)
    if as_json:
        facts = {"name": removed.name, "tag": removed.tag, "registry": str(path)}
        output.say(output.document(facts))
    else:
        output.say(f"{removed} is no longer in {path}")


def _pairs(arguments: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for argument in arguments:
        name, equals, tensor = argument.partition("=")
        if not (name and equals and tensor):
            raise UsageError(f"{argument!r} names no tensor", hint="write NAME=TENSOR")
        pairs[name] = tensor
    return pairs


COMMANDS = {"add": add, "remove": remove}
