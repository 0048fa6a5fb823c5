"""The highest values are called by their labels."""

import numpy as np

from zoo.labels import best


def test_the_best_of_each_row():
    """Highest first; of equal ones the first; other outputs are left out."""
    outputs = {
        "p": np.array([[0.1, 0.7, 0.2], [0.5, 0.0, 0.5]]),
        "features": np.zeros((2, 5)),
        "one": np.float32(3),
        "count": np.zeros((2, 3), int),
    }

    assert best(outputs, ["a", "b", "c"]) == {
        "p": [
            [("b", 0.7), ("c", 0.2), ("a", 0.1)],
            [("a", 0.5), ("c", 0.5), ("b", 0.0)],
        ]
    }


def test_of_equal_values_the_first_labels_are_named():
    """Also where there are many."""
    labels = [str(number) for number in range(1000)]

    (row,) = best({"p": np.full((1, 1000), 0.001)}, labels)["p"]

    assert [label for label, _ in row] == ["0", "1", "2"]


def test_one_output_and_two_labels():
    """It is the probability of the second label; a logit or a count is none."""
    outputs = {
        "p": np.array([[0.75], [0.25]]),
        "logit": np.array([[3.0], [0.5]]),
        "count": np.ones((2, 1), int),
    }

    assert best(outputs, ["even", "odd"]) == {
        "p": [[("odd", 0.75), ("even", 0.25)], [("even", 0.75), ("odd", 0.25)]]
    }
    assert best(outputs, ["a", "b", "c"]) == {}
