"""The report on a fine-tuning: ``report.md`` for people, ``report.json``, and a folder of pictures.

The folder ``report`` and the two files beside it belong together: the folder comes first, so that a
page never shows what is not there.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from zoo import atomic, output
from zoo_finetune import metrics, plots, report_page, thumbnails
from zoo_finetune.run_record import folder_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zoo_finetune.finetuning import Trained
    from zoo_finetune.recipe import Recipe

_MISTAKES = 20
_LARGEST_MATRIX = 200
"""Classes up to which the confusion matrix is written out; of more, the pairs alone."""
_PAIRS = 50
_SECTIONS = ("base", "data", "result", "made_by")


def write(
    place: Path,
    trained: Trained,
    recipe: Recipe,
    record: Mapping[str, Any],
    pictures: Sequence[Path] | None = None,
    *,
    read_in: Path | None = None,
) -> list[str]:
    """Write the report on `trained` beside the result at `place`; return notes on what it lacks.

    Parameters
    ----------
    record
        As `run_record.record` returns it.
    pictures
        Where the pictures of the held-out examples lie, if not where these say.
    read_in
        The folder that the report will lie in, if not in the one where it is written.
    """
    folder = folder_of(place)
    facts = _facts(trained, recipe, record)
    with atomic.replacing(folder / "report") as draft:
        draft.mkdir()
        facts["mistakes"] = _mistakes(trained, recipe, draft, read_in or folder, pictures)
        facts["plots"] = _plots(draft, facts)
    missing = [] if plots.available() else [plots.MISSING]
    facts["missing"] = missing
    page = report_page.page(facts)
    _shorten(facts["metrics"])
    for name, text in (("report.json", output.document(facts) + "\n"), ("report.md", page)):
        with atomic.replacing(folder / name) as draft:
            draft.write_text(text, encoding="utf-8")
    return missing


def measured(trained: Trained, recipe: Recipe) -> dict[str, Any]:
    """Return how well `trained` does on what was held out; empty where nothing was."""
    if trained.validation is None or trained.predictions is None:
        return {}
    labels = trained.validation.labels
    return metrics.measured(recipe.task, labels, trained.predictions, trained.classes)


def _facts(trained: Trained, recipe: Recipe, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document, but for what has to be drawn."""
    return {
        **{key: record.get(key, {}) for key in _SECTIONS},
        "recipe": dataclasses.asdict(recipe),
        "head": {
            "features": trained.head.features,
            "logits": trained.head.logits,
            "outputs": trained.head.outputs,
        },
        "trained_weights": trained.trained_weights,
        "classes": list(trained.classes),
        "epochs": [dataclasses.asdict(epoch) for epoch in trained.epochs],
        "best_epoch": trained.best_epoch,
        "metrics": measured(trained, recipe),
        "notes": list(trained.notes),
    }


def _mistakes(
    trained: Trained, recipe: Recipe, draft: Path, folder: Path, pictures: Sequence[Path] | None
) -> list[dict[str, Any]]:
    """Return the worst mistakes, a picture of each in `draft` where it can be seen."""
    held = trained.validation
    if held is None or trained.predictions is None:
        return []
    if pictures is not None:
        held = dataclasses.replace(held, paths=list(pictures))
    found = metrics.worst(recipe.task, held.labels, trained.predictions, _MISTAKES)
    is_value = recipe.task == "regression"
    told = []
    for number, one in enumerate(found, 1):
        name = f"mistake-{number:02}"
        told.append(
            {
                "name": held.names[one.index],
                "true": one.true if is_value else metrics.class_name(trained.classes, one.true),
                "said": one.said if is_value else metrics.class_name(trained.classes, one.said),
                "error" if is_value else "confidence": one.measure,
                "picture": thumbnails.add(held, one.index, draft, name, folder),
            }
        )
    return told


def _plots(draft: Path, facts: Mapping[str, Any]) -> list[str]:
    if not plots.available():
        return []
    drawn = plots.draw(draft, facts["epochs"], facts["best_epoch"], facts["metrics"])
    return [f"report/{name}" for name in drawn]


def _shorten(found: dict[str, Any]) -> None:
    """Leave the most confused pairs of a confusion matrix that nobody would read."""
    counts = found.get("confusion")
    if counts is not None:
        found["confused"] = report_page.pairs(found, _PAIRS)
        if len(counts) > _LARGEST_MATRIX:
            found["confusion"] = None
