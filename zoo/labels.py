"""What the numbers that a classifier puts out mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

_MOST = 3


def best(
    outputs: Mapping[str, np.ndarray], labels: Sequence[str]
) -> dict[str, list[list[tuple[str, float]]]]:
    """Return the labels of the highest values, by output and by row, the highest first.

    An output counts that has shape (batch, labels); others are left out.
    """
    found = {}
    for name, values in outputs.items():
        if values.ndim == 2 and values.shape[1] == len(labels) and values.dtype.kind == "f":
            order = (-values).argsort(axis=1, kind="stable")[:, :_MOST]
            found[name] = [
                [(labels[place], float(row[place])) for place in places]
                for row, places in zip(values, order, strict=True)
            ]
    return found
