"""Calls are replaced by the bodies of their functions, under the same names."""

import pytest

from zoo import dtypes
from zoo.errors import FormatError, UnsupportedError
from zoo.graph import by_name
from zoo.inline import inline
from zoo.nodes import node, placeholder
from zoo.protos import FunctionDef, GraphDef
from zoo.samples import FLOAT


def function(name, inputs, outputs, nodes, ret, control=None):
    """Return a function; `nodes` are written as function bodies write them."""
    made = FunctionDef()
    made.signature.name = name
    for argument in inputs:
        made.signature.input_arg.add(name=argument, type=1)
    for output in outputs:
        made.signature.output_arg.add(name=output, type=1)
    made.node_def.extend(nodes)
    for output, edge in ret.items():
        made.ret[output] = edge
    for key, value in (control or {}).items():
        made.control_ret[key] = value
    return made


def calling(*functions, inputs=("x",), outputs=1, control=()):
    """Return a graph that calls the first of `functions` as ``call``."""
    graph = GraphDef()
    graph.node.extend(placeholder(name, FLOAT) for name in inputs)
    call = node("call", "PartitionedCall", [*inputs, *control], Tout=[FLOAT] * outputs)
    call.attr["f"].func.name = functions[0].signature.name
    graph.node.append(call)
    graph.library.function.extend(functions)
    return graph


SQUARE = function(
    "square", ["a"], ["y"], [node("mul", "Mul", ["a", "a"], T=FLOAT)], {"y": "mul:z:0"}
)


def test_the_body_takes_the_place_of_the_call():
    """The call's name is left on what the function returns; the function itself is gone."""
    flat = inline(calling(SQUARE))
    nodes = by_name(flat)

    assert list(nodes["call/mul"].input) == ["x", "x"]
    assert (nodes["call"].op, list(nodes["call"].input)) == ("Identity", ["call/mul"])
    assert len(flat.library.function) == 0


def test_calls_inside_of_calls():
    """Functions that call functions are followed to the end."""
    inner = node("again", "PartitionedCall", ["a"], Tout=[FLOAT])
    inner.attr["f"].func.name = "square"
    twice = function("twice", ["a"], ["y"], [inner], {"y": "again:output:0"})

    nodes = by_name(inline(calling(twice, SQUARE)))

    assert list(nodes["call/again/mul"].input) == ["x", "x"]
    assert list(nodes["call"].input) == ["call/again"]


def test_several_outputs_are_told_apart():
    """An output that a body names by its argument gets its number; several returns are one node."""
    split = node("split", "Unique", ["a"], T=FLOAT, out_idx=FLOAT)
    both = function("both", ["a"], ["p", "q"], [split], {"p": "split:idx:0", "q": "split:y:0"})

    nodes = by_name(inline(calling(both, outputs=2)))

    assert nodes["call"].op == "IdentityN"
    assert list(nodes["call"].input) == ["call/split:1", "call/split"]


def test_control_goes_in_and_comes_out():
    """What must come before the call comes before its body; what must happen in it happens."""
    body = [
        node("first", "Print", ["a"], T=FLOAT, U=[FLOAT]),
        node("second", "Neg", ["first:output:0"], T=FLOAT),
        node("constant", "Const", dtype=FLOAT),
    ]
    talking = function("talking", ["a"], ["y"], body, {"y": "second:y:0"}, {"done": "first"})
    graph = calling(talking, control=["^x"])

    nodes = by_name(inline(graph))

    assert list(nodes["call/before"].input) == ["^x"]
    assert "^call/before" in nodes["call/first"].input
    assert "^call/before" not in nodes["call/second"].input
    assert not nodes["call/constant"].input
    assert "^call/first" in nodes["call"].input


def test_a_function_without_returns_is_a_no_op():
    """Such a call is there for what it does."""
    acting = function("acting", ["a"], [], [node("n", "NoOp")], {}, {"done": "n"})

    nodes = by_name(inline(calling(acting, outputs=0)))

    assert (nodes["call"].op, list(nodes["call"].input)) == ("NoOp", ["^call/n"])


def test_names_that_are_taken_are_not_taken_again():
    """Two calls of one function, and a node that has the name already."""
    graph = calling(SQUARE)
    other = graph.node.add()
    other.CopyFrom(graph.node[1])
    other.name = "other"
    graph.node.append(placeholder("call/mul", FLOAT))

    names = [n.name for n in inline(graph).node]

    assert len(names) == len(set(names))
    assert {"call", "other", "call/mul", "call/mul_1", "other/mul"} <= set(names)


def test_old_graphs_call_by_operation():
    """A node whose operation is a function's name calls it; outputs have its names."""
    graph = calling(SQUARE)
    graph.node[1].op = "square"
    del graph.node[1].attr["f"]
    outer = function(
        "outer", ["a"], ["y"], [node("q", "square", ["a"]), node("n", "Neg", ["q:y:0"], T=FLOAT)],
        {"y": "n:y:0"},
    )  # fmt: skip
    graph.node[1].op = "outer"
    graph.library.function.append(outer)

    nodes = by_name(inline(graph))

    assert list(nodes["call/n"].input) == ["call/q"]
    assert list(nodes["call/q/mul"].input) == ["x", "x"]


def test_attributes_that_stand_for_the_calls_are_filled_in():
    """A polymorphic body takes its types from the call."""
    body = node("neg", "Neg", ["a"])
    body.attr["T"].placeholder = "T"
    generic = function("generic", ["a"], ["y"], [body], {"y": "neg:y:0"})
    graph = calling(generic)
    graph.node[1].attr["f"].func.attr["T"].type = dtypes.named("float64").number

    assert by_name(inline(graph))["call/neg"].attr["T"].type == 2


def test_colocation_inside_of_a_body_is_renamed():
    """A node that stands with another of the body still does; others cannot be told."""
    with_other = node("b", "Neg", ["a"], T=FLOAT, _class=["loc:@mul", "loc:@133"])
    body = [node("mul", "Mul", ["a", "a"], T=FLOAT), with_other]
    placed = function("placed", ["a"], ["y"], body, {"y": "b:y:0"})

    nodes = by_name(inline(calling(placed)))

    assert list(nodes["call/b"].attr["_class"].list.s) == [b"loc:@call/mul"]


def test_a_function_that_calls_itself_is_refused():
    """There is no end to inlining it."""
    inner = node("again", "PartitionedCall", ["a"], Tout=[FLOAT])
    inner.attr["f"].func.name = "loop"

    with pytest.raises(UnsupportedError, match="calls itself"):
        inline(calling(function("loop", ["a"], ["y"], [inner], {"y": "again:output:0"})))


@pytest.mark.parametrize(
    "broken",
    [
        calling(SQUARE, inputs=("x", "y")),
        calling(function("f", ["a"], ["y"], [], {"y": "nobody:z:0"})),
        calling(function("f", ["a"], ["y"], [node("n", "Neg", ["^gone"])], {"y": "n:y:0"})),
    ],
    ids=["arguments", "return", "control"],
)
def test_damaged_functions_are_format_errors(broken):
    """A call or a body that speaks of what is not there is damaged."""
    with pytest.raises(FormatError):
        inline(broken)


def test_an_unknown_operation_may_have_one_output():
    """An operation of a library that is not loaded is inlined as far as one can know it."""
    custom = [node("c", "Custom>Op", ["a"]), node("n", "Neg", ["c:out:0"], T=FLOAT)]
    nodes = by_name(inline(calling(function("f", ["a"], ["y"], custom, {"y": "n:y:0"}))))

    assert list(nodes["call/n"].input) == ["call/c"]
    custom[1].input[0] = "c:out:1"
    with pytest.raises(UnsupportedError, match="Custom>Op"):
        inline(calling(function("f", ["a"], ["y"], custom, {"y": "n:y:0"})))


def test_a_call_waits_for_what_it_waited_for():
    """Also where its body is nothing but an argument that passes through."""
    passing = function("pass", ["a"], ["y"], [], {"y": "a"})
    graph = calling(passing, control=["^before"])
    graph.node.append(node("before", "NoOp"))

    flat = by_name(inline(graph))

    assert list(flat["call"].input) == ["x", "^before"]


def test_effects_that_nothing_returns_are_waited_for():
    """Old functions do not list what they do besides returning: it is done all the same."""
    body = [
        node("assert", "Assert", ["a", "a"], T=[FLOAT]),
        node("unused", "Neg", ["a"], T=FLOAT),
        node("mul", "Mul", ["a", "a"], T=FLOAT),
    ]

    flat = by_name(inline(calling(function("f", ["a"], ["y"], body, {"y": "mul:z:0"}))))

    assert list(flat["call"].input) == ["call/mul", "^call/assert"]


def test_functions_that_grow_without_end_are_refused(monkeypatch):
    """A small file whose functions call each other twice must not fill the memory."""
    monkeypatch.setattr("zoo.inline._MOST", 1000)
    functions = []
    for number in range(25):
        calls = [node(f"c{i}", f"f{number + 1}", ["a"]) for i in range(2)]
        functions.append(function(f"f{number}", ["a"], ["y"], calls, {"y": "c0:y:0"}))
    functions.append(function("f25", ["a"], ["y"], [], {"y": "a"}))

    with pytest.raises(UnsupportedError, match="too often"):
        inline(calling(*functions))
