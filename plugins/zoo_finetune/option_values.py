"""What the options of a fine-tuning may be: their kinds, choices and ranges.

The rules are for all doors: a recipe file, the command line, arguments in Python.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

CHOICES = {
    "task": ("classification", "regression"),
    "optimizer": ("adam", "adamw", "rmsprop", "sgd"),
    "schedule": ("constant", "cosine"),
    "activation": ("softmax", "sigmoid", "none"),
    "strategy": ("mirrored",),
}
_RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "outputs": ("0 or more", lambda value: value >= 0),
    "last_layers": ("1 or more", lambda value: value >= 1),
    "epochs": ("0 or more", lambda value: value >= 0),
    "batch_size": ("1 or more", lambda value: value >= 1),
    "learning_rate": ("above 0", lambda value: value > 0),
    "warmup": ("0 or more epochs", lambda value: value >= 0),
    "layer_decay": ("above 0 and at most 1", lambda value: 0 < value <= 1),
    "patience": ("1 or more epochs", lambda value: value >= 1),
    "validation_split": ("0 or more and below 1", lambda value: 0 <= value < 1),
    "seed": ("0 or more", lambda value: value >= 0),
    "max_to_keep": ("0 or more", lambda value: value >= 0),
    "keep_checkpoint_every_n_hours": ("above 0", lambda value: value > 0),
}
_WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}


def fitted(name: str, value: Any, kind: str) -> tuple[Any, str]:
    """Return `value` as the option `name` has it, and what it must be where it is not that.

    Parameters
    ----------
    kind
        The type of the option as it is annotated, as in ``"int | None"``.

    >>> fitted("learning_rate", "1e-3", "float"), fitted("epochs", 1.5, "int")
    ((0.001, ''), (1.5, 'a whole number'))
    """
    if value is None and "None" in kind:
        return None, ""
    wanted = next(word for word in _WORDS if word in kind)
    value = _as(wanted, value)
    if type(value).__name__ != wanted:
        return value, _WORDS[wanted]
    if name in CHOICES and value not in CHOICES[name]:
        return value, " or ".join(CHOICES[name])
    if wanted == "float" and not math.isfinite(value):
        return value, "a finite number"
    words, fits = _RANGES.get(name, ("", bool))
    return value, words if words and not fits(value) else ""


def _as(wanted: str, value: Any) -> Any:
    """Return `value` as a float where one is wanted: YAML takes ``1e-3`` for text."""
    if wanted == "float" and isinstance(value, int | str) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            return value
    return value
