"""Optimizers and their rates: warming up, falling, and smaller for layers that are further back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo_finetune.recipe import Recipe

_COPY = re.compile(r"/replica_\d+")
"""What the name of a variable has besides on each further device."""
_CLASSES = {"adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "sgd": "SGD"}


def optimizer(recipe: Recipe, steps: int, factors: Mapping[str, float]) -> Any:
    """Return the optimizer of `recipe`.

    Parameters
    ----------
    steps
        Of an epoch.
    factors
        By what the rate of a variable is multiplied, by the name that TensorFlow has for it.
    """
    import keras  # type: ignore[import-untyped]

    plain = getattr(keras.optimizers, _CLASSES[recipe.optimizer])
    rate = _rate(recipe, steps)
    return _slower(plain, factors)(learning_rate=rate) if factors else plain(learning_rate=rate)


def _rate(recipe: Recipe, steps: int) -> Any:
    import keras

    warmup, whole = round(recipe.warmup * steps), recipe.epochs * steps
    if recipe.schedule == "constant" and not warmup:
        return recipe.learning_rate
    rising = {"warmup_target": recipe.learning_rate, "warmup_steps": warmup} if warmup else {}
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else recipe.learning_rate,
        decay_steps=max(whole - warmup, 1),
        alpha=0.0 if recipe.schedule == "cosine" else 1.0,
        **rising,
    )


def _slower(plain: Any, factors: Mapping[str, float]) -> Any:
    """Return the class `plain` with a rate of its own for each variable."""

    class Slower(plain):  # type: ignore[misc]
        """An optimizer that multiplies the rate of each variable."""

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            """Change `variable` by its own rate."""
            name = _COPY.sub("", variable.name)
            super().update_step(gradient, variable, learning_rate * factors.get(name, 1.0))

    return Slower
