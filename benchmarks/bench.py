"""What the parts of the benchmark share: a folder, how often, the tools of others, one VGG16."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from benchmarks.measure import quietly
from benchmarks.rows import Row
from benchmarks.vgg16 import FULL, QUICK, Net

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.theirs import Theirs

ZOO = (sys.executable, "-m", "zoo")


@dataclass(frozen=True)
class Bench:
    """One run of the benchmark.

    Attributes
    ----------
    room
        A folder that is empty at first, and gone at the end.
    runs
        How often each command is run.
    theirs
        The tools of others.
    quick
        Whether models are small, so that all of it takes three minutes.
    missing
        What was not measured, and why.
    """

    room: Path
    runs: int
    theirs: Theirs
    quick: bool = False
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def net(self) -> Net:
        """Return the sizes of VGG16."""
        return QUICK if self.quick else FULL

    @cached_property
    def checkpoint(self) -> Path:
        """Return VGG16 as a checkpoint of TensorFlow 1, made when it is first asked for."""
        prefix = self.room / "vgg16"
        run = [sys.executable, "-m", "benchmarks.vgg16", str(prefix)]
        quietly([*run, "quick"] if self.quick else run)
        return prefix

    @cached_property
    def frozen(self) -> Path:
        """Return the same as a frozen graph."""
        return self._converted("vgg16.pb", "frozen")

    @cached_property
    def saved_model(self) -> Path:
        """Return the same as a SavedModel."""
        return self._converted("vgg16-saved-model", "saved_model")

    @property
    def megabytes(self) -> float:
        """Return the size of its weights."""
        data = self.checkpoint.with_name(f"{self.checkpoint.name}.data-00000-of-00001")
        return data.stat().st_size / 1e6

    @property
    def subject(self) -> str:
        """Return what it is, for people."""
        return f"{self.net.name}, {self.megabytes:.0f} MB"

    def rows_of(self, module: str, *arguments: object) -> list[Row]:
        """Return what `module` measures in a process of its own, which holds what is measured."""
        found = self.room / "rows.json"
        quietly([sys.executable, "-m", module, *map(str, arguments), "--rows", str(found)])
        return [Row.of(one) for one in json.loads(found.read_text())]

    def _converted(self, name: str, form: str) -> Path:
        target = self.room / name
        quietly([*ZOO, "convert", str(self.checkpoint), str(target), "--to", form])
        return target


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Have every process that is started in the block find `values` in its environment."""
    kept = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
