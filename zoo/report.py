"""The facts about a model as a page to read: what matters first, tables that fit the terminal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zoo.errors import counted, some
from zoo.output import size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHOWN = 12
"""Weights, operations and files that are shown of more, unless all are asked for."""
_LIKELY = 1
"""The rank up to which an end of the graph is shown."""


@dataclass(frozen=True)
class Section:
    """A part of the page: a title, rows of cells, and a line on what was left out."""

    title: str
    rows: Sequence[Sequence[str]]
    rest: str = ""
    names: Sequence[int] = field(default_factory=lambda: (0,))
    """The columns that hold names, by which people look for a row."""


def sections(facts: dict[str, Any], *, everything: bool) -> list[Section]:
    """Return the page on `facts`, the document of ``zoo inspect``.

    Parameters
    ----------
    everything
        Whether nothing is left out, however long it gets.
    """
    found = [
        Section("", [*_head(facts)]),
        *_signatures(facts),
        *_ends(facts, everything),
        *_layer(facts),
        _training(facts),
        weights(facts, everything=everything),
        _counts("layers", facts.get("layers", {}), everything),
        ops(facts, everything=everything),
        _files(facts, everything),
        Section("notes", [[note] for note in facts.get("notes", [])], names=()),
    ]
    return [section for section in found if section.rows]


def _head(facts: dict[str, Any]) -> Iterator[list[str]]:
    made = [f"TensorFlow {facts['tensorflow_version']}"] if facts["tensorflow_version"] else []
    made += [f"producer {facts['producer']}"] if facts["producer"] is not None else []
    made += [f"Keras {facts['keras_version']}"] if facts.get("keras_version") else []
    yield ["format", facts["format"]]
    if facts["what"]:
        yield ["what", facts["what"]]
    yield ["path", facts["path"] or "built by a plugin"]
    yield ["size", size(facts["bytes"])]
    if made or facts["ops"]:
        yield ["made by", ", ".join(made) or "unknown"]
    if facts["tag_sets"]:
        yield ["tags", " | ".join(",".join(tags) or "(none)" for tags in facts["tag_sets"])]
    if facts["weights"]:
        yield ["weights", _weighed(facts)]
    if facts["ops"]:
        count = counted(sum(facts["ops"].values()), "operation")
        inner = f", {counted(facts['functions'], 'function')}" if facts.get("functions") else ""
        yield ["graph", f"{count} of {counted(len(facts['ops']), 'kind')}{inner}"]
    if facts["findings"]:
        ops = sorted({one["op"] for one in facts["findings"]})
        yield ["beware", f"it does more than compute: {some(ops)}; `zoo scan` says where and why"]
    yield from _besides(facts)


def _weighed(facts: dict[str, Any]) -> str:
    total = sum(weight["bytes"] for weight in facts["weights"])
    text = f"{len(facts['weights'])} with {counted(facts['parameters'], 'parameter')}"
    slots = facts.get("optimizer_slots") or {"weights": 0, "bytes": 0}
    text += f", {size(total)}"
    if slots["weights"]:
        text += f"; {slots['weights']} of them, {size(slots['bytes'])}, only an optimizer needs"
    return text


def _besides(facts: dict[str, Any]) -> Iterator[list[str]]:
    """Yield what a graph carries besides, where it does."""
    flow = facts.get("control_flow") or {"loops": 0, "branches": 0, "of_tensorflow_1": 0}
    if flow["loops"] or flow["branches"]:
        parts = counted(flow["loops"], "loop"), counted(flow["branches"], "branch", "branches")
        old = ", in the way of TensorFlow 1" if flow["of_tensorflow_1"] else ""
        yield ["control", f"{parts[0]}, {parts[1]}{old}"]
    devices = facts.get("devices", {})
    if devices:
        named = [f"{device} ({count})" for device, count in devices.items()]
        yield ["devices", some(named)]
    for key in ("collections", "assets"):
        if facts.get(key):
            yield [key, some(facts[key])]


def _signatures(facts: dict[str, Any]) -> Iterator[Section]:
    for key, signature in facts["signatures"].items():
        rows = [["in", name, *_typed(spec)] for name, spec in signature["inputs"].items()]
        rows += [["out", name, *_typed(spec)] for name, spec in signature["outputs"].items()]
        yield Section(f"signature {key}", rows, names=(1, 2))


def _ends(facts: dict[str, Any], everything: bool) -> Iterator[Section]:
    """Yield the ends of the graph that signatures do not show already."""
    stated = {
        spec["tensor"]
        for signature in facts["signatures"].values()
        for side in signature.values()
        for spec in side.values()
    }
    rows, left = [], 0
    for side, word in (("inputs", "in"), ("outputs", "out")):
        for spec in facts[side]:
            marked = "constant" in spec
            if spec["tensor"] in stated and not marked:
                continue
            if everything or spec["rank"] <= _LIKELY or marked:
                why = f"{spec['why']}: feed {spec['constant']}" if marked else spec["why"]
                rows.append([word, *_typed(spec), why])
            else:
                left += 1
    title = "besides" if facts["signatures"] else "inputs and outputs, as the graph shows them"
    yield Section(title, rows, _rest(left), names=(1,))


def _layer(facts: dict[str, Any]) -> Iterator[Section]:
    head = facts["head"]
    if head is not None:
        rows = [[key, str(head[key])] for key in ("features", "logits", "outputs", "why")]
        yield Section("head", rows)
        return
    found = facts.get("heads") or {"candidates": [], "unsure": None}
    if found["candidates"]:
        rows = [["unsure", found["unsure"]]]
        rows += [["maybe", f"{one['logits']}: {one['why']}"] for one in found["candidates"]]
        yield Section("head", rows)


def _training(facts: dict[str, Any]) -> Section:
    training = facts.get("training") or {}
    rows = []
    if training.get("updates"):
        rows.append(["trained by", some(training["updates"])])
    if training.get("batch_norm"):
        rows.append(["batch norm", f"uses each batch's statistics: {some(training['batch_norm'])}"])
    if training.get("dropout"):
        rows.append(["dropout", f"is on: {some(training['dropout'])}"])
    return Section("training", rows)


def weights(facts: dict[str, Any], *, everything: bool) -> Section:
    """Return the section on the weights."""
    stored = facts["weights"]
    rows = [
        [one["name"], one["dtype"], _shape(one["shape"]), "trainable" if one["trainable"] else ""]
        for one in (stored if everything else stored[:SHOWN])
    ]
    return Section("weights", rows, _rest(len(stored) - len(rows)))


def ops(facts: dict[str, Any], *, everything: bool) -> Section:
    """Return the section on the operations, the most frequent first."""
    return _counts("operations", facts["ops"], everything)


def tensors(facts: dict[str, Any]) -> Section:
    """Return the section on the tensors that were asked for."""
    rows = [[*_typed(one), one["op"]] for one in facts["tensors"]]
    return Section("tensors", rows or [["none of that name", "", "", ""]])


def _counts(title: str, counts: dict[str, int], everything: bool) -> Section:
    common = sorted(counts, key=lambda name: (-counts[name], name))
    shown = common if everything else common[:SHOWN]
    text = ", ".join(f"{counts[name]} {name}" for name in shown)
    return Section(title, [[text]] if text else [], _rest(len(common) - len(shown)), names=())


def _files(facts: dict[str, Any], everything: bool) -> Section:
    files = facts.get("files", [])
    shown = files if everything else files[:SHOWN]
    rows = [[one["name"], size(one["bytes"])] for one in shown]
    return Section("files", rows, _rest(len(files) - len(shown)))


def _typed(spec: dict[str, Any]) -> list[str]:
    return [spec["tensor"], spec["dtype"], _shape(spec["shape"])]


def _shape(shape: list[int | None] | None) -> str:
    if shape is None:
        return "any shape"
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def _rest(count: int) -> str:
    return f"and {count} more: --all" if count > 0 else ""
