"""A model that was opened, with what is known of where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.entries import Entry
    from zoo.model import Model


@dataclass(frozen=True)
class Opened:
    """A model, and where it came from.

    Attributes
    ----------
    model
        The model.
    format
        The name of its format, ``"architecture"`` if it was built.
    path
        Where it lies; None if it was built.
    entry
        What a registry says of it, if it was called by name.
    """

    model: Model
    format: str
    path: Path | None
    entry: Entry | None = None
