"""``zoo run``: what a model gives for some inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo import atomic, output
from zoo.advice import advising
from zoo.commands.completion import complete_refs
from zoo.commands.libraries import library_options, trusting_option
from zoo.commands.options import (
    attaching_options,
    format_option,
    import_tensorflow,
    quiet_tensorflow,
    remark,
    signature_option,
    speech_options,
    tags_option,
)
from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.entries import Entry
    from zoo.library import Library
    from zoo.model import Model
    from zoo.renaming import Wishes


def _checked_limit(ctx: click.Context, _: click.Parameter, value: float | None) -> float | None:  # noqa: ARG001
    from zoo import waiting

    waiting.check_limit(value)
    return value


@click.command("run", epilog="Example: zoo run toy-adder -i w1=13 -i w2=17")
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
    wishes: Wishes,
    read_as: str | None,
    library: Library,
    as_json: bool,
) -> None:
    """Run the model REF once.

    A VALUE is a JSON literal (13, [[1, 2], [3, 4]]), an array (@x.npy, @x.npz#key), a photo
    (@photo.jpg, prepared as the registry says), or any file for an input of text.
    """
    quiet_tensorflow()  # a Keras file brings it in when it is opened
    if save is not None:
        atomic.require_folder(save)  # before the model takes its time
    with advising(library, ref):
        opened = library.open(ref, format=read_as, wishes=wishes, options={"tags": tags})
        import_tensorflow()
        feeds = _feeds(opened.model, inputs, signature, opened.entry)
        wanted = {name: name for name in outputs} or None
        values = opened.model.run(wanted, feeds, signature=signature, timeout=timeout)
    if save is not None:
        _save_arrays(save, values)
        remark(f"wrote {save}")
    ranked = _ranked(values, opened.entry)
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


def _feeds(
    model: Model, inputs: tuple[str, ...], key: str | None, entry: Entry | None
) -> dict[str, Any]:
    """Return the values of ``-i`` by name, each read as its input wants it."""
    from zoo import specs, values

    chosen = model.signature(key)
    preprocessing = entry.preprocessing if entry else None
    feeds: dict[str, Any] = {}
    for argument in inputs:
        name, value = values.split(argument)
        if name in feeds:
            raise UsageError(f"the input {name!r} is given twice")
        spec = chosen.inputs.get(name) or specs.spec_of(model.graph, name)
        feeds[name] = values.parsed(value, spec, preprocessing)
    return feeds


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
