"""How well a model does on examples that it was not trained on; numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_HALF = 0.5
_UNIT = (-1e-6, 1 + 1e-3)
"""What probabilities may be, rounding included."""


@dataclass(frozen=True)
class Mistake:
    """An example of which a model says something else than is true.

    Attributes
    ----------
    index
        Its number among the examples.
    true, said
        Numbers of classes; for targets the values, ``(k,)``.
    measure
        How sure the model was of what it said, 0 to 1; for targets how far off, in their unit.
    """

    index: int
    true: Any
    said: Any
    measure: float


def measured(
    task: str, labels: np.ndarray, predictions: np.ndarray, classes: Sequence[str] = ()
) -> dict[str, Any]:
    """Return all measures of `predictions` against `labels`, ready for JSON.

    Parameters
    ----------
    task
        ``"classification"`` or ``"regression"``.
    labels
        Numbers of classes ``(n,)``, or targets ``(n,)`` or ``(n, k)``.
    predictions
        Of shape ``(n, outputs)``: probabilities, logits or values.
    classes
        Names by number; numbers are used where there are none.
    """
    if task == "regression":
        return errors(labels, predictions)
    said, _ = decided(predictions)
    counts = confusion(labels, said, width(labels, predictions, classes))
    return {
        "accuracy": float((said == labels).mean()) if len(labels) else None,
        **_means(scores(counts, classes)),
        "examples": len(labels),
        "classes": scores(counts, classes),
        "confusion": counts.tolist(),
    }


def width(labels: np.ndarray, predictions: np.ndarray, classes: Sequence[str]) -> int:
    """Return how many classes there are: as many as are named, said or seen."""
    outputs = predictions.shape[1]
    seen = int(labels.max()) + 1 if len(labels) else 0
    return max(len(classes), outputs if outputs > 1 else 2, seen)


def decided(predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the class that each row of `predictions` says, and how sure it is, 0 to 1.

    One column is the probability of class 1, or its logit; several are probabilities or logits.
    """
    import numpy as np

    sure = probabilities(predictions)
    if sure.shape[1] == 1:
        one = sure[:, 0]
        said = (one >= _HALF).astype(np.int64)
        return said, np.where(said == 1, one, 1 - one)
    said = sure.argmax(axis=1)
    return said, sure[np.arange(len(sure)), said]


def probabilities(predictions: np.ndarray) -> np.ndarray:
    """Return `predictions` as probabilities; values outside of 0 to 1 are taken for logits."""
    import numpy as np

    values = np.asarray(predictions, np.float64)
    if not values.size or (_UNIT[0] <= values.min() and values.max() <= _UNIT[1]):
        return values
    if values.shape[1] == 1:
        return np.exp(-np.logaddexp(0, -values))
    raised = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def confusion(true: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """Return how often each class (row) was taken for each (column), ``(classes, classes)``."""
    import numpy as np

    pairs = np.asarray(true, np.int64) * classes + np.asarray(said, np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def scores(counts: np.ndarray, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return precision, recall, F1 and the number of examples of each class.

    None stands for what has no value: the precision of a class that was never said, the recall of
    one that has no examples.

    Parameters
    ----------
    counts
        The confusion matrix.
    """
    found = []
    for number in range(len(counts)):
        right = int(counts[number, number])
        said, there = int(counts[:, number].sum()), int(counts[number].sum())
        found.append(
            {
                "class": class_name(classes, number),
                "precision": _share(right, said),
                "recall": _share(right, there),
                "f1": _share(2 * right, said + there),
                "examples": there,
            }
        )
    return found


def class_name(classes: Sequence[str], number: int) -> str:
    """Return what the class `number` is called: its number where it has no name."""
    return classes[number] if number < len(classes) else str(number)


def confused(counts: np.ndarray, limit: int) -> list[tuple[int, int, int]]:
    """Return the pairs that were confused most: true class, said class, how often."""
    import numpy as np

    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    order = (-wrong).argsort(axis=None, kind="stable")[:limit]
    pairs = [divmod(int(place), len(counts)) for place in order]
    return [(true, said, int(wrong[true, said])) for true, said in pairs if wrong[true, said]]


def worst(task: str, labels: np.ndarray, predictions: np.ndarray, limit: int) -> list[Mistake]:
    """Return the worst mistakes, the worst first: the surest, or for targets the farthest off."""
    import numpy as np

    if task == "regression":
        true, said = _targets(labels, predictions)
        measure = np.abs(true - said).max(axis=1, initial=0)
        wrong = np.flatnonzero(measure != 0)
    else:
        said, measure = decided(predictions)
        true = labels
        wrong = np.flatnonzero(said != labels)
    order = wrong[(-measure[wrong]).argsort(kind="stable")][:limit]
    return [Mistake(int(i), true[i].tolist(), said[i].tolist(), float(measure[i])) for i in order]


def errors(labels: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
    """Return the mean absolute error, the root of the mean square, and R2 of values.

    R2 is None where the targets do not vary; of several targets it is the mean of those that do.
    """
    import numpy as np

    true, said = _targets(labels, predictions)
    if not len(true):
        return {"mae": None, "rmse": None, "r2": None, "examples": 0}
    off = said - true
    spread = ((true - true.mean(axis=0)) ** 2).sum(axis=0)
    varied = spread > 0
    shares = 1 - (off**2).sum(axis=0)[varied] / spread[varied]
    return {
        "mae": float(np.abs(off).mean()),
        "rmse": float(np.sqrt((off**2).mean())),
        "r2": float(shares.mean()) if varied.any() else None,
        "examples": len(true),
    }


def _targets(labels: np.ndarray, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    said = np.asarray(predictions, np.float64)
    return np.asarray(labels, np.float64).reshape(said.shape), said


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _means(classes: list[dict[str, Any]]) -> dict[str, float | None]:
    """Return the mean over classes of each score that has a value."""
    means: dict[str, float | None] = {}
    for key in ("precision", "recall", "f1"):
        known = [one[key] for one in classes if one[key] is not None]
        means[key] = sum(known) / len(known) if known else None
    return means
