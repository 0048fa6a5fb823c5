"""Parts of a training: the order of examples, how pictures vary, how the rate goes on."""

import numpy as np
import pytest

from zoo_finetune import optimizing
from zoo_finetune.batches import Batches, of_array
from zoo_finetune.recipe import Recipe

IMAGES = np.arange(10 * 20 * 20, dtype=np.float32).reshape(10, 20, 20, 1)


def batches(**options):
    """Return ten pictures in batches of four."""
    return Batches(of_array(IMAGES), np.arange(10), 4, 3, **options)


def taken(dataset, count):
    """Return inputs and labels of `count` batches."""
    pairs = [*dataset.take(count).as_numpy_iterator()]
    return np.concatenate([x for x, _ in pairs]), np.concatenate([y for _, y in pairs])


def test_each_epoch_has_an_order_of_its_own(tf):
    """The same for the same seed; every example once, with its label."""
    x, y = taken(batches().epochs(0, 2), 6)
    again, _ = taken(batches().epochs(1, 2), 3)

    assert sorted(y[:10]) == sorted(y[10:]) == list(range(10))
    assert list(y[:10]) != list(y[10:])
    assert np.array_equal(x[10:], again)
    assert np.array_equal(x, IMAGES[y])
    assert list(taken(batches().in_order(), 3)[1]) == list(range(10))


def test_pictures_vary_from_epoch_to_epoch(tf):
    """By seed, epoch and number alone: going on with the second epoch gives the same ones."""
    x, y = taken(batches(varied=True).epochs(0, 2), 6)
    again, _ = taken(batches(varied=True).epochs(1, 2), 3)
    first = dict(zip(y[:10], x[:10], strict=True))
    second = dict(zip(y[10:], x[10:], strict=True))

    assert np.array_equal(x[10:], again)
    assert x.shape == (20, 20, 20, 1)
    assert sum(not np.array_equal(first[one], second[one]) for one in first) > 5
    assert sum(not np.array_equal(first[one], IMAGES[one]) for one in first) > 5
    held_out, _ = taken(batches(varied=True).in_order(), 3)
    assert np.array_equal(held_out, IMAGES)


@pytest.mark.parametrize(
    ("options", "rates"),
    [
        ({}, [0.1, 0.1, 0.1]),
        ({"schedule": "cosine"}, [0.1, 0.05, 0.0]),
        ({"warmup": 2}, [0.0, 0.1, 0.1]),
        ({"warmup": 2, "schedule": "cosine"}, [0.0, 0.069134, 0.0]),
    ],
)
def test_how_the_rate_goes_on(tf, options, rates):
    """At the beginning, in the middle and at the end of ten epochs of four steps."""
    recipe = Recipe(outputs=2, epochs=10, learning_rate=0.1, **options)

    made = optimizing.optimizer(recipe, 4, {})

    found = []
    for step in (0, 20, 40):
        made.iterations.assign(step)
        found.append(float(made.learning_rate))
    np.testing.assert_allclose(found, rates, atol=1e-5)
