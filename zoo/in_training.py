"""Sentences on a graph that is kept for training, or still behaves as in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import facts, pipelines
from zoo.errors import some
from zoo.fixed_switches import values_for_use

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from zoo.view import View


def modes(view: View, needed: set[str], made: Collection[str] = ()) -> Iterator[str]:
    """Yield a sentence on each thing that the graph does otherwise in use.

    Parameters
    ----------
    needed
        The nodes that the outputs need.
    made
        The repairs that were made already, and left this.
    """

    def way(name: str) -> str:
        """Return what can be done about it."""
        return "--repair " + name if name not in made else f"the repair {name} does not fit them"

    found = facts.training(view, needed)
    if found["batch_norm"]:
        yield (
            "the graph is in training mode: batch normalisation uses the statistics of each batch"
            f" in {some(found['batch_norm'], 3)} ({way('batch-norm')})"
        )
    if found["dropout"]:
        yield (
            f"the graph is in training mode: dropout is on in {some(found['dropout'], 3)}"
            f" ({way('dropout')})"
        )


def needs(view: View, needed: set[str]) -> Iterator[str]:
    """Yield a sentence on each thing that the graph must be given to be used."""
    values = values_for_use(view, needed)
    if values:
        told = some(f"{name} {str(value).lower()}" for name, value in sorted(values.items()))
        yield f"the graph is kept for training: in use, feed {told} (--repair switches fixes them)"
    givers = [name for name in view.named(*pipelines.GIVERS) if name in needed]
    if givers:
        yield (
            f"the graph is kept for training: its inputs come from {some(givers)}"
            " (--repair queues puts placeholders there)"
        )
