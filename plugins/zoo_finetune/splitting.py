"""What is learned from, and what is held out to see how well it was learned."""

from __future__ import annotations

import numpy as np

from zoo.errors import UsageError


def split(
    labels: np.ndarray, share: float, seed: int, *, stratify: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the examples to train on and of those to validate with, both sorted.

    With one seed it is always the same split.

    Parameters
    ----------
    share
        How much is held out: 0 for nothing, always less than 1.
    stratify
        Hold out the same share of each class; a class of two examples or more is on both sides, one
        of a single example is trained on.

    Raises
    ------
    UsageError
        There is no such share, or no such seed.
    """
    if not 0 <= share < 1:
        raise UsageError(
            "the share to validate with is from 0 to less than 1",
            found=f"{share}",
            hint="0.2 holds out a fifth",
        )
    if seed < 0:
        raise UsageError("a seed is 0 or more", found=f"{seed}")
    mixed = np.random.default_rng(seed).permutation(len(labels))
    groups = _by_class(labels, mixed) if stratify else [mixed]
    counts = _held_out([len(group) for group in groups], share)
    nothing = [np.empty(0, np.int64)]
    held = np.concatenate(
        nothing + [group[:count] for group, count in zip(groups, counts, strict=True)]
    )
    kept = np.concatenate(
        nothing + [group[count:] for group, count in zip(groups, counts, strict=True)]
    )
    return np.sort(kept), np.sort(held)


def _by_class(labels: np.ndarray, mixed: np.ndarray) -> list[np.ndarray]:
    """Return the places in `mixed` class by class, in the order that they have there."""
    together = mixed[np.argsort(labels[mixed], kind="stable")]
    borders = np.flatnonzero(np.diff(labels[together])) + 1
    return np.split(together, borders)


def _held_out(sizes: list[int], share: float) -> list[int]:
    """Return how many of each group are held out: `share` of all, and of each as nearly as can be.

    >>> _held_out([10, 10, 2, 1], 0.2), _held_out([3, 3, 3, 3], 0.25), _held_out([4], 0.0)
    ([2, 2, 1, 0], [1, 1, 1, 1], [0])
    """
    if share == 0:
        return [0] * len(sizes)
    exact = [size * share for size in sizes]
    counts = [
        min(max(int(part), 1), max(size - 1, 0)) for part, size in zip(exact, sizes, strict=True)
    ]
    missing = round(sum(sizes) * share) - sum(counts)
    by_rest = sorted(range(len(sizes)), key=lambda place: counts[place] - exact[place])
    for place in by_rest[: max(missing, 0)]:
        if 0 < counts[place] < sizes[place] - 1:
            counts[place] += 1
    return counts
