"""Comparisons: two models opened, wherever they are, and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo import work
from zoo.addresses import shown
from zoo.compare import compare
from zoo.contrast import EXACT, Tolerance
from zoo.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from zoo.library import Library


def diff(
    library: Library,
    a: str | Path | Model,
    b: str | Path | Model,
    *,
    tags_a: str | Iterable[str] | None = None,
    tags_b: str | Iterable[str] | None = None,
    tolerance: Tolerance = EXACT,
) -> dict[str, Any]:
    """Return in what the models `a` and `b` are the same, the document of ``zoo diff --json``."""
    one, facts_a = _opened(library, a, tags_a)
    other, facts_b = _opened(library, b, tags_b)
    with work.counted("comparing", one.weights.nbytes + other.weights.nbytes):
        found = compare(one, other, tolerance)
    return {"equal": found.pop("equal"), "a": facts_a, "b": facts_b, **found}


def _opened(
    library: Library, model: str | Path | Model, tags: str | Iterable[str] | None
) -> tuple[Model, dict[str, str | None]]:
    """Return a model, and what it was called, in which format it is and where."""
    if isinstance(model, Model):
        return model, {"ref": None, "format": None, "path": None}
    opened = library.open(model, options={"tags": tags})
    path = None if opened.path is None else str(opened.path)
    return opened.model, {"ref": shown(str(model)), "format": opened.format, "path": path}
