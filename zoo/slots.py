"""What an optimizer keeps beside the weights: a checkpoint is up to three times as large for it.

TensorFlow 1 calls a slot after its variable, ``dense/kernel/Adam``, Keras 2 the other way round,
``Adam/dense/kernel/m``; object checkpoints mark a slot in its key, and Keras 3 keeps all of them
under ``optimizer/``.

Source: ``tensorflow/python/training/slot_creator.py`` and ``optimizer.py``,
``tensorflow/python/trackable/trackable_utils.py``, ``keras/src/optimizers/base_optimizer.py``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zoo.objects import SLOT

if TYPE_CHECKING:
    from collections.abc import Collection

    from zoo.weights import Weights

_SLOT = re.compile(
    r"(?:AdaMax|Adadelta|Adafactor|Adagrad|AdagradDA|Adam|AdamW|Ftrl|LARS|LazyAdam|Momentum"
    r"|Nadam|RMSProp|accumulator|adam_[mv]|mg|momentum|rms|vc|vhat|vr|[mv])(?:_\d+)?"
)
"""The last part of a slot's name; the parts before are the weight that it belongs to."""
_OF_KERAS = re.compile(
    r"(?:^|/)(?:Adadelta|Adagrad|Adam|AdamW|Adamax|Ftrl|Nadam|RMSprop|SGD)(?:_\d+)?/"
    r"(?:accumulator|linear|m|mg|momentum|rms|u|v|velocity|vhat)/."
)
"""The beginning of a slot's name where Keras 2 puts the optimizer first."""
_OWN = re.compile(
    r"(?:^|/)(?:beta[12]_power(?:_\d+)?$|Adam/(?:iter|beta_[12]|decay|learning_rate)$"
    r"|_?optimizer/(?!_trainable_variables/)|_iterations(?:/|$)|_learning_rate(?:/|$))"
    r"|^(?:beta_[12]|decay|learning_rate)$"
)
"""What belongs to no weight, but to the optimizer itself."""


def slots(weights: Weights) -> list[str]:
    """Return which of `weights` only an optimizer needs."""
    keys = {name: weights.key(name) for name in weights}
    known = {*keys, *keys.values()}
    return [
        name
        for name, key in keys.items()
        if _is_slot(key, known) or (key != name and _is_slot(name, known))
    ]


def _is_slot(name: str, known: Collection[str]) -> bool:
    """Tell whether the tensor `name` is an optimizer's, beside the weights called `known`."""
    if SLOT in name or _OWN.search(name) or _OF_KERAS.search(name):
        return True
    owner, _, last = name.rpartition("/")
    if not owner or not _SLOT.fullmatch(last):
        return False
    parts = owner.split("/")
    return any("/".join(parts[at:]) in known for at in range(len(parts)))
