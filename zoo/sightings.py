"""What was seen in files that were looked through: findings, counts, and what nobody could read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zoo.findings import LEVELS, USUAL, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CLEAN, FINDINGS, UNKNOWN = "clean", "findings", "unknown"
_GRAVE = {"io", "python", "network"}


@dataclass
class Sightings:
    """What was seen so far.

    Attributes
    ----------
    found
        Pairs of the file and a finding in it, those that are usual too; the file is "" where
        there is only one.
    levels
        How many operations there are of each level.
    unread
        A sentence for each thing that could not be judged.
    notes
        What else there is to know.
    models
        How many graphs, nets and stores of weights were looked through.
    """

    found: list[tuple[str, Finding]] = field(default_factory=list)
    levels: Counter[str] = field(default_factory=Counter)
    unread: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    models: int = 0

    def add(self, findings: Iterable[Finding], levels: Mapping[str, int] | None = None) -> None:
        """Take in the findings of one more graph, and how many operations of each level it has."""
        findings = list(findings)
        self.found += [("", one) for one in findings]
        self.levels.update(Counter(one.level for one in findings) if levels is None else levels)
        self.models += 1

    def join(self, other: Sightings, file: str = "") -> None:
        """Take in what was seen in the file called `file`."""
        self.found += [(_in(file, inner), one) for inner, one in other.found]
        self.levels.update(other.levels)
        self.unread += [f"{file}: {one}" if file else one for one in other.unread]
        self.notes += [f"{file}: {one}" if file else one for one in other.notes]
        self.models += other.models

    @property
    def level(self) -> str:
        """Return the gravest level that was seen."""
        there = [level for level in LEVELS if self.levels[level]]
        return LEVELS[-1] if self.unread else (there or ["pure"])[-1]

    @property
    def verdict(self) -> str:
        """Return ``"findings"``, ``"unknown"`` or ``"clean"``."""
        levels = {one.level for _, one in self.found} - USUAL
        if levels & _GRAVE:
            return FINDINGS
        return UNKNOWN if levels or self.unread else CLEAN

    def facts(self) -> dict[str, Any]:
        """Return what was seen as the document of ``zoo scan --json`` has it."""
        return {
            "verdict": self.verdict,
            "level": self.level,
            "levels": {level: self.levels[level] for level in LEVELS if self.levels[level]},
            "findings": [
                plain(one) | ({"file": file} if file else {})
                for file, one in self.found
                if one.level not in USUAL
            ],
            "unread": self.unread,
            "notes": self.notes,
        }


def plain(one: Finding) -> dict[str, Any]:
    """Return the finding `one` as documents have it."""
    return {
        "op": one.op,
        "node": one.node,
        "function": one.function,
        "level": one.level,
        "why": one.why,
        "path": list(one.path),
    }


def beyond_usual(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return those of `findings` that are asked about before a model is run, as documents do."""
    return [plain(one) for one in findings if one.level not in USUAL]


def _in(file: str, inner: str) -> str:
    return f"{file}/{inner}" if file and inner else file or inner
