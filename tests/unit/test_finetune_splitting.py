"""The split into what is learned from and what is held out."""

import numpy as np
import pytest

from zoo.errors import UsageError
from zoo_finetune.splitting import split


def test_every_example_is_on_one_side():
    """Nothing is lost, nothing is on both sides, and both are in order."""
    labels = np.repeat([0, 1, 2], [50, 30, 20])

    kept, held = split(labels, 0.2, 0, stratify=True)

    assert sorted([*kept, *held]) == list(range(100))
    assert kept.tolist() == sorted(kept)
    assert held.tolist() == sorted(held)


def test_each_class_is_held_out_alike():
    """A fifth of each class, whatever its size."""
    labels = np.repeat([0, 1, 2], [50, 30, 20])

    _, held = split(labels, 0.2, 0, stratify=True)

    assert np.bincount(labels[held]).tolist() == [10, 6, 4]


def test_a_class_of_two_is_on_both_sides_and_a_class_of_one_is_trained_on():
    """The smallest classes are not lost to either side."""
    labels = np.array([0] * 20 + [1] * 2 + [2])

    kept, held = split(labels, 0.1, 3, stratify=True)

    assert np.bincount(labels[held], minlength=3).tolist() == [2, 1, 0]
    assert np.bincount(labels[kept], minlength=3).tolist() == [18, 1, 1]


@pytest.mark.parametrize("share", [0.05, 0.1, 0.25, 0.5, 0.9, 0.99])
def test_each_class_of_two_or_more_is_on_both_sides(share):
    """However much is held out."""
    labels = np.repeat(np.arange(20), np.arange(2, 22))

    kept, held = split(labels, share, 1, stratify=True)

    assert set(labels[kept]) == set(labels[held]) == set(range(20))


def test_one_seed_is_one_split():
    """The same seed gives the same split, another seed another."""
    labels = np.arange(100) % 2

    first, again, other = (split(labels, 0.2, seed, stratify=True)[1] for seed in (7, 7, 8))

    assert first.tolist() == again.tolist() != other.tolist()


def test_targets_are_split_without_classes():
    """Targets of a regression have none; the share is that of the whole."""
    kept, held = split(np.linspace(0, 1, 10), 0.3, 0, stratify=False)

    assert (len(kept), len(held)) == (7, 3)


def test_nothing_is_held_out_on_demand():
    """A share of 0, and no examples at all."""
    assert split(np.zeros(3), 0.0, 0, stratify=True)[1].tolist() == []
    assert [len(side) for side in split(np.zeros(0), 0.5, 0, stratify=True)] == [0, 0]
    assert [len(side) for side in split(np.zeros(1), 0.5, 0, stratify=False)] == [1, 0]


@pytest.mark.parametrize(("share", "seed"), [(1.0, 0), (-0.1, 0), (float("nan"), 0), (0.2, -1)])
def test_no_share_and_no_seed(share, seed):
    """What is no share, and what is no seed."""
    with pytest.raises(UsageError):
        split(np.arange(4), share, seed, stratify=True)
