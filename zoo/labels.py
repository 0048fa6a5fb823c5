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

    An output counts that has shape (batch, labels); or (batch, 1) with two labels, where it is the
    probability of the second.  Others are left out.
    """
    found = {}
    for name, given in outputs.items():
        values = _both(given) if len(labels) == 2 else given
        if values.ndim == 2 and values.shape[1] == len(labels) and values.dtype.kind == "f":
            order = (-values).argsort(axis=1, kind="stable")[:, :_MOST]
            found[name] = [
                [(labels[place], float(row[place])) for place in places]
                for row, places in zip(values, order, strict=True)
            ]
    return found


def _both(values: np.ndarray) -> np.ndarray:
    """Return `values`, with both probabilities where they are the second of two."""
    import numpy as np

    if values.ndim != 2 or values.shape[1] != 1 or values.dtype.kind != "f":
        return values
    is_probability = bool(((values >= 0) & (values <= 1)).all())
    return np.concatenate([1 - values, values], axis=1) if is_probability else values
