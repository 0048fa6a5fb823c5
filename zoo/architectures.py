"""What an architecture plugin hands over: a name, and a function that builds a graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zoo.model import Model
    from zoo.weights import Weights


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
        Returns the net as a `Model`.
    aliases
        Returns what published weights call a variable besides, as ``["block1_conv1/kernel"]`` for
        ``"conv1_1/kernel"``.  Kernels and biases need no aliases for their own words, nor do
        scopes around a name.
    attach
        Returns the net with weights whose names do not say where they belong; None where they do.
    """

    name: str
    summary: str
    build: Callable[[], Model]
    aliases: Callable[[str], Sequence[str]] = field(default=lambda _: ())
    attach: Callable[[Weights], Model | None] = field(default=lambda _: None)
