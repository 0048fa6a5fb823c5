"""Where two graphs differ: each place told once, in the words of both sides, not without end."""

import numpy as np
import pytest

import zoo
from zoo import dtypes, protos
from zoo.compare import compare
from zoo.nodes import Dims, node, placeholder, whole_number, whole_numbers
from zoo.samples import FLOAT
from zoo.walk import MOST


def model(*nodes, weights=None, out="y:0"):
    """Return a model of `nodes` that gives `out`, and states no signature."""
    meta_graph = protos.MetaGraphDef()
    meta_graph.graph_def.node.extend(nodes)
    return zoo.Model(meta_graph, weights or {}).with_signature({}, {"y": out})


def told(a, b):
    """Return what is told of two graphs: kind, and what is in each."""
    found = compare(a, b)["graph"]["differences"]
    return [(one["kind"], one["in_a"], one["in_b"]) for one in found]


def parts(edge, out="y:0"):
    """Return a model that takes one of two halves."""
    return model(
        placeholder("x", FLOAT, [4]),
        whole_number("axis", 0),
        node("halves", "Split", ["axis", "x"], T=FLOAT, num_split=2),
        node("y", "Neg", [edge], T=FLOAT),
        out=out,
    )


def test_which_output_of_a_node_is_taken_counts():
    """By another node, and as the output of the model."""
    assert told(parts("halves:1"), parts("halves")) == [("edge", "halves:1", "halves")]
    assert told(parts("halves"), parts("halves")) == []
    ends = (parts("halves", out=f"halves:{number}") for number in (0, 1))
    assert told(*ends) == [("edge", "halves", "halves:1")]


@pytest.mark.parametrize("shape", [[None, 3], [2, 3]])
def test_an_input_that_says_no_shape_takes_any(shape):
    """Nobody can tell that it is another."""
    given = [
        model(one, node("y", "Neg", ["x"], T=FLOAT))
        for one in (placeholder("x", FLOAT, shape), node("x", "Placeholder", dtype=FLOAT))
    ]

    assert told(*given) == told(*reversed(given)) == []


def chain(length, op):
    """Return a model of `length` operations in a row."""
    before = ["x", *(f"n{number}" for number in range(length - 1))]
    nodes = [node(f"n{number}", op, [edge], T=FLOAT) for number, edge in enumerate(before)]
    return model(placeholder("x", FLOAT, [2]), *nodes, out=f"n{length - 1}:0")


@pytest.mark.parametrize("length", [MOST - 1, MOST, MOST + 20])
def test_a_walk_ends_where_there_is_little_in_common(length):
    """After so many differences, which is said."""
    found = compare(chain(length, "Neg"), chain(length, "Exp"))

    assert len(found["graph"]["differences"]) == min(length, MOST)
    assert any("little in common" in note for note in found["notes"]) == (length >= MOST)


def scaled(name, values):
    """Return a model that multiplies by a weight."""
    read = node(f"{name}/read", "Identity", [name], T=FLOAT)
    variable = node(name, "VariableV2", dtype=FLOAT, shape=Dims(values.shape))
    return model(
        placeholder("x", FLOAT, [2, 3]),
        variable,
        read,
        node("y", "MatMul", ["x", f"{name}/read"], T=FLOAT),
        weights={name: values},
    )


def test_weights_that_have_nothing_in_common_are_no_pair():
    """Neither name nor sizes: the graphs differ there; with one of the two, only the weights do."""
    ours, theirs = np.zeros((3, 4), np.float32), np.ones((3, 5), np.float32)

    found = compare(scaled("a", ours), scaled("b", theirs))
    assert [one["kind"] for one in found["graph"]["differences"]] == ["constant"]
    assert [found["weights"][side][0]["name"] for side in ("only_a", "only_b")] == ["a", "b"]
    for other in (scaled("a", theirs), scaled("b", np.ones((3, 4), np.float32))):
        found = compare(scaled("a", ours), other)
        assert found["graph"]["equal"]
        assert len(found["weights"]["different"]) == 1


def drawn(first, second):
    """Return the difference of two random numbers, or of one and itself."""
    kinds = {"dtype": FLOAT, "T": dtypes.INT32}
    return model(
        whole_numbers("shape", [2]),
        *(node(name, "RandomUniform", ["shape"], **kinds) for name in sorted({first, second})),
        node("y", "Sub", [first, second], T=FLOAT),
    )


def test_which_two_share_one_is_told():
    """In the words of each side, whichever it is."""
    one, two = drawn("r", "r"), drawn("r", "s")

    assert told(one, two) == [("shared", "r", "r and s")]
    assert told(two, one) == [("shared", "r and s", "r")]


def moved(minuend, subtrahend, taken):
    """Return a model of two nodes that may change names, and of an edge from one of two chains."""
    chains = {"c": ("Neg", "Exp") * 3, "d": ("Exp", "Neg") * 3}
    nodes = [placeholder("x", FLOAT, [2])]
    for name, ops in chains.items():
        before = ["x", *(f"{name}{number}" for number in range(5))]
        nodes += [node(f"{name}{i}", op, [before[i]], T=FLOAT) for i, op in enumerate(ops)]
    return model(
        *nodes,
        node(minuend, "Sin", ["x"], T=FLOAT),
        node(subtrahend, "Cos", ["x"], T=FLOAT),
        node("sub", "Sub", [minuend, subtrahend], T=FLOAT),
        node("taker", "Relu", [taken], T=FLOAT),
        node("y", "AddN", ["sub", "taker", "c5", "d5"], T=FLOAT, N=4),
    )


def test_names_that_moved_are_told_apart_from_edges_that_did():
    """Two nodes that changed names are the same; the one edge that goes elsewhere is told."""
    found = told(moved("a", "b", "c5"), moved("b", "a", "d5"))

    assert found == [("edge", "c5", "d5")]
