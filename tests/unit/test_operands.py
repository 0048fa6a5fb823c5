"""What functions do with their arguments decides whether these are weights."""

import pytest

from zoo.nodes import node
from zoo.operands import Operands
from zoo.protos import FunctionDef, GraphDef
from zoo.samples import FLOAT


def function(name, body, ret):
    """Return a function of two floats, the step and the weight, which returns `ret`."""
    made = FunctionDef()
    made.signature.name = name
    for argument, output in (("h", "h_out"), ("w", "w_out")):
        made.signature.input_arg.add(name=argument, type=1)
        made.signature.output_arg.add(name=output, type=1)
    made.node_def.extend(body)
    made.ret["h_out"], made.ret["w_out"] = ret
    return made


STEP = [
    node("same", "Identity", ["w"], T=FLOAT),
    node("mul", "MatMul", ["h", "same:output:0"], T=FLOAT),
    node("other", "Neg", ["w"], T=FLOAT),
]


@pytest.mark.parametrize(
    ("ret", "taken"),
    [
        (("mul:product:0", "w"), [False, True]),
        (("mul:product:0", "same:output:0"), [False, True]),
        (("mul:product:0", "other:y:0"), [False, False]),
        (("h", "w"), [True, True]),
    ],
)
def test_a_weight_of_a_loop_is_the_same_in_every_round(ret, taken):
    """What a round changes is its state, though a product takes it."""
    graph = GraphDef()
    graph.library.function.append(function("body", STEP, ret))
    loop = node("loop", "While", ["h0", "w0"], T=[FLOAT, FLOAT])
    loop.attr["body"].func.name = "body"

    assert [Operands(graph).takes(loop, position) for position in range(2)] == taken


def test_branches_have_their_condition_first():
    """And calls within calls are followed; one that calls itself ends."""
    graph = GraphDef()
    inner = [node("again", "outer", ["h", "w"]), *STEP]
    graph.library.function.append(function("inner", inner, ("h", "w")))
    call = node("call", "PartitionedCall", ["h", "w"])
    call.attr["f"].func.name = "inner"
    graph.library.function.append(function("outer", [call], ("h", "w")))
    branch = node("branch", "If", ["condition", "h0", "w0"])
    branch.attr["then_branch"].func.name = "outer"

    assert [Operands(graph).takes(branch, position) for position in range(3)] == [False, True, True]
