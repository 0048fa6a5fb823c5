"""Labels become numbers: of classes, by sorted name, or targets of a regression."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import DataError
from zoo_finetune.gathered import in_order, readable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo_finetune.gathered import Gathered
    from zoo_finetune.recipe import Recipe

NO_CLASS = -1
"""The number of a label that is none; the example is among the broken."""


_MOST = 2**53
"""Beyond it floating-point numbers are not each a whole number of their own."""


@dataclass(frozen=True)
class Labels:
    """Numbers of classes, int64 (n,), or targets, float32 (n,) or (n, k).

    Attributes
    ----------
    classes
        The names by number; empty where nobody names them.
    broken
        What is wrong with single labels, by their place.
    """

    numbers: np.ndarray
    classes: tuple[str, ...] = ()
    broken: Mapping[int, str] = field(default_factory=dict)


def numbered(gathered: Gathered, recipe: Recipe, classes: Sequence[str] | None = None) -> Labels:
    """Return the labels of `gathered` as numbers.

    Parameters
    ----------
    classes
        Classes that have their numbers already, for data to validate with.

    Raises
    ------
    DataError
        Their shape is none that `recipe` can learn.
    """
    labels = gathered.labels
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind not in "biufSUO":
        raise DataError("labels are words or numbers", found=f"{labels.dtype}")
    if recipe.task == "regression":
        return _targets(labels, recipe.outputs)
    if labels.ndim == 2 and labels.dtype.kind in "biuf":
        labels = _from_one_hot(labels, recipe.outputs)
    if labels.ndim != 1:
        raise _misshapen(labels, "(n,), or (n, classes) with a single 1 in each row")
    if labels.dtype.kind in "SUO":
        return _named([_word(label) for label in labels], classes or gathered.classes)
    return _whole(labels, classes or ())


def _misshapen(labels: np.ndarray, wanted: str) -> DataError:
    return DataError(
        "the labels have the wrong shape",
        found=f"{labels.dtype} {labels.shape}",
        hint=f"they are of shape {wanted}",
    )


def _word(label: object) -> str:
    return readable(label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label))


def _named(labels: Sequence[str], known: Sequence[str]) -> Labels:
    classes = tuple(known) or tuple(in_order({label for label in labels if label}))
    number = {name: place for place, name in enumerate(classes)}
    broken = {
        place: f"its label {label!r} is no class that is trained" if label else "it has no label"
        for place, label in enumerate(labels)
        if label not in number
    }
    numbers = np.array([number.get(label, NO_CLASS) for label in labels], np.int64)
    return Labels(numbers, classes, broken)


def _whole(given: np.ndarray, known: Sequence[str]) -> Labels:
    labels = given.astype(np.float64) if given.dtype.kind == "f" else given
    whole = labels == np.trunc(labels)
    sound = whole & (labels > -_MOST) & (labels < _MOST)
    why = np.where(whole, "too large", "no whole number")
    broken = {
        place: f"its label {given[place]} is {why[place]}"
        for place in np.flatnonzero(~sound).tolist()
    }
    numbers = np.full(len(labels), NO_CLASS, np.int64)
    numbers[sound] = labels[sound]
    names = {name: place for place, name in enumerate(known)}
    if names and {str(number) for number in np.unique(numbers[sound])} <= set(names):
        numbers[sound] = [names[str(number)] for number in numbers[sound]]
    return Labels(numbers, tuple(known), broken)


def _from_one_hot(labels: np.ndarray, outputs: int) -> np.ndarray:
    wrong = np.flatnonzero((np.count_nonzero(labels, axis=1) != 1) | (labels.max(axis=1) != 1))
    if labels.shape[1] != max(outputs, 2):
        raise _misshapen(labels, f"(n,), or (n, {max(outputs, 2)}) with a single 1 in each row")
    if len(wrong):
        raise DataError(
            f"{len(wrong)} of {len(labels)} rows of labels do not name one class by a single 1",
            found=f"row {wrong[0]} is {labels[wrong[0]].tolist()}",
            hint="numbers of classes (n,); or --task regression, to learn the numbers themselves",
        )
    return np.asarray(labels.argmax(axis=1))


@np.errstate(over="ignore")  # it becomes infinite, which the checks say
def _targets(labels: np.ndarray, outputs: int) -> Labels:
    broken: dict[int, str] = {}
    if labels.dtype.kind in "SUO":
        labels, broken = _numbers([_word(label) for label in labels.reshape(-1)], labels.shape)
    if labels.shape[1:] != ((outputs,) if outputs > 1 else ()):
        raise _misshapen(labels, f"(n, {outputs})" if outputs > 1 else "(n,)")
    return Labels(labels.astype(np.float32), (), broken)


def _numbers(words: Sequence[str], shape: tuple[int, ...]) -> tuple[np.ndarray, dict[int, str]]:
    """Return `words` as numbers, NaN for what is none, and what is none by its row."""
    values = np.full(len(words), np.nan, np.float32)
    broken = {}
    for place, word in enumerate(words):
        try:
            values[place] = float(word)
        except ValueError:
            row = place * shape[0] // len(words)
            broken[row] = f"its label {word!r} is no number" if word else "it has no label"
    return values.reshape(shape), broken
