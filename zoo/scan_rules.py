"""What a scan-rule plugin hands over: a name, and a function that finds operations to know of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from zoo.model import Model


@dataclass(frozen=True)
class Finding:
    """An operation of a model that one should know of before one runs it.

    Attributes
    ----------
    op
        The operation, ``"ReadFile"``.
    node
        The name of its node; ``"function/node"`` in a function of the graph's library.
    why
        What it does that matters, in one clause.
    """

    op: str
    node: str
    why: str


@dataclass(frozen=True)
class ScanRule:
    """A rule by which a model is looked at: what it may do to the machine that runs it.

    Attributes
    ----------
    name
        A word that does not change, ``"reads-files"``.
    summary
        One line on what it finds.
    find
        Returns what it finds in a model.  It looks at the graph and reads no weights.
    """

    name: str
    summary: str
    find: Callable[[Model], Iterable[Finding]]
