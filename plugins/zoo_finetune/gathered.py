"""What a folder, a file or a caller gave, before its labels are made numbers."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.names import natural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from zoo_finetune.contents import Array

LABELS = ("label", "labels", "y", "target", "targets", "class")
"""What a column or an array of labels is called, the likest first."""


@dataclass(frozen=True)
class Gathered:
    """Inputs and labels as they were found.

    Attributes
    ----------
    labels
        Words, numbers or rows of numbers; first axis = examples.
    classes
        All classes by name where the data states them, also those without an example.
    contents
        A digest of each file, or one digest of all arrays.
    broken
        What is wrong with single examples, by their place.
    notes
        What is worth saying and stops nothing.
    """

    names: Sequence[str]
    labels: np.ndarray
    contents: Sequence[str]
    paths: Sequence[Path] | None = None
    values: Mapping[str, Array] | None = None
    classes: tuple[str, ...] = ()
    broken: Mapping[int, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def in_order(names: Iterable[str]) -> list[str]:
    """Return `names` sorted as people do, alike on every platform.

    >>> in_order(["10.png", "9.png", "a.png", "09.png"])
    ['09.png', '9.png', '10.png', 'a.png']
    """
    return sorted(names, key=order)


def order(name: str) -> tuple[Any, str]:
    """Return the key by which names are sorted; no two names have one key."""
    return natural(readable(name)), name


def readable(name: str) -> str:
    """Return `name` as it can be printed, letters with accents in one form on every platform."""
    plain = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return unicodedata.normalize("NFC", plain)


def words(labels: Sequence[str]) -> np.ndarray:
    """Return `labels` as an array of words, shape (n,)."""
    return np.array(labels, dtype=object)


def rows(count: int) -> list[str]:
    """Return what rows of arrays are called for people, counted from 0 as numpy does."""
    return [f"row {number}" for number in range(count)]
