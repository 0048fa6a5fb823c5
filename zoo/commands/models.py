"""``zoo inspect``, ``run``, ``convert``: what is in a model, what it gives, in which format."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo import conversions, output
from zoo.commands.options import (
    format_option,
    key_values,
    offline_option,
    registry_option,
    remark,
    signature_option,
    speech_options,
    tags_option,
    verbose,
)
from zoo.errors import counted
from zoo.library import Library

if TYPE_CHECKING:
    from zoo.entries import Entry
    from zoo.model import Model

_SHOWN = 12
"""Weights and operations shown without --all."""


@click.command("inspect")
@click.argument("ref")
@tags_option
@click.option("--all", "everything", is_flag=True, help="Show every weight and operation.")
@format_option
@registry_option
@speech_options
def inspect(
    ref: str,
    tags: list[str] | None,
    everything: bool,
    read_as: str | None,
    registry: Path | None,
    as_json: bool,
) -> None:
    """Show what is in the model REF: a registered name, a path, or a URL."""
    facts = Library(registry).inspect(ref, read_as, {"tags": tags})
    output.say(output.document(facts) if as_json else _summary(facts, everything))


def _summary(facts: dict[str, Any], everything: bool) -> str:
    weights, ops = facts["weights"], facts["ops"]
    made = [f"TensorFlow {facts['tensorflow_version']}"] if facts["tensorflow_version"] else []
    made += [f"producer {facts['producer']}"] if facts["producer"] is not None else []
    head = [
        ["format", facts["format"]],
        ["path", facts["path"] or "built by a plugin"],
        ["size", output.size(facts["bytes"])],
        ["made by", ", ".join(made) or "unknown"],
        ["tags", " | ".join(",".join(tags) for tags in facts["tag_sets"]) or "none"],
        ["weights", f"{len(weights)} with {counted(facts['parameters'], 'parameter')}"],
        ["operations", f"{sum(ops.values())} of {counted(len(ops), 'kind')}"],
    ]
    parts = [output.table(head)]
    for key, signature in facts["signatures"].items():
        rows = [["in", name, *_typed(spec)] for name, spec in signature["inputs"].items()]
        rows += [["out", name, *_typed(spec)] for name, spec in signature["outputs"].items()]
        parts.append(f"signature {key}\n" + output.table(rows, "  "))
    if not facts["signatures"]:
        rows = [["in", *_typed(spec), ""] for spec in facts["inputs"]]
        rows += [["out", *_typed(spec), spec["why"]] for spec in facts["outputs"]]
        parts.append("inputs and outputs, as the graph shows them\n" + output.table(rows, "  "))
    parts.append(_weights(weights, everything))
    parts.append(_operations(ops, everything))
    return "\n\n".join(part for part in parts if part.strip())


def _typed(spec: dict[str, Any]) -> list[str]:
    return [spec["tensor"], spec["dtype"], _shape(spec["shape"])]


def _shape(shape: list[int | None] | None) -> str:
    if shape is None:
        return "any shape"
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def _weights(weights: list[dict[str, Any]], everything: bool) -> str:
    shown = weights if everything else weights[:_SHOWN]
    rows = [
        [w["name"], w["dtype"], _shape(w["shape"]), "trainable" if w["trainable"] else ""]
        for w in shown
    ]
    return "weights\n" + output.table(rows, "  ") + _rest(len(weights)) if rows else ""


def _operations(ops: dict[str, int], everything: bool) -> str:
    common = sorted(ops, key=lambda op: (-ops[op], op))
    shown = common if everything else common[:_SHOWN]
    listed = ", ".join(f"{ops[op]} {op}" for op in shown)
    return f"operations\n  {listed}" + _rest(0 if everything else len(common)) if ops else ""


def _rest(count: int) -> str:
    return f"\n  and {count - _SHOWN} more: --all" if count > _SHOWN else ""


@click.command("run", epilog="Example: zoo run toy-adder -i w1=13 -i w2=17")
@click.argument("ref")
@click.option("-i", "inputs", metavar="NAME=VALUE", multiple=True, help="An input.")
@click.option("-o", "outputs", metavar="NAME", multiple=True, help="An output; all by default.")
@signature_option
@tags_option
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Write an .npz file.")
@format_option
@registry_option
@speech_options
def run(
    ref: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    signature: str | None,
    tags: list[str] | None,
    save: Path | None,
    read_as: str | None,
    registry: Path | None,
    as_json: bool,
) -> None:
    """Run the model REF once.

    A VALUE is a JSON literal (13, [[1, 2], [3, 4]]), an array (@x.npy, @x.npz#key), a photo
    (@photo.jpg, prepared as the registry says), or any file for an input of text.
    """
    opened = Library(registry).open(ref, format=read_as, options={"tags": tags})
    _import_tensorflow()
    feeds = _feeds(opened.model, inputs, signature, opened.entry)
    wanted = {name: name for name in outputs} or None
    values = opened.model.run(wanted, feeds, signature=signature)
    if save is not None:
        _save_arrays(save, values)
        remark(f"wrote {save}")
    if as_json:
        output.say(output.document({"outputs": values}))
    elif save is None:
        for name, value in values.items():
            output.say(f"{name} = {value}")


def _import_tensorflow() -> None:
    """Bring in TensorFlow, its greetings to the terminal only where they are wanted."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if verbose() else "3")
    with nullcontext() if verbose() else output.hushed():
        from zoo.engine import tensorflow

        tensorflow()


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
        spec = chosen.inputs.get(name) or specs.spec_of(model.graph, name)
        feeds[name] = values.parsed(value, spec, preprocessing)
    return feeds


def _save_arrays(path: Path, values: dict[str, Any]) -> None:
    import numpy as np

    from zoo import atomic

    arrays = {name: np.asarray(value) for name, value in values.items()}
    plain = {n: a.astype(np.bytes_) if a.dtype == object else a for n, a in arrays.items()}
    write: Any = np.savez
    with atomic.replacing(path) as draft, draft.open("wb") as file:
        write(file, **plain)


@click.command("convert", epilog="Example: zoo convert toy-adder adder.pb --to frozen")
@click.argument("ref")
@click.argument("dest", type=click.Path(path_type=Path))
@click.option("--to", "form", metavar="FORMAT", required=True, help="See `zoo formats`.")
@click.option("-o", "outputs", metavar="NAME", multiple=True, help="An output to keep.")
@signature_option
@tags_option
@click.option("--option", "options", metavar="NAME=VALUE", multiple=True, help="Of the format.")
@click.option("--force", is_flag=True, help="Replace what is at DEST.")
@format_option
@registry_option
@offline_option
@speech_options
def convert(
    ref: str,
    dest: Path,
    form: str,
    outputs: tuple[str, ...],
    signature: str | None,
    tags: list[str] | None,
    options: tuple[str, ...],
    force: bool,
    read_as: str | None,
    registry: Path | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Write the model REF to DEST in another format.

    For a checkpoint DEST is the prefix, out/model-1000.
    """
    done = conversions.convert(
        Library(registry, offline),
        ref,
        dest,
        form,
        outputs=outputs,
        signature=signature,
        force=force,
        options=key_values(options),
        format=read_as,
        load_options={"tags": tags},
    )
    for sentence in done.repairs:
        remark(sentence)
    if as_json:
        source = {"format": done.source.format, "path": _text(done.source.path)}
        target = {"format": form, "path": _text(done.target.path), "bytes": done.bytes}
        facts = {"source": source, "target": target, "repairs": list(done.repairs)}
        output.say(output.document({**facts, "verified": None}))
    else:
        output.say(f"{done.target.path}: {output.size(done.bytes)}")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


COMMANDS = {"inspect": inspect, "run": run, "convert": convert}
