"""A large registry: the first question, those that follow, and PyYAML's own loaders."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from benchmarks.bench import ZOO, environment
from benchmarks.measure import in_turn
from benchmarks.works import SAFE_LOAD, WORKS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.bench import Bench
    from benchmarks.rows import Measured, Row

_MODELS, _FEWER = 100_000, 10_000
_ENTRY = """  net-{n}:
    summary: A net of number {n}
    architecture: vgg16
    weights:
      imagenet:
        format: checkpoint
        urls: ["https://models.example.org/net-{n}.tar.gz"]
        sha256: {n:064x}
        size: {n}
    inputs: {{images: "images:0"}}
    outputs: {{probabilities: "prob:0"}}
    license: Apache-2.0
"""
_LOAD = "import sys, yaml; yaml.load(open(sys.argv[1]), yaml.{})"
FIRST, AGAIN = "zoo list 'vgg*', the first time", "zoo list 'vgg*', from then on"
C_LOADER = "yaml.load, CSafeLoader"


def write(path: Path, models: int = _MODELS) -> None:
    """Write a registry of so many `models` to `path`: 370 bytes each."""
    with path.open("w") as file:
        file.write("version: 1\nmodels:\n")
        file.writelines(_ENTRY.format(n=n) for n in range(models))


def rows(bench: Bench) -> Iterator[Row]:
    """Measure a registry of 100,000 models."""
    models = _FEWER if bench.quick else _MODELS
    found = of_size(bench.room, models, min(bench.runs, 3), (SAFE_LOAD, C_LOADER))
    theirs = [found[SAFE_LOAD], found[C_LOADER]]
    subject = f"{models:,} models"
    yield WORKS["registry-first"].row(subject, found[FIRST].called("zoo list 'vgg*'"), theirs)
    yield WORKS["registry-again"].row(subject, found[AGAIN].called("zoo list 'vgg*'"), theirs)


def of_size(room: Path, models: int, runs: int, loaders: tuple[str, ...]) -> dict[str, Measured]:
    """Return what a registry of so many `models` takes zoo, and once each of PyYAML's `loaders`."""
    path, home = room / "registry.yaml", room / "registry-home"
    write(path, models)
    programs = {SAFE_LOAD: "SafeLoader", C_LOADER: "CSafeLoader"}
    ours = [*ZOO, "list", "vgg*", "--registry", str(path)]
    theirs = {
        label: [sys.executable, "-c", _LOAD.format(programs[label]), str(path)] for label in loaders
    }

    def clear() -> None:
        """Have the registry parsed again."""
        shutil.rmtree(home, ignore_errors=True)

    with environment(ZOO_HOME=str(home)):
        first = in_turn({FIRST: ours}, runs, clear)
        again = in_turn({AGAIN: ours}, runs)
    loaded = in_turn(theirs, 1)
    path.unlink()
    clear()
    return {**first, **again, **loaded}
