"""Weights on their way to a graph: which one, other names, averages for values, no slots."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.errors import UsageError, some
from zoo.slots import slots
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from zoo.tensors import Tensor

_AVERAGE = re.compile(r"/(?:ExponentialMovingAverage|EMA)$")


@dataclass(frozen=True)
class Wishes:
    r"""Which graph weights are attached to, and what becomes of them before.

    Attributes
    ----------
    architecture
        The net of this name, which a plugin builds.
    graph
        The graph in a file: a GraphDef or MetaGraphDef, binary or text.
    rename
        Rules ``PATTERN=REPLACEMENT``: a name that the regular expression matches as a whole becomes
        the replacement, in which ``\1`` stands for its first group.  Applied in their order.
    ema
        Whether a weight is replaced by its exponential moving average.
    drop_slots
        Whether what only an optimizer needs is left out.
    """

    architecture: str | None = None
    graph: Path | None = None
    rename: Sequence[str] = ()
    ema: bool = False
    drop_slots: bool = False

    @property
    def of_weights(self) -> bool:
        """Tell whether the weights themselves are to change."""
        return bool(self.rename) or self.ema or self.drop_slots

    def told(self) -> list[str]:
        """Return a sentence for each thing that is changed of a model with a graph of its own."""
        gone = "what the outputs do not need is left out"
        notes = [f"moving-averages: weights have their moving averages, {gone}"] if self.ema else []
        return notes or ([f"training-nodes: {gone}"] if self.drop_slots else [])

    def granted(self, weights: Weights) -> Weights:
        """Return `weights` as wished.

        Raises
        ------
        UsageError
            A rule is no rule, two weights would have one name, or there are no averages.
        """
        if self.drop_slots:
            gone = set(slots(weights))
            weights = weights.only(name for name in weights if name not in gone)
        weights = averaged(weights) if self.ema else weights
        return renamed(weights, self.rename) if self.rename else weights


NONE = Wishes()
"""No wishes: a model as it lies."""


def averaged(weights: Weights) -> Weights:
    """Return `weights` with the moving average of each that has one in its place.

    Raises
    ------
    UsageError
        None has one.
    """
    averages = averages_of(weights)
    if not averages:
        raise UsageError(
            "there are no moving averages among the weights",
            found=some(weights) or "no weights",
            hint="their names would end with /ExponentialMovingAverage",
        )
    kept = weights.only(name for name in weights if name not in averages.values())
    return kept.overlay({name: weights.tensor(of) for name, of in averages.items()})


def averages_of(weights: Weights) -> dict[str, str]:
    """Return the names of moving averages among `weights`, by the weight that each is of."""
    return {_AVERAGE.sub("", name): name for name in weights if _AVERAGE.search(name)}


def rules_of(rename: Mapping[str, str] | Iterable[str]) -> tuple[str, ...]:
    """Return `rename`, one rule or several, or a mapping from patterns to names, as rules."""
    if isinstance(rename, Mapping):
        return tuple(f"{pattern}={name}" for pattern, name in rename.items())
    return (rename,) if isinstance(rename, str) else tuple(rename)


def renamed(weights: Weights, rules: Sequence[str]) -> Weights:
    """Return `weights` under the names that `rules` give them.

    Raises
    ------
    UsageError
        A rule is no rule, or gives two weights one name.
    """
    found: dict[str, Tensor] = {}
    for key, tensor in weights.by_key().items():
        name = key
        for pattern, replacement in map(_rule, rules):
            hit = pattern.fullmatch(name)
            name = _expanded(hit, replacement) if hit else name
        if name in found:
            raise UsageError(
                f"two weights would be called {name!r}", found=f"{key} is the second of them"
            )
        found[name] = tensor
    return Weights(found, metadata=weights.metadata)


def _rule(rule: str) -> tuple[re.Pattern[str], str]:
    pattern, equals, replacement = rule.rpartition("=")
    if not equals or not pattern:
        raise UsageError(f"{rule!r} is no rule", hint=r"write PATTERN=REPLACEMENT: 'net/(.*)=\1'")
    try:
        return re.compile(pattern), replacement
    except re.error as error:
        raise UsageError(f"{pattern!r} is no regular expression", found=str(error)) from error


def _expanded(hit: re.Match[str], replacement: str) -> str:
    try:
        return hit.expand(replacement)
    except (re.error, IndexError) as error:
        raise UsageError(f"{replacement!r} cannot be filled in", found=str(error)) from error
