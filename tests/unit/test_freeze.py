"""Freezing: values become constants, in functions, loops and branches too."""

import numpy as np
import pytest

from zoo import dtypes
from zoo.errors import UnsupportedError
from zoo.graph import by_name
from zoo.model import Model
from zoo.nodes import node, placeholder, whole_number
from zoo.protos import FunctionDef, MetaGraphDef
from zoo.samples import FLOAT, sample_model
from zoo.tensors import ArrayTensor
from zoo.variables import handle
from zoo.weights import Weights

VALUES = Weights({"w": ArrayTensor.of(np.array([1, 2], np.float32))})


def model_of(*nodes, functions=()):
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.node.append(handle("w", FLOAT, (2,)))
    meta_graph.graph_def.node.append(placeholder("x", FLOAT))
    meta_graph.graph_def.node.extend(nodes)
    meta_graph.graph_def.library.function.extend(functions)
    return Model(meta_graph, VALUES)


def frozen(*nodes, output, functions=()):
    return by_name(model_of(*nodes, functions=functions).freeze([output]).graph)


def test_only_what_the_outputs_need_is_left():
    """Initializers, savers and collections go; names stay; the value is not in the graph."""
    model = sample_model()

    result = model.freeze()

    nodes = by_name(result.graph)
    assert (nodes["dense/kernel"].op, nodes["dense/kernel/read"].op) == ("Const", "Identity")
    assert not nodes["dense/kernel"].attr["value"].tensor.tensor_content
    assert "dense/kernel/Assign" not in nodes
    assert not result.meta_graph.collection_def
    assert result.weights["dense/kernel"].tobytes() == model.weights["dense/kernel"].tobytes()


def test_reads_gathers_and_shapes_of_handles():
    """Each way to look at a variable has its way to look at a constant."""
    nodes = frozen(
        node("r", "ReadVariableOp", ["w"], dtype=FLOAT),
        node("g", "ResourceGather", ["w", "x"], dtype=FLOAT, Tindices=dtypes.INT32),
        node("n", "ResourceGatherNd", ["w", "x"], dtype=FLOAT, Tindices=dtypes.INT32),
        node("s", "VariableShape", ["w"], out_type=dtypes.INT32),
        node("out", "IdentityN", ["r", "g", "n", "s"], T=[FLOAT] * 4),
        output="out",
    )

    assert [nodes[name].op for name in "rgns"] == ["Identity", "GatherV2", "GatherNd", "Shape"]
    assert list(nodes["g"].input) == ["w", "x", "g/axis"]


def function(name, kinds, nodes, ret, out_kinds):
    made = FunctionDef()
    made.signature.name = name
    for argument, kind in kinds.items():
        made.signature.input_arg.add(name=argument, type=kind)
    for output, kind in out_kinds.items():
        made.signature.output_arg.add(name=output, type=kind)
    made.node_def.extend(nodes)
    for output, edge in ret.items():
        made.ret[output] = edge
    return made


def test_a_loop_takes_the_value():
    """The functions of a loop get copies that take values, and pass them on as such."""
    body = function(
        "body",
        {"i": 3, "v": 20},
        [
            node("read", "ReadVariableOp", ["v"], dtype=FLOAT),
            node("neg", "Neg", ["read:value:0"], T=FLOAT),
            node("same", "Identity", ["v"], T=dtypes.RESOURCE),
        ],
        {"i": "i", "v": "same:output:0"},
        {"i": 3, "v": 20},
    )
    cond = function("cond", {"i": 3, "v": 20}, [], {"go": "go"}, {"go": 10})
    cond.node_def.append(node("go", "LoopCond"))
    loop = node("loop", "While", ["zero", "w"], T=[dtypes.INT32, dtypes.RESOURCE])
    loop.attr["body"].func.name, loop.attr["cond"].func.name = "body", "cond"
    loop.attr["output_shapes"].list.shape.add()
    loop.attr["output_shapes"].list.shape.add()
    after = node("after", "ReadVariableOp", ["loop:1"], dtype=FLOAT)

    model = model_of(whole_number("zero", 0), loop, after, functions=[body, cond])
    graph = model.freeze(["after:0"]).graph
    nodes = by_name(graph)

    assert list(nodes["loop"].attr["T"].list.type) == [3, 1]
    assert nodes["loop"].attr["output_shapes"].list.shape[1].unknown_rank
    assert nodes["after"].op == "Identity"
    names = {f.signature.name for f in graph.library.function}
    assert names == {"body_frozen", "cond_frozen"}
    made = next(f for f in graph.library.function if f.signature.name == "body_frozen")
    assert [a.type for a in made.signature.input_arg] == [3, 1]
    assert [a.type for a in made.signature.output_arg] == [3, 1]
    inner = {n.name: n for n in made.node_def}
    assert (inner["read"].op, list(inner["neg"].input)) == ("Identity", ["read:output:0"])
    assert {f.signature.name for f in model.graph.library.function} == {"body", "cond"}


def test_a_branch_takes_the_value():
    """The condition comes first; the arguments of the branches are those after it."""
    branch = function(
        "branch", {"v": 20}, [node("r", "ReadVariableOp", ["v"], dtype=FLOAT)],
        {"y": "r:value:0"}, {"y": 1},
    )  # fmt: skip
    chosen = node("chosen", "If", ["x", "w"], Tcond=FLOAT, Tin=[dtypes.RESOURCE], Tout=[FLOAT])
    chosen.attr["then_branch"].func.name = chosen.attr["else_branch"].func.name = "branch"

    graph = model_of(chosen, functions=[branch]).freeze(["chosen:0"]).graph

    assert list(by_name(graph)["chosen"].attr["Tin"].list.type) == [1]
    for made in graph.library.function:
        assert made.ret["y"] == "r:output:0"


def test_calls_are_inlined_first():
    """A net in the function library comes out as its operations."""
    net = function(
        "net", {"a": 1, "v": 20},
        [node("r", "ReadVariableOp", ["v"], dtype=FLOAT),
         node("m", "Mul", ["a", "r:value:0"], T=FLOAT)],
        {"y": "m:z:0"}, {"y": 1},
    )  # fmt: skip
    call = node("call", "StatefulPartitionedCall", ["x", "w"], Tout=[FLOAT])
    call.attr["f"].func.name = "net"

    nodes = frozen(call, output="call", functions=[net])

    assert nodes["call/r"].op == "Identity"
    assert list(nodes["call/m"].input) == ["x", "call/r"]


@pytest.mark.parametrize(
    "changing",
    [
        node("y", "AssignAddVariableOp", ["w", "x"], dtype=FLOAT),
        node("y", "ResourceApplyGradientDescent", ["w", "x", "x"], T=FLOAT),
        node("y", "MapDataset", ["x", "w"]),
    ],
    ids=lambda made: made.op,
)
def test_outputs_that_change_a_variable_are_refused(changing):
    """A graph in training mode, a counter: no constant can do that."""
    with pytest.raises(UnsupportedError) as caught:
        frozen(changing, node("out", "Neg", ["x", "^y"], T=FLOAT), output="out")

    assert changing.op in caught.value.found


def test_reference_variables_that_change_are_refused():
    """The same for the variables of TensorFlow 1."""
    model = sample_model()
    meta_graph = MetaGraphDef()
    meta_graph.CopyFrom(model.meta_graph)
    by_name(meta_graph.graph_def)["probabilities"].input.append("^dense/bias/Assign")

    with pytest.raises(UnsupportedError) as caught:
        Model(meta_graph, model.weights).freeze()

    assert "Assign" in caught.value.found


def test_a_variable_without_a_value_is_named():
    """A checkpoint may lack a variable; only outputs that need it fail."""
    with pytest.raises(UnsupportedError) as caught:
        Model(sample_model().meta_graph, {}).freeze()

    assert caught.value.found == "dense/bias, dense/kernel"


def test_a_variable_inside_a_function_is_refused():
    """Whose value it has is known only when it runs."""
    function = FunctionDef()
    function.signature.name = "f"
    function.signature.output_arg.add(name="y", type=1)
    function.node_def.append(handle("inner", FLOAT, (2,)))
    function.node_def.append(node("read", "ReadVariableOp", ["inner:resource:0"], dtype=FLOAT))
    function.ret["y"] = "read:value:0"
    branch = node("y", "If", ["x"], Tout=[FLOAT])
    for key in ("then_branch", "else_branch"):
        branch.attr[key].func.name = "f"

    with pytest.raises(UnsupportedError, match="inside a function") as caught:
        frozen(branch, output="y:0", functions=[function])
    assert "inner of f" in caught.value.found
