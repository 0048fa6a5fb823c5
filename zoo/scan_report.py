"""What a scan found as a page to read: the verdict first, then what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.errors import counted
from zoo.findings import LEVELS
from zoo.report import SHOWN, Section
from zoo.sightings import CLEAN, FINDINGS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TITLES = {
    "io": "io: touches files",
    "python": "python: runs code of the Python process",
    "network": "network: talks to other machines",
    "custom-op": "custom-op: needs a library that is not TensorFlow's",
    "unknown": "unknown: cannot be judged",
}


def sections(facts: Mapping[str, Any], *, everything: bool) -> list[Section]:
    """Return the page on `facts`, the document of ``zoo scan``.

    Parameters
    ----------
    everything
        Whether nothing is left out, however long it gets.
    """
    found = [_head(facts)]
    for level in LEVELS:
        rows = [_row(one) for one in facts["findings"] if one["level"] == level]
        if rows:
            found.append(_section(_TITLES.get(level, level), rows, everything))
    for title in ("unread", "notes"):
        if facts[title]:
            found.append(Section(title, [[one] for one in facts[title]], names=()))
    return found


def _head(facts: Mapping[str, Any]) -> Section:
    count = sum(facts["levels"].values())
    levels = ", ".join(f"{number:,} {level}" for level, number in facts["levels"].items())
    rows = [[facts["verdict"], _summary(facts)]]
    rows.append(["path", f"{facts['path'] or 'built'}, {facts['format']}"])
    return Section("", [*rows, ["operations", f"{count:,}: {levels}"]] if count else rows)


def _summary(facts: Mapping[str, Any]) -> str:
    if facts["verdict"] == CLEAN:
        return "computes, and touches no files but its own"
    found, unread = len(facts["findings"]), len(facts["unread"])
    said = [counted(found, "finding")] if found else []
    said += [f"{counted(unread, 'thing')} that cannot be judged"] if unread else []
    asked = "what to know before it is run: " if facts["verdict"] == FINDINGS else ""
    return asked + ", ".join(said)


def _row(one: Mapping[str, Any]) -> list[str]:
    where = f"{one['file']}: {one['node']}" if one.get("file") else one["node"]
    return [one["op"], where, one["why"], " > ".join(one["path"]) or "nothing leads to it"]


def _section(title: str, rows: Sequence[Sequence[str]], everything: bool) -> Section:
    shown = rows if everything else rows[:SHOWN]
    rest = len(rows) - len(shown)
    return Section(title, shown, f"and {rest:,} more: --all" if rest else "")
