"""The card of a fine-tuned model: what it is, what it came from and how good it is.

Markdown with front matter as the Hugging Face Hub reads it (its page "Model Cards"), so that a
folder with the model and its card can be uploaded as it is.  No path of this machine is in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import atomic
from zoo_finetune.report_page import number, text
from zoo_finetune.run_record import folder_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zoo.entries import Preprocessing
    from zoo_finetune.finetuning import Trained
    from zoo_finetune.recipe import Recipe

_MARK = "<!-- written by zoo finetune -->"
_TASKS = {"classification": "tabular-classification", "regression": "tabular-regression"}
_SHOWN = 50
_OPTIONS = ("train", "epochs", "batch_size", "learning_rate", "optimizer", "schedule", "seed")
_METRICS = ("accuracy", "precision", "recall", "f1", "mae", "rmse", "r2")


def card(
    name: str,
    trained: Trained,
    recipe: Recipe,
    record: Mapping[str, Any],
    *,
    license: str | None = None,  # noqa: A002  (the word users know)
    preprocessing: Preprocessing | None = None,
) -> str:
    """Return the card of the model called `name`.

    Parameters
    ----------
    record
        As `run_record.record` returns it.
    license
        The licence of the base model, an SPDX identifier; ``unknown`` where there is none.
    preprocessing
        How a photo becomes an input, as the registry has it.
    """
    import yaml

    matter = _matter(name, trained, recipe, record, license)
    header = yaml.safe_dump(matter, sort_keys=False, allow_unicode=True)
    body = "\n\n".join(_body(name, trained, recipe, record, preprocessing))
    return f"---\n{header}---\n{_MARK}\n\n{body}\n"


def write(place: Path, page: str) -> Path | None:
    """Write the card `page` as README.md beside the result at `place`, and return its path.

    None if a README.md is there that a person wrote: it stays.
    """
    path = folder_of(place) / "README.md"
    if is_anothers(path):
        return None
    with atomic.replacing(path) as draft:
        draft.write_text(page, encoding="utf-8")
    return path


def is_anothers(path: Path) -> bool:
    """Tell whether something is at `path` that is no card of ours."""
    if not path.is_file():
        return path.exists()
    return _MARK not in path.read_text(encoding="utf-8", errors="replace")


def base_name(record: Mapping[str, Any]) -> str:
    """Return what the base model is called: its registered name, or the last part of its path."""
    return _last(record.get("base", {}).get("model", "unknown"))


def _last(place: object) -> str:
    """Return the last part of a path, in which nothing of this machine is told."""
    return Path(str(place)).name or "unknown"


def _matter(
    name: str,
    trained: Trained,
    recipe: Recipe,
    record: Mapping[str, Any],
    license: str | None,  # noqa: A002
) -> dict[str, Any]:
    """Return the front matter."""
    numbers = {key: record["metrics"][key] for key in _METRICS if key in record.get("metrics", {})}
    data, task = _last(record.get("data", {}).get("path", "unknown")), _task(trained, recipe)
    measured = {
        "task": {"type": task},
        "dataset": {"name": f"{data}, held out", "type": data},
        "metrics": [{"type": key, "value": value} for key, value in numbers.items()],
    }
    return {
        "license": (license or "unknown").lower(),
        "library_name": "tf",
        "pipeline_tag": task,
        "tags": ["tensorflow", "zoo", "fine-tuned"],
        "base_model": base_name(record),
        "base_model_relation": "finetune",
        "datasets": [data],
        "metrics": [*numbers],
        **({"model-index": [{"name": name, "results": [measured]}]} if numbers else {}),
    }


def _task(trained: Trained, recipe: Recipe) -> str:
    """Return what the Hub calls the task."""
    from zoo.images import SUFFIXES

    paths = trained.validation.paths if trained.validation is not None else None
    if paths and Path(paths[0]).suffix.lower() in SUFFIXES:
        kind = "classification" if recipe.task == "classification" else "feature-extraction"
        return "image-classification" if kind == "classification" else "image-feature-extraction"
    return _TASKS[recipe.task]


def _body(
    name: str,
    trained: Trained,
    recipe: Recipe,
    record: Mapping[str, Any],
    preprocessing: Preprocessing | None,
) -> Iterator[str]:
    base = base_name(record)
    yield f"# {text(name)}"
    yield f"{text(base)} with a new last layer, trained by zoo on {text(_data(record))}."
    yield "## Input and output\n\n" + "\n".join(_ends(trained, preprocessing))
    if trained.classes:
        names = [text(one) for one in trained.classes]
        rest = len(names) - _SHOWN
        more = f" and {rest} more" if rest > 0 else ""
        yield f"## Labels\n\nIn the order of the outputs: {', '.join(names[:_SHOWN])}{more}."
    numbers = record.get("metrics", {})
    told = [f"- {key}: {number(numbers[key])}" for key in _METRICS if key in numbers]
    if told:
        yield "## On held-out examples\n\n" + "\n".join(told)
    options = [f"- {key}: {text(getattr(recipe, key))}" for key in _OPTIONS]
    yield "## How it was trained\n\n" + "\n".join(options)
    yield "All options, versions and digests are in recipe.yaml; `zoo rebuild` trains it again."
    yield f"It can do no better than its data, and inherits what {text(base)} has learned wrong."


def _data(record: Mapping[str, Any]) -> str:
    data = record.get("data", {})
    count = f" ({data['examples']} examples)" if "examples" in data else ""
    return _last(data.get("path", "unknown")) + count


def _ends(trained: Trained, preprocessing: Preprocessing | None) -> Sequence[str]:
    signature = trained.model.signature()
    lines = [f"- input {text(key)}: {text(spec)}" for key, spec in signature.inputs.items()]
    lines += [f"- output {text(key)}: {text(spec)}" for key, spec in signature.outputs.items()]
    if preprocessing:
        how = ", ".join(f"{key} {value}" for key, value in preprocessing.model_dump().items())
        lines.append(f"- photos: {text(how)}")
    return lines
