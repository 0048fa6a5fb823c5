"""What `zoo diff` shows to people: the answer, and each way to differ in one row."""

import numpy as np
import pytest

from zoo import diff_report, protos
from zoo.compare import compare
from zoo.model import Model
from zoo.tensors import ArrayTensor
from zoo.weights import Weights

AT = {"a": {"ref": "one", "format": "frozen"}, "b": {"ref": None, "format": None}}


def page(a, b, *, everything=False):
    """Return the rows on two models that are weights alone, by the titles of the sections."""
    models = [
        Model(protos.MetaGraphDef(), Weights({n: ArrayTensor.of(v) for n, v in one.items()}))
        for one in (a, b)
    ]
    sections = diff_report.sections({**compare(*models), **AT}, everything=everything)
    return {section.title: section for section in sections}


SQUARE = np.arange(4, dtype=np.float32).reshape(2, 2)


@pytest.mark.parametrize(
    ("other", "row"),
    [
        (SQUARE + 2, ["w", "4 of 4 values, by 2 at most, at [0, 0]: 0.0 in A, 2.0 in B"]),
        (SQUARE.T, ["w", "axes transposed: [1, 0]"]),
        (SQUARE[0], ["w", "float32 [2, 2] in A, float32 [2] in B"]),
        (SQUARE.astype(np.int32), ["w", "float32 in A, int32 in B; 0 of 4 values"]),
        (SQUARE.astype(np.float16), ["w", "float32 in A, float16 in B (rounded); 0 of 4 values"]),
    ],
)
def test_a_weight_that_differs(other, row):
    """In one row: by how much, or in what."""
    shown = page({"w": SQUARE}, {"w": other})

    assert list(shown["weights that differ"].rows) == [row]
    assert shown[""].rows == [
        ["different", "1 of 1 weight"],
        ["A", "one, frozen"],
        ["B", "a model in memory"],
    ]


def test_what_is_equal_is_told_too():
    """Renamed weights, and those that nothing needs."""
    shown = page({"w": SQUARE}, {"v": SQUARE, "v/Adam": SQUARE + 1})

    assert shown[""].rows[0] == ["equal", "1 weight"]
    assert shown["weights under other names"].rows == [["w", "is v in B"]]
    assert shown["weights that the outputs do not need"].rows == [
        ["v/Adam", "only in B: float32 [2, 2]"]
    ]


def test_many_differences_are_cut_short():
    """Unless all are asked for."""
    many = {f"w{i}": SQUARE + i for i in range(20)}
    others = {name: value + 100 for name, value in many.items()}

    short, whole = page(many, others), page(many, others, everything=True)

    title = "weights that differ"
    assert (len(short[title].rows), short[title].rest) == (12, "and 8 more; --all shows them")
    assert (len(whole[title].rows), whole[title].rest) == (20, "")
