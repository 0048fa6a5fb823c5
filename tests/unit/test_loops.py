"""Loops of TensorFlow 1 become what can be differentiated, by nodes alone."""

import pytest

from zoo import dtypes, ops
from zoo.errors import UnsupportedError
from zoo.graph import by_name
from zoo.loop_reads import read_before_loops
from zoo.loops import REFUSES, WHY, functional
from zoo.nodes import Dims, node, placeholder, whole_number
from zoo.protos import GraphDef
from zoo.samples import FLOAT

BOOL, INT32 = dtypes.BOOL, dtypes.INT32


def enter(name, edge, frame="loop", dtype=FLOAT, *, constant=False):
    """Return the node by which a value enters a frame."""
    options = {"frame_name": frame, "is_constant": constant, "parallel_iterations": 7}
    return node(name, "Enter", [edge], T=dtype, **options)


def looping(*more, body="b/Mul", frame="loop"):
    """Return a graph that multiplies ``x`` by ``w`` while it is less than ``w``."""
    graph = GraphDef()
    graph.node.extend(
        [
            placeholder("x", FLOAT),
            placeholder("w", FLOAT),
            enter("enter", "x", frame),
            enter("w/enter", "w", frame, constant=True),
            node("merge", "Merge", ["enter", "next"], T=FLOAT, N=2),
            node("less", "Less", ["merge", "w/enter"], T=FLOAT),
            node("cond", "LoopCond", ["less"]),
            node("switch", "Switch", ["merge", "cond"], T=FLOAT),
            node("b/x", "Identity", ["switch:1"], T=FLOAT),
            node("b/Mul", "Mul", ["b/x", "w/enter"], T=FLOAT),
            node("next", "NextIteration", [body], T=FLOAT),
            node("exit", "Exit", ["switch"], T=FLOAT),
            *more,
        ]
    )
    return graph


def functions(graph):
    """Return the functions of `graph` by name."""
    return {one.signature.name: one for one in graph.library.function}


def test_a_loop_becomes_a_while():
    """It counts its rounds, hands round what it only looks at, and exits under the old name."""
    graph = looping()
    before = GraphDef.FromString(graph.SerializeToString())

    nodes = by_name(made := functional(graph, ["exit:0"]))

    assert graph == before
    assert {one.op for one in made.node} == {"Placeholder", "Const", "StatelessWhile", "Identity"}
    call = nodes["loop/While"]
    assert list(call.input) == ["loop/While/rounds", "loop/While/most", "x", "w"]
    assert list(call.attr["T"].list.type) == [3, 3, 1, 1]
    assert [one.unknown_rank for one in call.attr["output_shapes"].list.shape] == [
        False,
        False,
        True,
        True,
    ]
    assert call.attr["parallel_iterations"].i == 7
    assert list(nodes["exit"].input) == ["loop/While:2"]
    body = functions(made)[call.attr["body"].func.name]
    assert [body.ret[one.name] for one in body.signature.output_arg] == [
        "more:z:0", "argument_1", "next:output:0", "argument_3",
    ]  # fmt: skip
    condition = functions(made)[call.attr["cond"].func.name]
    assert [one.name for one in condition.node_def] == ["less"]
    assert list(condition.node_def[0].input) == ["argument_2", "argument_3"]


@pytest.mark.parametrize("more", [[], [node("where", "Neg", ["merge:1"], T=INT32)]])
def test_defaults_are_left_out(more):
    """A graph that states none of them is asked for none, which would write them."""
    graph = looping(*more)
    graph.node.extend(filling(taking("range")).node[:-1])
    by_name(graph)["enter"].attr.pop("is_constant")
    by_name(graph)["enter"].attr.pop("parallel_iterations")
    before = GraphDef.FromString(graph.SerializeToString())

    made = functional(graph, ["exit:0", "length:0"])

    assert graph == before
    nodes = [*made.node, *(one for f in made.library.function for one in f.node_def)]
    assert [n.name for n in nodes if any(not v.WhichOneof("value") for v in n.attr.values())] == []


def test_a_graph_without_loops_stays():
    """It is the very same."""
    graph = GraphDef(node=[placeholder("x", FLOAT), node("y", "Neg", ["x"], T=FLOAT)])

    assert functional(graph, ["y:0"]) is graph


def test_what_has_an_effect_is_run():
    """It is an output of the function for its own sake, and the loop is one that has effects."""
    graph = looping(node("say", "Print", ["b/Mul", "b/x"], T=FLOAT, U=[FLOAT]), body="say")

    made = functional(graph, ["exit:0"])

    call = by_name(made)["loop/While"]
    body = functions(made)[call.attr["body"].func.name]
    assert call.op == "While"
    assert dict(body.control_ret) == {"say": "say"}


def test_functions_have_names_of_their_own():
    """Arguments are called as no node is; a wish to stand with a node outside goes."""
    beside = node("argument_2", "Neg", ["b/Mul"], T=FLOAT)
    beside.attr["_class"].list.s.append(b"loc:@w")

    made = functional(looping(beside, body="argument_2"), ["exit:0"])

    body = functions(made)[by_name(made)["loop/While"].attr["body"].func.name]
    assert [one.name for one in body.signature.input_arg][2] == "argument_2_1"
    (copy,) = (one for one in body.node_def if one.name == "argument_2")
    assert "_class" not in copy.attr


def test_loops_of_like_names():
    """Two names that become one in the library's letters are told apart."""
    graph = looping(frame="a/b")
    for one in looping(frame="a_b").node:
        one.name = f"2/{one.name}"
        one.input[:] = [f"2/{edge}" for edge in one.input]
        graph.node.append(one)

    made = functional(graph, ["exit:0", "2/exit:0"])

    assert sorted(functions(made)) == ["a_b_body", "a_b_body_1", "a_b_cond", "a_b_cond_1"]
    first, second = (by_name(made)[name].attr for name in ("a/b/While", "a_b/While"))
    assert first["body"].func.name != second["body"].func.name


def test_a_while_waits_for_what_entrances_waited_for():
    """What had to come before a value entered comes before the loop."""
    entrance = enter("enter", "x")
    entrance.input.append("^before")

    made = functional(odd(entrance, node("before", "NoOp")), ["exit:0"])

    assert "^before" in by_name(made)["loop/While"].input


def odd(*replaced, **options):
    """Return `looping`, nodes in the place of those of their names."""
    names = {one.name for one in replaced}
    graph = looping(**options)
    kept = [one for one in graph.node if one.name not in names]
    return GraphDef(node=[*kept, *replaced])


@pytest.mark.parametrize(
    ("graph", "why"),
    [
        (looping(node("where", "Neg", ["merge:1"], T=INT32)), "where the value of 'merge' is from"),
        (odd(node("exit", "Exit", ["b/Mul"], T=FLOAT)), "lets out what did not go round"),
        (odd(node("merge", "Merge", ["enter", "b/Mul"], T=FLOAT, N=2)), "does not come round"),
        (looping(node("again", "LoopCond", ["less"])), "2 conditions"),
        (looping(node("push", "StackPushV2", ["w/enter", "b/Mul"], T=FLOAT)), "StackPushV2"),
        (odd(enter("w/enter", "w", dtype=dtypes.RESOURCE, constant=True)), "changes a variable"),
        (
            odd(
                enter("lone", "w"),
                node("b/Mul", "Mul", ["b/x", "lone"], T=FLOAT),
            ),
            "what enters at 'lone' does not go round",
        ),
        (
            odd(
                node("say", "Print", ["merge", "merge"], T=FLOAT, U=[FLOAT]),
                node("less", "Less", ["say", "w/enter"], T=FLOAT),
                body="say",
            ),
            "share what has an effect",
        ),
    ],
)
def test_other_loops_are_called(graph, why):
    """A loop that cannot be rewritten is in a function, whole; its call says why."""
    made = functional(graph, ["exit:0"])

    (function,) = made.library.function
    (call,) = (one for one in made.node if one.op == "StatefulPartitionedCall")
    assert {one.op for one in function.node_def} >= {"Enter", "LoopCond", "Exit"}
    assert not {"Enter", "Exit"} & {one.op for one in made.node}
    assert call.attr["_gradient_op_type"].s.decode() == REFUSES
    what, _, told = call.attr[WHY].s.decode().partition("\n")
    assert what == "the loop 'loop'"
    assert why in told
    assert dict(function.control_ret) == {"exit": "exit"}


@pytest.mark.parametrize("wanted", ["b/Mul:0", "b/Mul", "switch:1", "merge"])
def test_what_is_inside_is_no_output(wanted):
    """It has a value for each round."""
    with pytest.raises(UnsupportedError, match="inside of the loop 'loop'"):
        functional(looping(), [wanted])


def test_what_is_inside_is_no_input():
    """A value from outside, without an entrance, is refused by name."""
    graph = odd(placeholder("b/Mul", FLOAT))

    with pytest.raises(UnsupportedError, match="the loop 'loop' cannot be part"):
        functional(graph, ["exit:0"])


def branching(true="yes", false="no", predicate="less", value="b/x", **more):
    """Return `looping` with a choice in its body: the double, or the negative."""
    return looping(
        node("side", "Switch", [value, predicate], T=FLOAT),
        node("yes", "Add", ["side:1", "side:1"], T=FLOAT),
        node("no", "Neg", ["side"], T=FLOAT),
        node("meet", "Merge", [false, true], T=FLOAT, N=2),
        node("b/less", "Less", ["b/x", "w/enter"], T=FLOAT),
        body="meet",
        **more,
    )


@pytest.mark.parametrize(
    ("true", "false", "value", "given"),
    [
        ("yes", "no", "b/x", "b/x:output:0"),
        ("no", "yes", "b/x", "b/x:output:0"),
        ("yes", "no", "merge", "argument_2"),
    ],
)
def test_branches_become_an_if(true, false, value, given):
    """Which side is taken for True is told by the switch, not by the order at the end."""
    made = functional(branching(true, false, "b/less", value), ["exit:0"])

    body = functions(made)[by_name(made)["loop/While"].attr["body"].func.name]
    (call,) = (one for one in body.node_def if one.op == "StatelessIf")
    assert list(call.input) == ["b/less:z:0", given]
    sides = [functions(made)[call.attr[key].func.name] for key in ("then_branch", "else_branch")]
    assert [[one.op for one in side.node_def] for side in sides] == [["Add"], ["Neg"]]


def test_branches_take_what_is_before_them():
    """A value that comes to a branch without a switch is an argument too."""
    graph = branching(predicate="b/less")
    by_name(graph)["yes"].input[1] = "w/enter"

    made = functional(graph, ["exit:0"])

    body = functions(made)[by_name(made)["loop/While"].attr["body"].func.name]
    (call,) = (one for one in body.node_def if one.op == "StatelessIf")
    assert list(call.input) == ["b/less:z:0", "b/x:output:0", "argument_3"]


def test_branches_with_effects():
    """What is said on a branch is said when the branch is taken, whether or not it is needed."""
    graph = branching(predicate="b/less")
    graph.node.append(node("say", "Print", ["side:1", "side:1"], T=FLOAT, U=[FLOAT]))
    by_name(graph)["yes"].input.append("^say")

    made = functional(graph, ["exit:0"])

    body = functions(made)[by_name(made)["loop/While"].attr["body"].func.name]
    (call,) = (one for one in body.node_def if one.op == "If")
    then = functions(made)[call.attr["then_branch"].func.name]
    assert dict(then.control_ret) == {"say": "say"}


def test_branches_whose_number_is_asked_for():
    """An ``If`` does not say which branch was taken."""
    graph = branching(predicate="b/less")
    graph.node.append(node("which", "Cast", ["meet:1"], SrcT=INT32, DstT=FLOAT))
    graph.node.append(node("both", "Add", ["meet", "which"], T=FLOAT))
    by_name(graph)["next"].input[0] = "both"

    made = functional(graph, ["exit:0"])

    (call,) = (one for one in made.node if one.op == "StatefulPartitionedCall")
    assert "where the value of 'meet' is from" in call.attr[WHY].s.decode()


def test_branches_of_two_predicates_are_odd():
    """Sides that come from two switches with predicates of their own make no choice."""
    graph = branching(predicate="b/less")
    graph.node.append(node("more", "Greater", ["b/x", "w/enter"], T=FLOAT))
    graph.node.append(node("other", "Switch", ["b/x", "more"], T=FLOAT))
    by_name(graph)["no"].input[0] = "other"

    made = functional(graph, ["exit:0"])

    (call,) = (one for one in made.node if one.op == "StatefulPartitionedCall")
    assert "'meet' are no plain condition" in call.attr[WHY].s.decode()


def filling(*more, **options):
    """Return a graph with an array that is filled, its elements taken by the node ``all``."""
    graph = GraphDef()
    graph.node.extend(
        [
            whole_number("size", 2),
            whole_number("zero", 0),
            whole_number("one", 1),
            placeholder("x", FLOAT),
            node("array", "TensorArrayV3", ["size"], dtype=FLOAT, **options),
            node("write", "TensorArrayWriteV3", ["array", "zero", "x", "array:1"], T=FLOAT),
            node("length", "TensorArraySizeV3", ["array", "write"]),
            node("range", "Range", ["zero", "length", "one"], Tidx=INT32),
            *more,
        ]
    )
    return graph


def taking(indices, flow="write"):
    """Return the node that takes elements of an array."""
    return node("all", "TensorArrayGatherV3", ["array", indices, flow], dtype=FLOAT)


def operations(graph):
    """Return the operations of arrays and lists in `graph`, in its order."""
    return [one.op for one in graph.node if one.op.startswith("Tensor")]


def test_an_array_becomes_a_list():
    """The list goes where the flow went; the handle is gone."""
    shape = Dims([None, 3])
    made = functional(filling(taking("range"), element_shape=shape), ["all:0"])

    assert operations(made) == ["TensorListReserve", "TensorListSetItem", "TensorListStack"]
    nodes = by_name(made)
    assert list(nodes["write"].input) == ["array", "zero", "x"]
    assert list(nodes["all"].input) == ["write", "all/element_shape"]
    stated = nodes["all/element_shape"].attr["value"].tensor
    assert list(stated.int_val) == [-1, 3]


@pytest.mark.parametrize(
    "indices",
    [
        placeholder("some", INT32),
        node("some", "Range", ["one", "length", "one"], Tidx=INT32),
        node("some", "Range", ["zero", "one", "one"], Tidx=INT32),
        node("some", "Range", ["zero", "length", "length"], Tidx=INT32),
    ],
)
def test_elements_out_of_order_are_taken_of_all(indices):
    """Each may be taken twice; all must be alike for that."""
    made = functional(filling(taking("some"), indices, identical_element_shapes=True), ["all:0"])
    nodes = by_name(made)
    assert (nodes["all/stack"].op, nodes["all"].op) == ("TensorListStack", "GatherV2")
    assert list(nodes["all"].input) == ["all/stack", "some", "all/axis"]

    kept = functional(filling(taking("some"), indices), ["all:0"])
    assert "TensorListReserve" not in operations(kept)
    assert all(one.attr[WHY].s for one in kept.node if one.op.startswith("Tensor"))


def test_constants_wait_in_the_frame_of_an_array():
    """Each that is added has an input, since one without is in no loop."""
    whole = node("all", "TensorArrayConcatV3", ["array", "write"], dtype=FLOAT)

    nodes = by_name(functional(filling(whole), ["all:0"]))

    assert list(nodes["all"].input) == ["write", "all/element_shape", "all/lengths"]
    assert [list(nodes[name].input) for name in nodes["all"].input[1:]] == [["^write"]] * 2
    assert list(nodes["array/element_shape"].input) == ["^size"]


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ([node("flow", "Neg", ["write"], T=FLOAT)], "flow:0"),
        ([node("flow", "TensorArrayReadV3", ["array", "zero", "x"], dtype=FLOAT)], "flow:0"),
        ([node("grad", "TensorArrayGradV3", ["array", "write"], source="g")], "grad:1"),
        (
            [
                node("mixed", "Merge", ["write", "x"], T=FLOAT, N=2),
                node("flow", "TensorArrayReadV3", ["array", "zero", "mixed"], dtype=FLOAT),
            ],
            "flow:0",
        ),
        ([], "write:0"),
    ],
)
def test_arrays_that_are_more_stay(more, wanted):
    """A flow that is a number to somebody, or a handle that somebody else uses."""
    made = functional(filling(taking("range"), *more), ["all:0", wanted])

    assert "TensorArrayV3" in operations(made)
    assert "TensorListReserve" not in operations(made)


def reading(*more):
    """Return a loop's entrance with a variable's handle, which is read inside."""
    graph = GraphDef()
    graph.node.extend(
        [
            node("v", "VarHandleOp", dtype=FLOAT, shape=Dims([2])),
            enter("v/enter", "v", dtype=dtypes.RESOURCE, constant=True),
            node("read", "ReadVariableOp", ["v/enter", "^v/enter"], dtype=FLOAT),
            *more,
        ]
    )
    return graph


def test_variables_are_read_before_loops():
    """The value enters, and who read it is a copy."""
    nodes = by_name(read_before_loops(reading()))

    assert nodes["v/ReadVariableOp"].op == "ReadVariableOp"
    assert list(nodes["v/enter"].input) == ["v/ReadVariableOp"]
    assert nodes["v/enter"].attr["T"].type == FLOAT.number
    assert nodes["read"].op == "Identity"
    assert list(nodes["read"].input) == ["v/enter", "^v/enter"]


@pytest.mark.parametrize(
    "user",
    [
        node("set", "AssignAddVariableOp", ["v", "read"], dtype=FLOAT),
        node("rows", "ResourceGather", ["v/enter", "read"], dtype=FLOAT, batch_dims=1),
    ],
)
def test_other_variables_are_read_where_they_were(user):
    """Somebody assigns, so that the order of reads matters; or looks up by batches."""
    graph = reading(user)

    assert read_before_loops(graph) == graph


def test_outputs_as_functions_call_them():
    """By the name of the output and the number in it; what is not there is refused."""
    split = node("s", "Split", ["axis", "x"], T=FLOAT, num_split=3)
    merge = node("m", "Merge", ["a", "b"], T=FLOAT, N=2)

    assert [ops.spelled(split, 2), ops.spelled(merge, 1)] == ["output:2", "value_index:0"]
    with pytest.raises(UnsupportedError, match="no output 3"):
        ops.spelled(split, 3)
