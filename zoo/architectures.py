"""What an architecture plugin hands over: a name, and a function that builds a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo.model import Model


@dataclass(frozen=True)
class Architecture:
    """A net that is built by a function, without weights or with its initial ones.

    Attributes
    ----------
    name
        What a registry entry's ``architecture:`` says, ``"toy-adder"``.
    summary
        One line on what it computes.
    build
        Returns the net as a `Model`.  Building imports no TensorFlow.
    """

    name: str
    summary: str
    build: Callable[[], Model]
