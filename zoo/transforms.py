"""What a transform plugin hands over: a name, and a function from a model to a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo.model import Model


@dataclass(frozen=True)
class Transform:
    """A change of a model that ``zoo convert --apply NAME`` makes on the way.

    Attributes
    ----------
    name
        What a user types, ``"without-dropout"``.
    summary
        One line on what it does.
    apply
        Returns the changed model, made of the one it is given, which stays as it was.  A model
        that it cannot change it refuses with `UnsupportedError`.
    """

    name: str
    summary: str
    apply: Callable[[Model], Model]
