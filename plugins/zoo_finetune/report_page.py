"""A report as a page of Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from zoo.errors import counted
from zoo.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ROWS, _CELLS, _PAIRS, _CLASSES = 20, 12, 20, 50
"""Epochs, classes of a matrix, confused pairs and classes that are shown."""
_CAPTIONS = {
    "curves": "Loss and accuracy by epoch",
    "confusion": "Confusion matrix",
    "classes": "Precision and recall of each class",
}


def page(facts: Mapping[str, Any]) -> str:
    """Return the report `facts`, as `report.write` puts them together, as Markdown."""
    parts = [
        ["# Report on a fine-tuning"],
        _table(["", ""], [*_summary(facts)]),
        *([["## Epochs"], _table(_EPOCH, [*_epochs(facts)])] if facts["epochs"] else []),
        _figure(facts, "curves"),
        *_classes(facts),
        *_mistakes(facts),
        _list("## Notes", [*facts["notes"], *facts["missing"]]),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def pairs(metrics: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    """Return the pairs of classes that were confused most, and how often."""
    import numpy as np

    from zoo_finetune.metrics import confused

    names = [one["class"] for one in metrics["classes"]]
    found = confused(np.asarray(metrics["confusion"]), limit)
    return [{"true": names[t], "said": names[s], "examples": count} for t, s, count in found]


def text(value: object) -> str:
    r"""Return `value` as one line of Markdown that means nothing but itself.

    >>> text("a|b_c\nd")
    'a\\|b\\_c\\\\nd'
    """
    line = printable(str(value).replace("\n", "\\n"))
    return re.sub(r"([\\`*_{}\[\]<>|#$~])", r"\\\1", line)


def _summary(facts: Mapping[str, Any]) -> Iterator[list[str]]:
    base, data, result = facts["base"], facts["data"], facts["result"]
    recipe, metrics = facts["recipe"], facts["metrics"]
    head = facts["head"]
    yield ["base model", text(base.get("model", "unknown"))]
    yield ["data", text(data.get("path", "unknown"))]
    yield ["result", text(f"{result.get('path', 'unknown')} ({result.get('format', 'unknown')})")]
    yield ["new head", text(f"{head['features']} to {head['logits']}, {head['outputs']} outputs")]
    trained = counted(facts["trained_weights"], "weight")
    yield ["trained", text(f"{recipe['train']}: {trained}, seed {recipe['seed']}")]
    if facts["epochs"]:
        seconds = sum(epoch["seconds"] for epoch in facts["epochs"])
        kept = f"of epoch {facts['best_epoch'] + 1} were kept"
        yield ["epochs", f"{len(facts['epochs'])} in {seconds:.1f} s; the weights {kept}"]
    if metrics:
        yield ["held out", counted(metrics["examples"], "example")]
    for key in ("accuracy", "precision", "recall", "f1", "mae", "rmse", "r2"):
        if metrics.get(key) is not None:
            yield [key, number(metrics[key])]


_EPOCH = ["epoch", "loss", "accuracy", "held-out loss", "held-out accuracy", "seconds"]


def _epochs(facts: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield the rows of the epochs; of many the first, the last, the kept and some between."""
    epochs, best = facts["epochs"], facts["best_epoch"]
    step = -(-len(epochs) // _ROWS)
    shown = {*range(0, len(epochs), step), len(epochs) - 1, best} & {*range(len(epochs))}
    for place in sorted(shown):
        one = epochs[place]
        keys = ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")
        mark = f"**{place + 1}**" if place == best else str(place + 1)
        yield [mark, *(number(one[key]) for key in keys)]


def _classes(facts: Mapping[str, Any]) -> Iterator[list[str]]:
    metrics = facts["metrics"]
    if not metrics.get("classes"):
        return
    yield ["## Classes"]
    ranked = metrics["classes"]
    if len(ranked) > _CLASSES:
        ranked = sorted(ranked, key=lambda one: 1 if one["f1"] is None else one["f1"])[:_CLASSES]
        total = len(metrics["classes"])
        yield [f"The {_CLASSES} of {total} classes with the lowest F1; all are in report.json."]
    keys = ("precision", "recall", "f1")
    rows = [
        [text(one["class"]), *(number(one[key]) for key in keys), str(one["examples"])]
        for one in ranked
    ]
    yield _table(["class", *keys, "examples"], rows)
    yield _figure(facts, "classes")
    yield ["## Confusion"]
    yield _matrix(metrics)
    yield _figure(facts, "confusion")


def _matrix(metrics: Mapping[str, Any]) -> list[str]:
    """Return how often each class was taken for each; of many classes, the worst pairs."""
    names = [text(one["class"]) for one in metrics["classes"]]
    if len(names) > _CELLS:
        rows = [
            [text(one["true"]), text(one["said"]), str(one["examples"])]
            for one in pairs(metrics, _PAIRS)
        ]
        return _table(["true", "said", "examples"], rows) if rows else ["No two were confused."]
    counts = metrics["confusion"]
    rows = [[name, *map(str, row)] for name, row in zip(names, counts, strict=True)]
    return _table(["true \\ said", *names], rows)


def _mistakes(facts: Mapping[str, Any]) -> Iterator[list[str]]:
    if not facts["metrics"]:
        return
    yield ["## Worst mistakes"]
    if not facts["mistakes"]:
        yield ["None: every held-out example came out right."]
        return
    measure = "error" if "error" in facts["mistakes"][0] else "confidence"
    seen = any(one["picture"] for one in facts["mistakes"])
    rows = []
    for one in facts["mistakes"]:
        shown = f"![]({one['picture']})" if one["picture"] else ""
        told = [text(one["name"]), text(one["true"]), text(one["said"]), number(one[measure])]
        rows.append([shown, *told] if seen else told)
    yield _table([*([""] * seen), "example", "true", "said", measure], rows)


def _figure(facts: Mapping[str, Any], name: str) -> list[str]:
    path = f"report/{name}.png"
    return [f"![{_CAPTIONS[name]}]({path})"] if path in facts["plots"] else []


def _list(title: str, sentences: Sequence[str]) -> list[str]:
    return [title, "", *(f"- {text(one)}" for one in sentences)] if sentences else []


def number(value: float | None) -> str:
    """Return `value` for people, four digits of it; a dash where there is none."""
    return "-" if value is None else f"{value:.4g}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]
