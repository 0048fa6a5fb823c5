"""``zoo convert``: the same model in another format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zoo import conversions, output
from zoo.advice import advising
from zoo.commands.completion import complete_refs
from zoo.commands.examples import examples
from zoo.commands.libraries import library_options, trusting_option
from zoo.commands.options import (
    altering_options,
    attaching_options,
    format_option,
    quiet_tensorflow,
    remark,
    repairing_options,
    saving_options,
    signature_option,
    speech_options,
    tags_option,
)
from zoo.commands.places import Place
from zoo.commands.verifying import verifying_options
from zoo.cutting import Wanted
from zoo.errors import UsageError
from zoo.graph import source

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.alterations import Alterations
    from zoo.both_sides import Asked
    from zoo.library import Library
    from zoo.renaming import Wishes
    from zoo.repairs import Choice


@click.command(
    "convert",
    epilog=examples(
        "zoo convert toy-adder adder.pb --to frozen",
        "zoo convert model-1000 serving/net/1 --to saved_model --verify",
        "zoo convert net.pb half.pb --to frozen -o prob --dtype float16",
    ),
)
@click.argument("ref", shell_complete=complete_refs)
@click.argument("dest", type=Place())
@click.option("--to", "form", metavar="FORMAT", required=True, help="See `zoo formats`.")
@click.option("-i", "inputs", metavar="NAME=TENSOR", multiple=True, help="Name an input.")
@click.option("-o", "outputs", metavar="[NAME=]TENSOR", multiple=True, help="An output to keep.")
@signature_option
@tags_option
@saving_options
@verifying_options
@click.option("--force", is_flag=True, help="Replace what is at DEST.")
@click.option(
    "--apply",
    metavar="NAME",
    multiple=True,
    help="A change that a plugin offers; `zoo plugins` lists them.",
)
@click.option("--clear-devices", is_flag=True, help="Free operations of their devices.")
@altering_options
@repairing_options
@attaching_options
@format_option
@library_options
@trusting_option
@speech_options
def convert(
    ref: str,
    dest: Path,
    form: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    signature: str | None,
    tags: list[str] | None,
    options: dict[str, Any],
    verify: Asked | None,
    force: bool,
    apply: tuple[str, ...],
    clear_devices: bool,
    altering: Alterations,
    repairs: Choice,
    wishes: Wishes,
    read_as: str | None,
    library: Library,
    as_json: bool,
) -> None:
    """Write the model REF to DEST in another format.

    For a checkpoint DEST is the prefix, out/model-1000. With -i and -o NAME=TENSOR the model gets a
    signature of these names.
    """
    quiet_tensorflow()
    with advising(library, ref):
        done = conversions.convert(
            library,
            ref,
            dest,
            form,
            wanted=_wanted(inputs, outputs, signature),
            wishes=wishes,
            apply=apply,
            altering=altering,
            repairs=repairs,
            clear_devices=clear_devices,
            force=force,
            options=options,
            format=read_as,
            load_options={"tags": tags},
            verify=verify,
        )
    _say(done, as_json)


def _say(done: conversions.Conversion, as_json: bool) -> None:
    attached = done.source.model.attached
    if attached is not None and done.source.entry is None:
        remark(str(attached))
    for sentence in (*done.repairs, *(done.verified.remarks if done.verified else ())):
        remark(sentence)
    if as_json:
        read = {"format": done.source.format, "path": _text(done.source.path)}
        target = {
            "format": done.target.format,
            "path": _text(done.target.path),
            "bytes": done.bytes,
        }
        facts = {"source": read, "target": target, "repairs": list(done.repairs)}
        told = {} if attached is None else {"attached": attached.facts()}
        proof = None if done.verified is None else done.verified.facts()
        output.say(output.document({**facts, **told, "verified": proof}))
        return
    output.say(f"{done.target.path}: {output.size(done.bytes)}")
    for name, worst in done.verified.differences.items() if done.verified else ():
        found = f"differs by at most {worst:.3g}" if worst else "the same bits"
        output.say(f"verified: {name}: {found}")


def _wanted(inputs: tuple[str, ...], outputs: tuple[str, ...], signature: str | None) -> Wanted:
    named = dict(map(_named, outputs)) if any("=" in o for o in outputs) else outputs
    return Wanted(dict(map(_input, inputs)), named, signature)


def _named(argument: str) -> tuple[str, str]:
    """Return the name and the tensor of ``NAME=TENSOR``; a tensor alone is called by its node."""
    name, equals, tensor = argument.partition("=")
    return (name, tensor) if equals else (source(argument), argument)


def _input(argument: str) -> tuple[str, str]:
    name, tensor = _named(argument)
    if "=" not in argument or not name or not tensor:
        raise UsageError(f"{argument!r} names no tensor", hint="write NAME=TENSOR")
    return name, tensor


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


COMMANDS = {"convert": convert}
