"""What was measured, as values: a row of the table, with zoo's figures, theirs, and the targets."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Measured:
    """What one way of doing the work took, in each run.

    Attributes
    ----------
    label
        What was run.
    seconds
        By the wall clock, one for each run.
    megabytes
        The peak of resident memory of the process and its children; empty where it is not known,
        as of a function in a process that holds other things.
    """

    label: str
    seconds: tuple[float, ...]
    megabytes: tuple[float, ...] = ()

    @property
    def time(self) -> float:
        """Return the median of the seconds."""
        return statistics.median(self.seconds)

    @property
    def memory(self) -> float | None:
        """Return the median of the megabytes."""
        return statistics.median(self.megabytes) if self.megabytes else None

    def called(self, label: str) -> Measured:
        """Return the same under another name."""
        return replace(self, label=label)

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "label": self.label,
            "seconds": self.time,
            "megabytes": self.memory,
            "runs": {"seconds": list(self.seconds), "megabytes": list(self.megabytes)},
        }

    @staticmethod
    def of(document: dict[str, Any]) -> Measured:
        """Return what `document` says."""
        runs = document["runs"]
        return Measured(document["label"], tuple(runs["seconds"]), tuple(runs["megabytes"]))


@dataclass(frozen=True)
class Limit:
    """A target: at most so much.

    Attributes
    ----------
    kind
        ``seconds`` or ``megabytes`` of zoo, its ``time`` or ``memory`` as a multiple of another's,
        or the name of a fact of the row.
    at_most
        The number.
    beside
        The label of the other, for ``time`` and ``memory``.
    """

    kind: str
    at_most: float
    beside: str = ""

    def found(self, row: Row) -> float | None:
        """Return the number of `row` that this is about; nothing where it was not measured."""
        if self.kind in ("seconds", "megabytes"):
            return row.ours.time if self.kind == "seconds" else row.ours.memory
        if self.kind not in ("time", "memory"):
            fact = row.facts.get(self.kind)
            return None if fact is None else float(fact)
        other = row.beside(self.beside)
        if other is None:
            return None
        pair = [getattr(one, self.kind) for one in (row.ours, other)]
        return pair[0] / pair[1] if all(pair) else None

    def met(self, row: Row) -> bool | None:
        """Tell whether `row` keeps to it; nothing where that was not measured."""
        found = self.found(row)
        return None if found is None else found <= self.at_most

    def document(self, row: Row) -> dict[str, Any]:
        """Return it for JSON, with what was found in `row`."""
        found, met = self.found(row), self.met(row)
        return {
            "kind": self.kind,
            "at_most": self.at_most,
            "beside": self.beside or None,
            "found": found,
            "met": met,
        }


@dataclass(frozen=True)
class Row:
    """One work: what zoo took for it, what others took, and what it should take.

    Attributes
    ----------
    key
        Of the work, ``inspect-frozen``.
    work
        The same for people.
    subject
        On what: ``VGG16, 553 MB``.
    ours, theirs
        Measured in one run, in turn.
    limits
        The targets.
    facts
        Numbers beside time and memory, by what they say.
    """

    key: str
    work: str
    subject: str
    ours: Measured
    theirs: tuple[Measured, ...] = ()
    limits: tuple[Limit, ...] = ()
    facts: dict[str, float] = field(default_factory=dict)

    def beside(self, label: str) -> Measured | None:
        """Return what was measured of `label`."""
        return next((other for other in self.theirs if other.label == label), None)

    def document(self) -> dict[str, Any]:
        """Return it for JSON, with ratios and verdicts."""
        return {
            "key": self.key,
            "work": self.work,
            "subject": self.subject,
            "ours": self.ours.document(),
            "theirs": [{**other.document(), **self._ratios(other)} for other in self.theirs],
            "targets": [limit.document(self) for limit in self.limits],
            "facts": self.facts,
        }

    def _ratios(self, other: Measured) -> dict[str, float | None]:
        """Return zoo's time and memory as parts of the other's."""
        return {
            f"{kind}_ratio": Limit(kind, 0, other.label).found(self) for kind in ("time", "memory")
        }

    @staticmethod
    def of(document: dict[str, Any]) -> Row:
        """Return the row that `document` describes."""
        return Row(
            document["key"],
            document["work"],
            document["subject"],
            Measured.of(document["ours"]),
            tuple(map(Measured.of, document["theirs"])),
            tuple(
                Limit(one["kind"], one["at_most"], one["beside"] or "")
                for one in document["targets"]
            ),
            document["facts"],
        )
