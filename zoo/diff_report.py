"""What two models have in common as a page to read: the answer first, then what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.errors import counted
from zoo.report import SHOWN, Section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROUNDED = "rounded"


def sections(facts: Mapping[str, Any], *, everything: bool) -> list[Section]:
    """Return the page on `facts`, the document of ``zoo diff``.

    Parameters
    ----------
    everything
        Whether nothing is left out, however long it gets.
    """
    weights, graph = facts["weights"], facts["graph"] or {"differences": []}
    needed = [(s, one) for s in "AB" for one in weights[f"only_{s.lower()}"] if one["needed"]]
    spare = [(s, one) for s in "AB" for one in weights[f"only_{s.lower()}"] if not one["needed"]]
    parts = [
        ("weights that differ", [*_differing(weights), *(_only(s, one) for s, one in needed)]),
        ("graph", [_place(one) for one in graph["differences"]]),
        ("signatures", _signatures(facts["signatures"])),
        ("weights under other names", [[a, f"is {b} in B"] for a, b in weights["renamed"].items()]),
        ("weights within the tolerance", [_contrast(one) for one in weights["close"]]),
        ("weights that the outputs do not need", [_only(side, one) for side, one in spare]),
    ]
    found = [_section(title, rows, everything) for title, rows in parts if rows]
    notes = Section("notes", [[note] for note in facts["notes"]], names=())
    return [_head(facts), *found, *([notes] if facts["notes"] else [])]


def _head(facts: Mapping[str, Any]) -> Section:
    rows = [["equal" if facts["equal"] else "different", _summary(facts)]]
    for side in "ab":
        one = facts[side]
        form = f", {one['format']}" if one["format"] else ""
        rows.append([side.upper(), (one["ref"] or "a model in memory") + form])
    return Section("", rows)


def _summary(facts: Mapping[str, Any]) -> str:
    """Return how much is the same where all is, else how much is not."""
    weights, graph, signatures = facts["weights"], facts["graph"], facts["signatures"]
    same = weights["equal"] + len(weights["renamed"]) + len(weights["close"])
    if facts["equal"]:
        outputs = f"{counted(len(graph['outputs']), 'output')}, " if graph else ""
        nodes = f"{counted(graph['nodes_a'], 'operation')}, " if graph else ""
        return f"{outputs}{nodes}{counted(same, 'weight')}"
    needed = [one for side in "ab" for one in weights[f"only_{side}"] if one["needed"]]
    unlike = len(_differing(weights)) + len(needed)
    said = [f"{unlike:,} of {counted(unlike + same, 'weight')}"] if unlike else []
    if graph and graph["differences"]:
        said.append(counted(len(graph["differences"]), "place of the graph", "places of the graph"))
    parts = len(_signatures(signatures))
    if parts:
        said.append(counted(parts, "part of a signature", "parts of signatures"))
    return ", ".join(said)


def _section(title: str, rows: Sequence[Sequence[str]], everything: bool) -> Section:
    shown = rows if everything else rows[:SHOWN]
    rest = len(rows) - len(shown)
    return Section(title, shown, f"and {rest:,} more; --all shows them" if rest else "")


def _differing(weights: Mapping[str, Any]) -> list[list[str]]:
    rows = [_contrast(one) for one in weights["different"]]
    rows += [_contrast(one) for one in weights["cast"]]
    return rows + [
        [_called(one), f"axes transposed: {one['axes']}"] for one in weights["transposed"]
    ]


def _called(one: Mapping[str, Any]) -> str:
    return str(one["a"]) if one["a"] == one["b"] else f"{one['a']} | {one['b']}"


def _contrast(one: Mapping[str, Any]) -> list[str]:
    """Return the row on two weights that are not the same."""
    if one["shape"] is None:
        kinds = [one.get(f"dtype_{side}", one.get("dtype")) for side in "ab"]
        return [_called(one), f"{kinds[0]} {one['shape_a']} in A, {kinds[1]} {one['shape_b']} in B"]
    said = ""
    if "dtype_a" in one:
        how = " (rounded)" if one.get(_ROUNDED) else ""
        said = f"{one['dtype_a']} in A, {one['dtype_b']} in B{how}; "
    said += f"{one['different']:,} of {counted(one['elements'], 'value')}"
    if one["different"] and one["max_abs_diff"] is not None:
        said += f", by {one['max_abs_diff']:.3g} at most"
    if one["different"] and one["value_a"] is not None:
        said += f", at {one['at']}: {one['value_a']!r} in A, {one['value_b']!r} in B"
    return [_called(one), said]


def _only(side: str, one: Mapping[str, Any]) -> list[str]:
    return [one["name"], f"only in {side}: {one['dtype']} {one['shape']}"]


def _place(one: Mapping[str, str]) -> list[str]:
    """Return the row on one place where two graphs differ."""
    if one["kind"] == "output":
        return [one["a"] or one["b"], f"an output only of {'A' if one['a'] else 'B'}"]
    what = {
        "attribute": f"{one['what']}: ",
        "constant": "holds ",
        "edge": f"input {one['what']}: " if one["what"] else "output ",
        "effects": "runs after: ",
        "inputs": "inputs: ",
        "shape": "shape: ",
        "shared": "stands for several: ",
    }.get(one["kind"], "")
    there = [one[f"in_{side}"] or "nothing" for side in "ab"]
    return [_called(one), f"{what}{there[0]} in A, {there[1]} in B"]


def _signatures(facts: Mapping[str, Any] | None) -> list[list[str]]:
    if facts is None:
        return []
    rows = [[key, f"only in {s}"] for s in "AB" for key in facts[f"only_{s.lower()}"]]
    for one in facts["differences"]:
        there = [one[side] or "nothing" for side in "ab"]
        rows.append(
            [f"{one['signature']} {one['side']} {one['name']}", f"{there[0]} in A, {there[1]} in B"]
        )
    return rows
