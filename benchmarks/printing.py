"""The rows for people: each as it is measured, and all of them as one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.rows import Limit, Measured, Row

_WORDS = {True: "met", False: "missed", None: "not measured"}
_HEAD = ("work", "zoo", "beside", "takes", "time", "memory", "target")
_UNITS = {"seconds": " s", "megabytes": " MB"}
_FEW = 10
_ABOUT_EQUAL = 0.8
_SMALL = 0.01


def header(machine: dict[str, Any], versions: dict[str, str], *, quick: bool, runs: int) -> str:
    """Return the lines above the table: machine, versions, how it is measured."""
    busy = f", load {machine['load']}" if machine["load"] > machine["cores"] / 2 else ""
    about = f"{machine['cpu']} ({machine['architecture']}), {machine['cores']} cores, "
    about += f"{machine['memory_gb']} GB, {machine['kernel']}{busy}"
    how = "medians of up to " if runs > 1 else ""
    how += f"{runs} run{'s' * (runs > 1)}, zoo's and theirs in turn"
    if quick:
        how += "; quick: smaller models and fewer runs, so only the proportions mean something"
    named = ", ".join(f"{name} {number}" for name, number in versions.items())
    return f"{about}\n{named}\n{how}"


def block(row: Row) -> str:
    """Return what was measured of one work, and whether the targets were met."""
    lines = [f"{row.work}: {row.subject}"]
    for one in (row.ours, *row.theirs):
        ratio = "" if one is row.ours else times_theirs(row.ours, one)
        lines.append(f"  {one.label:42} {_figures(one):>20}  {ratio}".rstrip())
    lines += [f"  {name}: {_number(value)}" for name, value in row.facts.items()]
    for limit in row.limits:
        lines.append(f"  target: {in_words(limit)}: {verdict(limit, row)}")
    return "\n".join(lines)


def table(rows: Iterable[Row]) -> str:
    """Return the rows as one Markdown table, a line for each tool beside zoo.

    Time and memory are zoo's as parts of the other's.
    """
    cells = [_HEAD, ("---",) * len(_HEAD)]
    for row in rows:
        met = "; ".join(f"{in_words(one)}: {_WORDS[one.met(row)]}" for one in row.limits)
        beside = [
            (other.label, _figures(other), *_ratios(row.ours, other)) for other in row.theirs
        ] or [("",) * 4]
        first, *others = beside
        cells.append((f"{row.work} ({row.subject})", _figures(row.ours), *first, met))
        cells += [("", "", *other, "") for other in others]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def in_words(limit: Limit) -> str:
    """Return the target as people say it, ``at most 1/20 of the time of freeze_graph``."""
    if limit.kind in _UNITS:
        return f"at most {limit.at_most:g}{_UNITS[limit.kind]}"
    if limit.kind not in ("time", "memory"):
        return f"{limit.kind}, at most {limit.at_most:g}"
    of = "of " if limit.at_most < _ABOUT_EQUAL else ""
    return f"at most {part(limit.at_most)} {of}the {limit.kind} of {limit.beside}"


def verdict(limit: Limit, row: Row) -> str:
    """Return whether `row` met it, with what was found."""
    found, word = limit.found(row), _WORDS[limit.met(row)]
    if found is None:
        return word
    if limit.kind in ("time", "memory"):
        return f"{word}, {part(found)}"
    return f"{word}, {_number(found)}{_UNITS.get(limit.kind, '')}"


def part(ratio: float) -> str:
    """Return a ratio as people say it: ``1/20``, ``1.2 x``."""
    if ratio > _ABOUT_EQUAL:
        return f"{ratio:.3g} x"
    turned = round(1 / ratio, 1)
    return f"1/{turned:.0f}" if turned >= _FEW or turned.is_integer() else f"1/{turned}"


def times_theirs(ours: Measured, other: Measured) -> str:
    """Return the other's time and memory as multiples of zoo's."""
    said = f"{other.time / ours.time:.3g} x the time"
    if ours.memory and other.memory:
        said += f", {other.memory / ours.memory:.3g} x the memory"
    return said


def _ratios(ours: Measured, other: Measured) -> tuple[str, str]:
    memory = part(ours.memory / other.memory) if ours.memory and other.memory else ""
    return part(ours.time / other.time), memory


def _figures(one: Measured) -> str:
    memory = f", {one.memory:.0f} MB" if one.memory else ""
    return f"{_seconds(one.time)}{memory}"


def _seconds(value: float) -> str:
    if value < 0.01:
        return f"{value * 1000:.3g} ms"
    return f"{value:.2f} s" if value < _FEW else f"{value:.1f} s"


def _number(value: float) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
