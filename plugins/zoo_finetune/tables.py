"""A CSV file: pictures by path and label, or a row of numbers for each example.

Commas, semicolons or tabs; quoted or not; with names of columns or without (RFC 4180, and what
spreadsheets write).
"""

from __future__ import annotations

import csv
import itertools
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import DataError, FormatError, some
from zoo_finetune import folders
from zoo_finetune.contents import Spool, look
from zoo_finetune.gathered import LABELS, Gathered, order, readable, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from zoo_finetune.recipe import Recipe

_PATHS = ("path", "file", "filename", "filepath", "file_name", "image", "picture")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MOST = 2**63
_DELIMITERS = "\t;,"
_SNIFFED = 5

Row = tuple[int, list[str]]
"""The number of a line, from 1 on, and its cells."""


@dataclass(frozen=True)
class _Layout:
    """Which columns are what; `path` is None where the others are numbers."""

    columns: Sequence[str]
    named: bool
    path: int | None
    labels: Sequence[int]


def read(path: Path, recipe: Recipe, *, whole: bool = False) -> Gathered:
    """Return the rows of the CSV file `path`.

    Pictures are named relative to its folder, and sorted by name. Numbers are one array (n, columns
    but the label's) of float32, on the disk where they are many; a row that is no numbers is among
    the broken.

    Parameters
    ----------
    whole
        The net takes whole numbers: they are int64, and a row with others is among the broken.

    Raises
    ------
    DataError
        There are no rows, or no column of labels.
    FormatError
        The file is no CSV in UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = _delimiter(list(itertools.islice(file, _SNIFFED)))
            file.seek(0)
            return _gathered(path, _rows(file, delimiter), recipe, whole)
    except (UnicodeDecodeError, csv.Error) as error:
        hint = "save it as UTF-8, with commas, semicolons or tabs between the columns"
        raise FormatError(f"{path} is no CSV file", found=str(error), hint=hint) from error


def _delimiter(lines: Sequence[str]) -> str:
    """Return what parts the cells of `lines`: what is as often in each, outside quotes."""
    bare = [re.sub(r'"[^"]*"', "", line) for line in lines if line.strip()]
    for delimiter in _DELIMITERS:
        counts = {line.count(delimiter) for line in bare}
        if len(counts) == 1 and counts != {0}:
            return delimiter
    return max(reversed(_DELIMITERS), key=lambda d: sum(line.count(d) for line in bare))


def _rows(lines: Iterable[str], delimiter: str) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            stripped = [cell.strip() for cell in cells]
            if delimiter == ";":  # where a comma is what a point is elsewhere
                stripped = [_with_point(cell) for cell in stripped]
            yield reader.line_num, stripped


def _with_point(cell: str) -> str:
    pointed = cell.replace(",", ".", 1)
    return pointed if _NUMBER.fullmatch(pointed) else cell


def _gathered(path: Path, given: Iterator[Row], recipe: Recipe, whole: bool) -> Gathered:
    first = next(given, None)
    if first is None:
        raise DataError(f"{path} holds nothing to learn from", found="no rows")
    layout = _layout(path, first[1], recipe)
    every = given if layout.named else itertools.chain([first], given)
    if layout.path is None:
        return _numbers(every, layout, whole)
    return _pictures(path.parent, every, layout, layout.path)


def _layout(path: Path, cells: list[str], recipe: Recipe) -> _Layout:
    """Return which columns are what, by the first row: names, or already an example."""
    lower = [cell.lower() for cell in cells]
    count = recipe.outputs if recipe.task == "regression" else 1
    if len(cells) < 1 + count:
        raise DataError(
            f"{path} has no column to learn from beside its labels",
            found=some(cells),
            hint="columns path,label; or numbers, and a column label",
        )
    numeric = all(_NUMBER.fullmatch(cell) for cell in cells[:-1])
    is_file = not numeric and _is_file(path.parent, cells[0])
    if numeric or is_file:
        return _Layout(
            [f"column {number + 1}" for number in range(len(cells))],
            False,
            0 if is_file else None,
            range(len(cells) - count, len(cells)),
        )
    place = next((lower.index(name) for name in _PATHS if name in lower), None)
    label = next((lower.index(name) for name in LABELS if name in lower), len(cells) - 1)
    labels = [label] if count == 1 else range(len(cells) - count, len(cells))
    if place in labels:
        raise DataError(f"{path} has no column of labels", found=some(cells), hint="path,label")
    return _Layout(cells, True, place, labels)


def _is_file(folder: Path, name: str) -> bool:
    try:
        return (folder / _slashed(folder, name)).is_file()
    except OSError:  # a text that is too long for a name
        return False


def _slashed(folder: Path, name: str) -> str:
    """Return `name`, a file in `folder`, with slashes if it was written with backslashes."""
    known = "\\" not in name or (folder / name).exists()
    return name if known else name.replace("\\", "/")


def _pictures(folder: Path, given: Iterator[Row], layout: _Layout, place: int) -> Gathered:
    every = [
        (_slashed(folder, _cell(cells, place)), [_cell(cells, at) for at in layout.labels])
        for _, cells in given
    ]
    every.sort(key=lambda each: (order(each[0]), each[1]))
    names = [readable(name) for name, _ in every]
    paths = [folder / name for name, _ in every]
    looked = look(paths)
    digests = [each.digest for each in looked]
    broken = {at: each.failure for at, each in enumerate(looked) if each.failure}
    broken |= {at: "it has no path" for at, name in enumerate(names) if not name}
    labels = [label for _, label in every]
    broken |= {at: "it has no label" for at, label in enumerate(labels) if "" in label}
    unread = len(layout.columns) - 1 - len(layout.labels)
    others = [f"{unread} other columns are not read"] if unread else []
    said = folders.copies(names, [tuple(label) for label in labels], digests)
    return Gathered(
        names, _labels(labels), digests, paths=paths, broken=broken, notes=[*others, *said]
    )


def _cell(cells: Sequence[str], place: int) -> str:
    return cells[place] if place < len(cells) else ""


@np.errstate(over="ignore")  # it becomes infinite, which the checks say
def _numbers(given: Iterator[Row], layout: _Layout, whole: bool) -> Gathered:
    places = [place for place in range(len(layout.columns)) if place not in layout.labels]
    dtype, number_of, unread = (np.int64, _whole, 0) if whole else (np.float32, float, np.nan)
    spool = Spool(np.dtype(dtype), (len(places),))
    names: list[str] = []
    labels: list[list[str]] = []
    broken: dict[int, str] = {}
    for number, cells in given:
        wrong = _wrong(cells, places, layout, whole)
        if wrong:
            broken[len(names)] = wrong
        values = [unread if wrong else number_of(cells[place]) for place in places]
        spool.add(np.array([values], dtype))
        names.append(f"row {number}")
        labels.append([_cell(cells, at) for at in layout.labels])
    return Gathered(names, _labels(labels), (), values={"": spool.array()}, broken=broken)


def _whole(cell: str) -> int | None:
    """Return the number `cell` as a whole one that 64 bits hold, None where it is none."""
    try:
        value = Decimal(cell)
        is_whole = abs(value) < _MOST and value == value.to_integral_value()
    except InvalidOperation:  # an exponent of twenty digits
        return None
    return int(value) if is_whole else None


def _wrong(cells: Sequence[str], places: Sequence[int], layout: _Layout, whole: bool) -> str:
    columns = layout.columns
    if len(cells) != len(columns):
        return f"it has {len(cells)} cells for {len(columns)} columns"
    if not all(cells[place] for place in layout.labels):
        return "it has no label"
    for place in places:
        if not _NUMBER.fullmatch(cells[place]):
            what = f"is {cells[place]!r}, no number" if cells[place] else "is empty"
            return f"its {columns[place]!r} {what}"
        if whole and _whole(cells[place]) is None:
            return f"its {columns[place]!r} is {cells[place]!r}, no whole number of 64 bits"
    return ""


def _labels(labels: Sequence[Sequence[str]]) -> np.ndarray:
    """Return `labels` as numbers where all are (NaN for none), else as words; a column as (n,)."""
    flat = [cell for row in labels for cell in row]
    if any(flat) and all(_NUMBER.fullmatch(cell) for cell in flat if cell):
        values: np.ndarray = np.array([cell or "nan" for cell in flat], np.float64)
    else:
        values = words(flat)
    width = len(labels[0]) if labels else 1
    return values if width == 1 else values.reshape(-1, width)
