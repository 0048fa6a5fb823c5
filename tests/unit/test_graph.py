"""Edges are followed in both directions, and pruning keeps what is needed and no more."""

import pytest

from zoo import graph as graphs
from zoo.errors import UnknownNameError
from zoo.nodes import node
from zoo.protos import GraphDef
from zoo.samples import FLOAT


def chain(*edges):
    """Return a graph of a node for each ``name: inputs``."""
    graph = GraphDef()
    for edge in edges:
        name, _, inputs = edge.partition(":")
        graph.node.append(node(name, "NoOp", inputs.split()))
    return graph


DIAMOND = chain("x", "left: x", "right: ^x", "end: left:1 right", "aside: x", "init: ^end")


def test_upstream_follows_data_and_control():
    """What a node needs are its inputs of both kinds, and theirs."""
    nodes = graphs.by_name(DIAMOND)

    assert graphs.upstream(nodes, ["end:0"]) == {"end", "left", "right", "x"}
    assert graphs.upstream(nodes, ["end"], stop=["left"]) == {"end", "left", "right", "x"}
    assert graphs.upstream(nodes, ["left"], stop=["left"]) == {"left"}


def test_downstream_follows_users():
    """What needs a node are its users, and theirs."""
    assert graphs.downstream(DIAMOND, ["left"]) == {"left", "end", "init"}


def test_a_subgraph_keeps_everything_else():
    """Versions stay, control edges from what is gone go."""
    graph = chain("x", "y: x ^gone", "gone")
    graph.versions.producer = 5

    kept = graphs.subgraph(graph, {"x", "y"})

    assert [n.name for n in kept.node] == ["x", "y"]
    assert list(kept.node[1].input) == ["x"]
    assert kept.versions.producer == 5
    assert list(graph.node[1].input) == ["x", "^gone"]


def with_functions(graph, **calls):
    """Give `graph` functions that call one another as `calls` says."""
    for name, callees in calls.items():
        function = graph.library.function.add()
        function.signature.name = name
        for callee in callees.split():
            inner = function.node_def.add(name="call", op="PartitionedCall")
            inner.attr["f"].func.name = callee
    return graph


def test_only_called_functions_stay():
    """Functions are kept if a node leads to them, through other functions and gradients too."""
    graph = with_functions(chain("x"), f="g", g="", h="g", k="")
    graph.node.add(name="loop", op="While").attr["body"].func.name = "f"
    graph.library.gradient.add(function_name="g", gradient_func="k")

    graphs.keep_called_functions(graph)

    assert [f.signature.name for f in graph.library.function] == ["f", "g", "k"]


def test_functions_that_call_each_other_end():
    """A circle of functions is walked once."""
    graph = with_functions(chain("x"), f="g", g="f")
    graph.node.add(name="direct", op="f")

    assert graphs.called_functions(graph, graph.node) == {"f", "g"}


def test_an_edge_from_nowhere_is_told():
    """A graph that was cut off between two nodes shows itself."""
    assert graphs.dangling(DIAMOND) == ""
    assert "'y'" in graphs.dangling(chain("y: x"))


def test_a_tensor_that_is_not_there_gets_its_neighbours():
    """The nearest node names are offered."""
    with pytest.raises(UnknownNameError) as caught:
        graphs.require(graphs.by_name(DIAMOND), ["rihgt:0"])

    assert "'right'" in caught.value.hint


def test_attributes_are_not_made_by_looking():
    """Asking a node for its functions leaves it as it is."""
    made = node("x", "Mul", T=FLOAT)
    before = made.SerializeToString()

    list(graphs.functions_named_by(made))

    assert made.SerializeToString() == before
