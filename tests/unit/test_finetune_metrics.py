"""Measures of a classifier and of values, held against scikit-learn."""

import numpy as np
import pytest

from zoo_finetune import metrics

GENERATOR = np.random.default_rng(7)
LABELS = GENERATOR.integers(0, 4, 200)
PROBABILITIES = GENERATOR.dirichlet([1, 1, 1, 1], 200)
SAID = PROBABILITIES.argmax(axis=1)


@pytest.fixture(scope="module")
def oracle():
    """Return the measures of scikit-learn, whose import takes seconds where it is not wanted."""
    from sklearn import metrics

    return metrics


@pytest.mark.long
def test_a_classifier_is_measured_as_scikit_learn_does(oracle):
    """Accuracy, the confusion matrix, and three scores of each class."""
    found = metrics.measured("classification", LABELS, PROBABILITIES, ("a", "b", "c", "d"))

    scores = oracle.precision_recall_fscore_support(LABELS, SAID)
    assert found["accuracy"] == pytest.approx(oracle.accuracy_score(LABELS, SAID))
    assert found["confusion"] == oracle.confusion_matrix(LABELS, SAID).tolist()
    assert found["f1"] == pytest.approx(oracle.f1_score(LABELS, SAID, average="macro"))
    for key, expected in zip(("precision", "recall", "f1", "examples"), scores, strict=True):
        assert [one[key] for one in found["classes"]] == pytest.approx(expected)
    assert [one["class"] for one in found["classes"]] == ["a", "b", "c", "d"]


@pytest.mark.long
@pytest.mark.parametrize("width", [1, 3])
def test_values_are_measured_as_scikit_learn_does(oracle, width):
    """Mean absolute error, root mean square, R2; of one target or several."""
    true = GENERATOR.normal(size=(50, width)).astype(np.float32)
    said = true + GENERATOR.normal(size=(50, width)).astype(np.float32)

    found = metrics.measured("regression", true if width > 1 else true[:, 0], said)

    assert found["mae"] == pytest.approx(oracle.mean_absolute_error(true, said))
    assert found["rmse"] == pytest.approx(
        oracle.root_mean_squared_error(true.ravel(), said.ravel())
    )
    assert found["r2"] == pytest.approx(oracle.r2_score(true, said))


def test_what_has_no_value_is_none():
    """A class never said has no precision, one without examples no recall."""
    labels, said = np.array([0, 0, 1]), np.array([[0.9, 0.1, 0.0]] * 3)

    found = metrics.measured("classification", labels, said)

    first, second, third = found["classes"]
    assert (first["precision"], first["recall"]) == (2 / 3, 1.0)
    assert (second["precision"], second["recall"], second["f1"]) == (None, 0.0, 0.0)
    assert (third["precision"], third["recall"], third["f1"]) == (None, None, None)
    assert metrics.errors(np.array([2.0, 2.0]), np.array([[1.0], [2.0]]))["r2"] is None


def test_nothing_held_out_is_no_error():
    """A split may leave none."""
    empty = np.zeros(0, np.int64)

    assert metrics.measured("classification", empty, np.zeros((0, 2)))["accuracy"] is None
    assert metrics.measured("regression", empty, np.zeros((0, 1)))["mae"] is None
    assert metrics.worst("classification", empty, np.zeros((0, 2)), 5) == []
    assert metrics.worst("regression", empty, np.zeros((0, 1)), 5) == []


def test_one_output_is_the_probability_of_class_one():
    """As a sigmoid gives it; or its logit, where there is none."""
    said, sure = metrics.decided(np.array([[0.9], [0.5], [0.2]]))
    by_logits, _ = metrics.decided(np.array([[4.0], [0.0], [-1.0]]))

    assert said.tolist() == [1, 1, 0]
    assert sure == pytest.approx([0.9, 0.5, 0.8])
    assert by_logits.tolist() == [1, 1, 0]
    assert metrics.measured("classification", np.array([1, 0]), np.ones((2, 1)))["confusion"] == [
        [0, 1],
        [0, 1],
    ]


def test_logits_become_probabilities():
    """However large they are."""
    found = metrics.probabilities(np.array([[1000.0, 0.0], [0.0, np.log(3)]], np.float32))

    assert found == pytest.approx(np.array([[1.0, 0.0], [0.25, 0.75]]))
    assert metrics.probabilities(np.array([[-1000.0], [0.0]])) == pytest.approx(
        np.array([[0.0], [0.5]])
    )


def test_the_surest_mistake_is_the_worst():
    """Right answers are none, however unsure."""
    labels = np.array([0, 1, 1, 0])
    said = np.array([[0.4, 0.6], [0.99, 0.01], [0.1, 0.9], [0.51, 0.49]])

    found = metrics.worst("classification", labels, said, 5)

    assert [(one.index, one.true, one.said) for one in found] == [(1, 1, 0), (0, 0, 1)]
    assert found[0].measure == pytest.approx(0.99)
    assert [one.index for one in metrics.worst("classification", labels, said, 1)] == [1]


def test_the_farthest_value_is_the_worst():
    """In the unit of the target, and exact values are no mistakes."""
    found = metrics.worst("regression", np.array([1.0, 2.0, 3.0]), np.array([[1.5], [2], [0]]), 5)

    assert [(one.index, one.measure) for one in found] == [(2, 3.0), (0, 0.5)]


def test_the_most_confused_pairs_come_first():
    """Pairs that never happened are left out."""
    counts = np.array([[5, 1, 0], [0, 9, 4], [0, 0, 2]])

    assert metrics.confused(counts, 10) == [(1, 2, 4), (0, 1, 1)]
