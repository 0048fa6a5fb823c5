"""Which constants are weights is decided by what they are used for."""

import numpy as np
import pytest

from zoo import dtypes
from zoo.constants import weight_constants
from zoo.nodes import node, placeholder
from zoo.protos import GraphDef
from zoo.samples import FLOAT
from zoo.tensors import ArrayTensor
from zoo.view import View


def const(name, shape, dtype="float32"):
    kind = dtypes.named(dtype)
    return node(name, "Const", dtype=kind, value=ArrayTensor.of(np.ones(shape, kind.numpy)))


def judged(*nodes):
    graph = GraphDef()
    graph.node.append(placeholder("x", FLOAT))
    graph.node.extend(nodes)
    return weight_constants(View(graph))


def op(name, kind, *inputs):
    return node(name, kind, inputs, T=FLOAT)


def test_what_layers_multiply_by_and_add():
    """Kernels and biases, of dense and convolutional layers, through Add as well."""
    assert judged(
        const("k", (3, 3, 1, 4)), const("b", (4,)), const("w", (4, 2)), const("c", (2,)),
        op("conv", "Conv2D", "x", "k"), op("biased", "BiasAdd", "conv", "b"),
        op("dense", "MatMul", "biased", "w"), op("out", "AddV2", "dense", "c"),
    ) == {"k": True, "b": True, "w": True, "c": True}  # fmt: skip


def test_names_that_freezing_leaves_behind():
    """A constant that was a variable is a weight; an integer one does not train."""
    assert judged(
        const("v", ()), op("v/read", "Identity", "v"), op("y", "Mul", "x", "v/read"),
        const("r", (2,)), op("dense/ReadVariableOp", "Identity", "r"),
        const("step", (), "int64"), op("step/read", "Identity", "step"),
    ) == {"v": True, "r": True, "step": False}  # fmt: skip


def test_shapes_axes_scalars_and_inputs_are_none():
    """What is only there to compute is not a weight: scaling, shapes, axes, epsilons."""
    assert judged(
        const("scale", ()), op("scaled", "Mul", "x", "scale"),
        const("mean", (3,)), op("centred", "Sub", "scaled", "mean"),
        const("shape", (2,), "int32"), op("flat", "Reshape", "centred", "shape"),
        const("w", (4, 2)), op("dense", "MatMul", "flat", "w"),
        const("two", ()), op("doubled", "Mul", "dense", "two"),
    ) == {"w": True}  # fmt: skip


def test_batch_normalisation():
    """Scale and offset train, mean and variance do not; an epsilon inside is no weight."""
    assert judged(
        *(const(name, (4,)) for name in ("gamma", "beta", "mu", "sigma")),
        op("bn", "FusedBatchNormV3", "x", "gamma", "beta", "mu", "sigma"),
        const("kernel", (4, 4)), op("dense", "MatMul", "bn", "kernel"),
        const("variance", (4,)), const("epsilon", ()),
        op("sum", "Add", "variance", "epsilon"), op("root", "Rsqrt", "sum"),
        op("normed", "Mul", "dense", "root"),
    ) == {
        "gamma": True, "beta": True, "mu": False, "sigma": False, "kernel": True, "variance": True,
    }  # fmt: skip


def test_weights_are_seen_through_reshapes_and_casts():
    """A kernel that is reshaped, cast or brought into a loop is still one; the new shape is not."""
    assert judged(
        const("k", (8,)), const("shape", (2,), "int32"),
        op("square", "Reshape", "k", "shape"), op("cast", "Cast", "square"),
        op("entered", "Enter", "cast"), op("dense", "MatMul", "x", "entered"),
    ) == {"k": True}  # fmt: skip


def test_weights_on_branches():
    """A kernel, a scale that was read on a branch, one chosen from two: weights; a bool is none."""
    assert judged(
        const("p", (), "bool"), placeholder("q", dtypes.BOOL),
        *(const(name, (3, 3)) for name in ("k", "scale", "one", "other", "inner", "number")),
        op("switch", "Switch", "k", "q"), op("read", "Identity", "switch:1"),
        op("dense", "MatMul", "x", "read"),
        op("scales", "Switch", "scale", "p"), op("scales_too", "Switch", "scales:1", "q"),
        op("a/ReadVariableOp_1", "Identity", "scales_too:1"),
        op("scaled", "Mul", "x", "a/ReadVariableOp_1"),
        op("left", "Switch", "one", "q"), op("right", "Switch", "other", "q"),
        op("chosen", "Merge", "left", "right:1"), op("product", "MatMul", "x", "chosen"),
        op("loop", "Enter", "inner"), op("branch", "Switch", "loop", "q"),
        op("b/ReadVariableOp", "Identity", "branch:1"), op("y", "MatMul", "x", "b/ReadVariableOp"),
        op("numbers", "Switch", "number", "q"), op("z", "Mul", "x", "numbers:1"),
    ) == dict.fromkeys(["k", "scale", "one", "other", "inner"], True)  # fmt: skip


def test_what_a_loop_changes_is_no_weight():
    """The value that it starts from is a constant only in the first round."""
    assert judged(
        const("start", (3, 3)), op("enter", "Enter", "start"),
        op("merge", "Merge", "enter", "next"), op("switch", "Switch", "merge", "x"),
        op("product", "MatMul", "x", "switch:1"), op("next", "NextIteration", "product"),
    ) == {}  # fmt: skip


def test_tables_and_cells():
    """Embeddings and the matrices of recurrent cells."""
    names = ["x", "c", "h", "w", "wci", "wcf", "wco", "b"]
    assert judged(
        const("table", (10, 4)), const("axis", (), "int32"), const("ids", (2,), "int32"),
        op("found", "GatherV2", "table", "ids", "axis"),
        *(const(name, (4,)) for name in names[1:]),
        op("cell", "LSTMBlockCell", *names),
    ) == dict.fromkeys(["table", "w", "wci", "wcf", "wco", "b"], True)  # fmt: skip


@pytest.mark.parametrize("kind", ["int32", "bool", "string"])
def test_only_numbers_that_differ(kind):
    """A table of integers that is gathered from is no weight."""
    values = ArrayTensor.of(np.array([b"a"], object) if kind == "string" else np.ones(1, kind))
    table = node("t", "Const", dtype=dtypes.named(kind), value=values)

    assert judged(table, node("g", "GatherV2", ["t", "x", "x"])) == {}


def test_constants_through_much_arithmetic_are_found_quickly():
    """Each sum takes the one before it twice: 2 to the 200 paths, one answer."""
    graph = GraphDef()
    graph.node.append(node("c", "Const", dtype=FLOAT, value=ArrayTensor.of(np.ones(3, "f"))))
    before = "c"
    for number in range(200):
        graph.node.append(node(f"a{number}", "Add", [before, before], T=FLOAT))
        before = f"a{number}"
    graph.node.append(placeholder("x", FLOAT))
    graph.node.append(node("y", "MatMul", ["x", before], T=FLOAT))

    assert list(weight_constants(View(graph))) == ["c"]
