"""The figures of a report, drawn by matplotlib (extra ``plots``) where it is installed."""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MISSING = "no figures were drawn: pip install 'zoo[plots]' brings matplotlib, which draws them"
_MOST_NAMED, _MOST_BARS = 20, 40
"""Classes that a confusion matrix names, and that a chart has bars for."""
_DPI = 120


def available() -> bool:
    """Tell whether matplotlib is installed, and whole."""
    try:
        importlib.import_module("matplotlib.figure")
    except ImportError:
        return False
    return True


def draw(
    folder: Path, epochs: Sequence[Mapping[str, Any]], best: int, metrics: Mapping[str, Any]
) -> list[str]:
    """Draw what there is to draw into `folder`; return the names of the files.

    ``curves.png`` has loss and accuracy by epoch, ``confusion.png`` the confusion matrix and
    ``classes.png`` precision and recall of each class.  The same values give the same bytes.

    Parameters
    ----------
    epochs
        What each epoch came to, as the report has it.
    best
        Number of the epoch whose weights were kept, from 0.
    metrics
        As `metrics.measured` returns them.
    """
    drawn = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that the font lacks is drawn as a box
        if epochs:
            drawn.append(_saved(_curves(epochs, best), folder / "curves.png"))
        if metrics.get("examples") and "confusion" in metrics:
            drawn.append(_saved(_confusion(metrics), folder / "confusion.png"))
            drawn.append(_saved(_bars(metrics["classes"]), folder / "classes.png"))
    return drawn


def _figure(width: float, height: float) -> Any:
    """Return an empty figure, in inches, that belongs to no window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _saved(figure: Any, path: Path) -> str:
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})  # no version: bytes stay equal
    return path.name


def _curves(epochs: Sequence[Mapping[str, Any]], best: int) -> Any:
    shown = [key for key in ("loss", "accuracy") if epochs[0].get(key) is not None]
    figure = _figure(5 * len(shown), 3.5)
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    numbers = range(1, len(epochs) + 1)
    for axis, key in zip(axes, shown, strict=True):
        for name, label in ((key, "training"), (f"val_{key}", "held out")):
            values = [epoch.get(name) for epoch in epochs]
            if None not in values:
                axis.plot(numbers, values, marker="o", markersize=3, label=label)
        axis.axvline(best + 1, color="grey", linestyle=":", label="kept")
        axis.set_xlabel("epoch")
        axis.set_ylabel(key)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend()
    return figure


def _confusion(metrics: Mapping[str, Any]) -> Any:
    counts = metrics["confusion"]
    names = [_plain(one["class"]) for one in metrics["classes"]]
    shares = [[count / (sum(row) or 1) for count in row] for row in counts]
    side = 3.5 + 0.35 * min(len(names), _MOST_NAMED)
    figure = _figure(side + 0.5, side)
    axis = figure.subplots()
    figure.colorbar(axis.imshow(shares, cmap="Blues", vmin=0, vmax=1), label="share of the class")
    axis.set_xlabel("said")
    axis.set_ylabel("true")
    if len(names) <= _MOST_NAMED:
        axis.set_xticks(range(len(names)), names, rotation=90)
        axis.set_yticks(range(len(names)), names)
        for true, row in enumerate(counts):
            for said, count in enumerate(row):
                color = "white" if shares[true][said] > 0.5 else "black"
                axis.text(said, true, str(count), ha="center", va="center", color=color)
    return figure


def _bars(classes: Sequence[Mapping[str, Any]]) -> Any:
    """Return precision and recall as bars; of many classes those with the lowest F1."""
    shown = sorted(classes, key=lambda one: one["f1"] if one["f1"] is not None else 1)[:_MOST_BARS]
    figure = _figure(6, 1.2 + 0.35 * len(shown))
    axis = figure.subplots()
    places = range(len(shown))
    for key, shift in (("precision", -0.2), ("recall", 0.2)):
        values = [one[key] or 0 for one in shown]
        axis.barh([place + shift for place in places], values, height=0.4, label=key)
    axis.set_yticks(places, [_plain(one["class"]) for one in shown])
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    figure.legend(loc="outside upper right", ncols=2)
    return figure


def _plain(name: str) -> str:
    """Return `name` without what matplotlib would take for a formula, and short."""
    short = name if len(name) <= 30 else name[:29] + "…"
    return short.replace("$", r"\$")
