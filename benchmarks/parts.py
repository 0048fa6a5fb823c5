"""The parts of the benchmark: a name, and the function that measures its rows.

A part is ``module:function``; the function takes a `benchmarks.bench.Bench` and yields a
`benchmarks.rows.Row` for each work as soon as it is measured.
"""

from __future__ import annotations

PARTS = {
    "start": "starting:rows",
    "inspect": "looking:rows",
    "freeze": "freezing:rows",
    "weights": "loaded:weights",
    "save": "loaded:saves",
    "first-output": "loaded:first_output",
    "run": "loaded:calls",
    "finetune": "finetuning:rows",
    "fetch": "fetching:rows",
    "registry": "registries:rows",
    "scan": "scanning:rows",
}
"""Those of the table."""
FURTHER = {
    "others": "further:others",
    "copies": "further:copies",
    "left-behind": "further:left_behind",
    "train": "finetuning:further",
    "large": "large:rows",
}
"""Those that are measured when there is time."""


def part_named(name: str) -> tuple[str, str]:
    """Return the module and the function of the part called `name`."""
    module, function = {**PARTS, **FURTHER}[name].split(":")
    return f"benchmarks.{module}", function
