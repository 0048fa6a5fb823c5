"""Graphs that no program writes: operations without their inputs, kernels without axes."""

import numpy as np
import pytest

from zoo.describe import describe
from zoo.errors import ZooError
from zoo.model import Model
from zoo.nodes import node, placeholder
from zoo.operands import OPERANDS
from zoo.ops import op
from zoo.protos import MetaGraphDef
from zoo.samples import FLOAT
from zoo.tensors import ArrayTensor
from zoo.weights import Weights

KINDS = (
    *OPERANDS, "Softmax", "Sigmoid", "ArgMax", "Mean", "Reshape", "Add", "BiasAdd", "Sub", "Mul",
    "SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits", "ReadVariableOp",
    "QueueDequeueV2", "IteratorGetNext", "PlaceholderWithDefault", "RandomUniform", "Switch",
    "Merge", "Enter", "Exit", "While", "If", "SaveV2", "RestoreV2", "Assign", "ScatterAdd",
)  # fmt: skip


def described(*nodes, weights=None):
    """Return what is said of a graph of `nodes`."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.node.append(placeholder("x", FLOAT))
    meta_graph.graph_def.node.extend(nodes)
    return describe(Model(meta_graph, Weights(weights or {})), "frozen", None)


@pytest.mark.parametrize("kind", sorted(set(KINDS)))
@pytest.mark.parametrize("inputs", [[], ["x"]], ids=["none", "one"])
def test_operations_without_their_inputs(kind, inputs):
    """Each is told without a head, or refused as what it is: nothing else is raised."""
    users = [] if not op(kind) or not op(kind).outputs else [
        node("y", "BiasAdd", ["n", "n"], T=FLOAT), node("p", "Softmax", ["y"], T=FLOAT),
    ]  # fmt: skip

    try:
        found = described(node("n", kind, inputs), *users)["head"]
    except ZooError as error:
        found = error

    assert found is None or (isinstance(found, ZooError) and found.problem)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_kernel_without_axes(shape):
    """A product by a number or a row has no width, and is no head."""
    kernel = ArrayTensor.of(np.ones(shape, np.float32))
    made = node("w", "Const", dtype=FLOAT), node("y", "MatMul", ["x", "w"], T=FLOAT)

    assert described(*made, weights={"w": kernel})["head"] is None
