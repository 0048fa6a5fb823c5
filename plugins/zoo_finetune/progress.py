"""How far a training is: its epochs, the best weights so far, and the net that learns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from zoo_finetune.recipe import Recipe


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to; None for what is not measured.

    `seconds` is how long it took.
    """

    loss: float
    accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    seconds: float

    @property
    def judged(self) -> float:
        """The loss by which epochs are compared: on what was held out, where there is any."""
        return self.loss if self.val_loss is None else self.val_loss


@dataclass
class Progress:
    """How far a training is.

    Attributes
    ----------
    epochs
        Those that are over.
    best
        The weights of the best of them, by name.
    best_epoch
        Its number, from 0.
    """

    epochs: list[Epoch] = field(default_factory=list)
    best: dict[str, np.ndarray] = field(default_factory=dict)
    best_epoch: int = -1

    def is_better(self, done: Epoch) -> bool:
        """Tell whether `done` is the best of all epochs; one without a number never is."""
        if self.best_epoch < 0:
            return not math.isnan(done.judged)
        return done.judged < self.epochs[self.best_epoch].judged

    @property
    def is_lost(self) -> bool:
        """Whether the loss is no number any more."""
        return bool(self.epochs) and math.isnan(self.epochs[-1].loss)

    def is_over(self, recipe: Recipe) -> bool:
        """Tell whether there is nothing more to do."""
        waited = len(self.epochs) - 1 - self.best_epoch
        patient = recipe.patience is None or not self.epochs or waited < recipe.patience
        return len(self.epochs) >= recipe.epochs or not patient


@dataclass(frozen=True)
class Learner:
    """A net that is ready to be trained.

    Attributes
    ----------
    keras
        The ``keras.Model``.
    variables
        Those that learn, by the name of the weight.
    """

    keras: Any
    variables: dict[str, Any]

    def values(self) -> dict[str, np.ndarray]:
        """Return what the weights that learn are now."""
        return {name: one.numpy() for name, one in self.variables.items()}

    def assign(self, values: dict[str, np.ndarray]) -> None:
        """Set the weights that learn."""
        for name, value in values.items():
            self.variables[name].assign(value)
