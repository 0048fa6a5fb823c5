"""``zoo inspect``: what is in a model, without TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zoo import output
from zoo.commands.options import (
    format_option,
    graph_option,
    registry_option,
    speech_options,
    tags_option,
)
from zoo.errors import counted
from zoo.library import Library

if TYPE_CHECKING:
    from pathlib import Path

_SHOWN = 12
"""Weights and operations shown without --all."""


@click.command("inspect")
@click.argument("ref")
@tags_option
@click.option("--all", "everything", is_flag=True, help="Show every weight and operation.")
@graph_option
@format_option
@registry_option
@speech_options
def inspect(
    ref: str,
    tags: list[str] | None,
    everything: bool,
    graph: Path | None,
    read_as: str | None,
    registry: Path | None,
    as_json: bool,
) -> None:
    """Show what is in the model REF: a registered name, a path, or a URL."""
    facts = Library(registry).inspect(ref, read_as, {"tags": tags}, graph)
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
    if facts["head"] is not None:
        parts.append(_head(facts["head"]))
    parts.append(_weights(weights, everything))
    parts.append(_operations(ops, everything))
    return "\n\n".join(part for part in parts if part.strip())


def _head(head: dict[str, Any]) -> str:
    rows = [[key, str(head[key])] for key in ("features", "logits", "outputs", "why")]
    return "head\n" + output.table(rows, "  ")


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


COMMANDS = {"inspect": inspect}
