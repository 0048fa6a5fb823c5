"""What a scan-rule plugin hands over: a name, and a function that finds operations to know of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from zoo.findings import Finding
    from zoo.model import Model


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
