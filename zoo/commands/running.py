"""``zoo run``: what a model gives for some inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo import atomic, output
from zoo.advice import advising
from zoo.commands.completion import complete_refs
from zoo.commands.examples import examples
from zoo.commands.isolating import Isolating, isolating_options
from zoo.commands.isolating import values as values_of
from zoo.commands.libraries import library_options, trusting_option
from zoo.commands.options import (
    attaching_options,
    format_option,
    remark,
    signature_option,
    speech_options,
    tags_option,
)

if TYPE_CHECKING:
    from zoo.entries import Entry
    from zoo.isolation import Call
    from zoo.library import Library
    from zoo.located import Located
    from zoo.renaming import Wishes


def _checked_limit(ctx: click.Context, _: click.Parameter, value: float | None) -> float | None:  # noqa: ARG001
    from zoo import waiting

    waiting.check_limit(value)
    return value


@click.command(
    "run",
    epilog=examples(
        "zoo run toy-adder -i w1=13 -i w2=17",
        "zoo run net.pb -i images=@cat.jpg -o prob",
        "zoo run saved/ -i x=@x.npy --save out.npz",
    ),
)
@click.argument("ref", shell_complete=complete_refs)
@click.option("-i", "inputs", metavar="NAME=VALUE", multiple=True, help="An input.")
@click.option("-o", "outputs", metavar="NAME", multiple=True, help="An output; all by default.")
@signature_option
@tags_option
@click.option(
    "--timeout",
    type=float,
    callback=_checked_limit,
    metavar="SECONDS",
    help="Give up after these; 30 where the graph takes from a queue.",
)
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Write an .npz file.")
@isolating_options
@attaching_options
@format_option
@library_options
@trusting_option
@speech_options
def run(
    ref: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    signature: str | None,
    tags: list[str] | None,
    timeout: float | None,
    save: Path | None,
    isolating: Isolating,
    wishes: Wishes,
    read_as: str | None,
    library: Library,
    as_json: bool,
) -> None:
    """Run the model REF once.

    A VALUE is a JSON literal (13, [[1, 2], [3, 4]]), an array (@x.npy, @x.npz#key), a photo
    (@photo.jpg, prepared as the registry says), or any file for an input of text.
    """
    if save is not None:
        atomic.require_folder(save)  # before the model takes its time
    with advising(library, ref):
        found = library.locate(ref, read_as, wishes)
        call = _call(found, inputs, outputs, signature, timeout, {"tags": tags})
        values = values_of(found, ref, call, library, isolating)
    if save is not None:
        _save_arrays(save, values)
        remark(f"wrote {save}")
    ranked = _ranked(values, found.entry)
    if as_json:
        output.say(output.document({"outputs": values, **({"labels": ranked} if ranked else {})}))
        return
    if save is None:
        for name, value in values.items():
            output.say(f"{name} = {value}")
    for name, rows in ranked.items():
        for row in rows:
            told = ", ".join(f"{one['label']} ({one['value']:.4f})" for one in row)
            output.say(f"{name}: {told}")


def _ranked(values: dict[str, Any], entry: Entry | None) -> dict[str, list[list[dict[str, Any]]]]:
    """Return what the highest values of each output mean, where the registry says so."""
    from zoo import labels

    if entry is None or not isinstance(entry.labels, list):
        return {}
    return {
        name: [[{"label": label, "value": value} for label, value in row] for row in rows]
        for name, rows in labels.best(values, entry.labels).items()
    }


def _call(
    found: Located,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    signature: str | None,
    timeout: float | None,
    options: dict[str, Any],
) -> Call:
    """Return the call that the arguments mean, each file of theirs by its whole path."""
    from zoo.isolation import Call
    from zoo.values import with_absolute_file

    named = [with_absolute_file(argument) for argument in inputs]
    how = found.entry.preprocessing if found.entry else None
    return Call(
        [argument for argument, _ in named],
        outputs,
        signature,
        timeout,
        [file for _, file in named if file is not None],
        options,
        None if how is None else how.model_dump(),
    )


def _save_arrays(path: Path, values: dict[str, Any]) -> None:
    """Write an ``.npz`` of `values`; bfloat16 and its like, which it cannot hold, as float32."""
    import zipfile

    import numpy as np

    with atomic.receiving(path) as target, zipfile.ZipFile(target, "w") as archive:
        for name, value in values.items():
            array = np.asarray(value)
            if array.dtype == object:
                array = array.astype(np.bytes_)
            elif array.dtype.kind == "V":
                array = array.astype(np.float32)
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


COMMANDS = {"run": run}
