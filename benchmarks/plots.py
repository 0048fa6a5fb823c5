"""Draw the figures of `benchmarks.growth`: ``python -m benchmarks.plots FILE``, an SVG each.

Needs matplotlib.  The same figures give the same bytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_PANELS = (("seconds", "seconds"), ("megabytes", "peak memory, MB"))
_STYLE = {
    "svg.fonttype": "none",  # letters stay letters: small, and people can search for them
    "svg.hashsalt": "zoo",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(figures: Path) -> None:
    """Write ``growth-NAME.svg`` beside the file `figures` for each of its series."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update(_STYLE)
    for name, series in json.loads(figures.read_text())["series"].items():
        _figure(series, figures.with_name(f"growth-{name}.svg"))


def _figure(series: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.6), layout="constrained")
    panels = figure.subplots(1, len(_PANELS))
    for panel, (key, title) in zip(panels, _PANELS, strict=True):
        for label in dict.fromkeys(point["label"] for point in series["points"]):
            points = [point for point in series["points"] if point["label"] == label]
            ours = label.startswith("zoo")
            panel.plot(
                [point["size"] for point in points], [point[key] for point in points],
                label=label, marker="o" if ours else "x", linestyle="-" if ours else "--", ms=4,
            )  # fmt: skip
        panel.set(xscale="log", yscale="log", xlabel=series["axis"], title=title)
        panel.minorticks_off()
        panel.grid(visible=True, alpha=0.3)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
