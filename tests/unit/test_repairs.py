"""Repairs of graphs made by hand: what is left out, what stays, and which are wanted."""

import re
from pathlib import Path

import numpy as np
import pytest

from zoo import dtypes, protos, stale
from zoo.errors import UsageError
from zoo.fed_pipelines import with_placeholders
from zoo.fixed_switches import with_switches_fixed
from zoo.folding import folded
from zoo.nodes import node, placeholder
from zoo.repairs import REPAIRS, Choice
from zoo.tensors import ArrayTensor
from zoo.updates import without_updates

FLOAT, BOOL = dtypes.named("float32"), dtypes.named("bool")


def graph(*nodes):
    return protos.GraphDef(node=nodes)


def meta(*nodes):
    return protos.MetaGraphDef(graph_def=graph(*nodes))


def const(name, value, dtype=FLOAT, after=()):
    tensor = ArrayTensor(np.asarray(value, dtype.numpy), dtype)
    return node(name, "Const", after, dtype=dtype, value=tensor)


def edges(made):
    return {one.name: (one.op, list(one.input)) for one in made.node}


def conditional(condition):
    """Return a graph with one conditional: x + 1 where `condition`, else x * 2."""
    return graph(
        placeholder("x", FLOAT, [None]),
        condition,
        node("pred", "Identity", ["training"], T=BOOL),
        node("switch", "Switch", ["x", "pred"], T=FLOAT),
        node("pivot", "Switch", ["pred", "pred"], T=BOOL),
        node("t", "Identity", ["pivot:1"], T=BOOL),
        node("f", "Identity", ["pivot"], T=BOOL),
        const("one", 1.0, after=["^t"]),
        const("two", 2.0, after=["^f"]),
        node("add", "Add", ["switch:1", "one"], T=FLOAT),
        node("mul", "Mul", ["switch", "two"], T=FLOAT),
        node("merge", "Merge", ["mul", "add"], T=FLOAT, N=2),
        node("y", "Identity", ["merge"], T=FLOAT),
        node("which", "Identity", ["merge:1"], T=dtypes.INT32),
    )


@pytest.mark.parametrize("taken", [False, True])
def test_a_branch_that_is_ruled_out(taken):
    """The merge passes on what the other branch gives, and still says which one it was."""
    made, count = folded(conditional(const("training", taken, BOOL)))

    found = edges(made)
    assert count == 1
    assert found["merge"] == ("Identity", ["add" if taken else "mul"])
    assert found["add" if taken else "mul"][1] == ["x", "one" if taken else "two"]
    assert ("mul" if taken else "add") not in found
    assert not {op for op, _ in found.values()} & {"Merge", "Switch"}
    (index,) = [one for one in made.node if one.name == found["which"][1][0]]
    assert index.attr["value"].tensor.int_val == [int(taken)]


def test_a_branch_that_nothing_rules_out():
    """The graph comes back as it is."""
    before = conditional(placeholder("training", BOOL, []))

    assert folded(before) == (before, 0)


@pytest.mark.parametrize(
    ("op", "sides", "decided"),
    [
        ("LogicalNot", ["yes"], False),
        ("LogicalAnd", ["yes", "open"], None),
        ("LogicalAnd", ["no", "open"], False),
        ("LogicalAnd", ["yes", "yes"], True),
        ("LogicalOr", ["yes", "open"], True),
        ("LogicalOr", ["no", "open"], None),
        ("LogicalOr", ["no", "no"], False),
    ],
)
def test_what_decides(op, sides, decided):
    """Constants through logic, where the open ones make no difference."""
    made, count = folded(
        graph(
            placeholder("x", FLOAT, []),
            placeholder("open", BOOL, []),
            const("yes", value=True, dtype=BOOL),
            const("no", value=False, dtype=BOOL),
            node("training", op, sides),
            node("switch", "Switch", ["x", "training"], T=FLOAT),
            node("a", "Neg", ["switch:1"], T=FLOAT),
            node("b", "Abs", ["switch"], T=FLOAT),
            node("merge", "Merge", ["a", "b"], T=FLOAT, N=2),
        )
    )

    kept = {True: {"a"}, False: {"b"}, None: {"a", "b"}}[decided]
    assert set(edges(made)) & {"a", "b"} == kept
    assert count == (decided is not None)


def test_a_loop_in_a_dead_branch_goes():
    """What comes around again does not keep it alive."""
    made, _ = folded(
        graph(
            placeholder("x", FLOAT, []),
            const("training", value=False, dtype=BOOL),
            node("switch", "Switch", ["x", "training"], T=FLOAT),
            node("enter", "Enter", ["switch:1"], T=FLOAT, frame_name="loop"),
            node("again", "Merge", ["enter", "next"], T=FLOAT, N=2),
            node("less", "Less", ["again", "again"], T=FLOAT),
            node("cond", "LoopCond", ["less"]),
            node("turn", "Switch", ["again", "cond"], T=FLOAT),
            node("next", "NextIteration", ["turn:1"], T=FLOAT),
            node("exit", "Exit", ["turn"], T=FLOAT),
            node("out", "Neg", ["switch"], T=FLOAT),
            node("merge", "Merge", ["exit", "out"], T=FLOAT, N=2),
        )
    )

    assert set(edges(made)) == {"x", "training", "out", "merge", "merge/value_index"}


def test_a_merge_of_three():
    """Of three branches one is dead: the other two are still told apart."""
    made, _ = folded(
        graph(
            placeholder("x", FLOAT, []),
            placeholder("open", BOOL, []),
            const("no", value=False, dtype=BOOL),
            node("first", "Switch", ["x", "no"], T=FLOAT),
            node("second", "Switch", ["first", "open"], T=FLOAT),
            node("a", "Neg", ["first:1"], T=FLOAT),
            node("b", "Abs", ["second"], T=FLOAT),
            node("c", "Exp", ["second:1"], T=FLOAT),
            node("merge", "Merge", ["a", "b", "c"], T=FLOAT, N=3),
        )
    )

    (merge,) = [one for one in made.node if one.name == "merge"]
    assert (merge.op, list(merge.input), merge.attr["N"].i) == ("Merge", ["b", "c"], 2)


def test_an_update_that_the_outputs_see_stays():
    """The one of an average goes, the one of a counter that is read afterwards does not."""
    before = meta(
        placeholder("x", FLOAT, []),
        node("average", "VariableV2", dtype=FLOAT),
        node("count", "VariableV2", dtype=FLOAT),
        node("move", "AssignSub", ["average", "x"], T=FLOAT),
        node("more", "AssignAdd", ["count", "x"], T=FLOAT),
        node("both", "NoOp", ["^move"]),
        node("read", "Identity", ["count", "^more"], T=FLOAT),
        node("y", "Add", ["x", "read", "^both"], T=FLOAT),
    )

    repaired = without_updates(before, ["y:0"])

    found = edges(repaired.meta_graph.graph_def)
    assert found["y"][1] == ["x", "read"]
    assert found["read"][1] == ["count", "^more"]
    assert repaired.said == "the outputs no longer change 1 variable: average"
    assert without_updates(before, ["read:0"]).meta_graph is before


@pytest.mark.parametrize(("share", "goes"), [(0.0, True), (0.1, False)])
def test_an_update_by_nothing_goes(share, goes):
    """Where training is switched off, averages are moved by a share of zero."""
    before = meta(
        placeholder("x", FLOAT, []),
        node("average", "VariableV2", dtype=FLOAT),
        node("old", "Identity", ["average"], T=FLOAT),
        const("one", 1.0),
        const("momentum", 1.0 - share),
        node("decay", "Sub", ["one", "momentum"], T=FLOAT),
        node("delta", "Sub", ["old", "x"], T=FLOAT),
        node("by", "Mul", ["delta", "decay"], T=FLOAT),
        node("move", "AssignSub", ["average", "by"], T=FLOAT),
        node("y", "Add", ["x", "old", "^move"], T=FLOAT),
    )

    repaired = without_updates(before, ["y:0"])

    assert bool(repaired.said) is goes
    assert ("^move" in edges(repaired.meta_graph.graph_def)["y"][1]) is not goes


def test_averages_that_training_ignores():
    """Fused normalisation takes them in training too, where they make no difference."""

    def net(training):
        names = ["x", "gamma", "beta", "mean", "variance"]
        return meta(
            *(placeholder(name, FLOAT, [None]) for name in names[:3]),
            *(node(name, "VariableV2", dtype=FLOAT) for name in names[3:]),
            node("net", "FusedBatchNorm", names, T=FLOAT, is_training=training),
            node("move", "Assign", ["mean", "net:1"], T=FLOAT),
            node("y", "Identity", ["net", "^move"], T=FLOAT),
        )

    assert without_updates(net(training=True), ["y:0"]).said
    assert not without_updates(net(training=False), ["y:0"]).said


def test_constants_whose_values_are_elsewhere_decide_nothing():
    """A lifted constant is not zero because its message is empty."""
    empty = const("training", value=True, dtype=BOOL)
    empty.attr["value"].tensor.ClearField("tensor_content")

    assert folded(conditional(empty))[1] == 0


@pytest.mark.parametrize(("default", "kept"), [(1.0, True), (0.5, False)])
def test_a_switch_with_a_default(default, kept):
    """One that is right already is left alone."""
    before = meta(
        placeholder("x", FLOAT, []),
        const("half", default),
        node("keep_prob", "PlaceholderWithDefault", ["half"], dtype=FLOAT),
        node("y", "Mul", ["x", "keep_prob"], T=FLOAT),
    )

    repaired = with_switches_fixed(before, ["y:0"], ())

    ops = {one.name: one.op for one in repaired.meta_graph.graph_def.node}
    assert ops["keep_prob"] == ("PlaceholderWithDefault" if kept else "Const")
    assert repaired.feeds == ({} if kept else {"keep_prob:0": 1.0})


def test_what_is_to_stay_an_input_stays():
    """A switch or queue that somebody named, or that no output needs."""
    before = meta(
        placeholder("keep_prob", FLOAT, []),
        node("queue", "FIFOQueueV2", component_types=[FLOAT]),
        node("batch", "QueueDequeueV2", ["queue"], component_types=[FLOAT]),
        node("y", "Mul", ["batch", "keep_prob", "^batch"], T=FLOAT),
    )
    assert with_switches_fixed(before, ["y:0"], {"keep_prob"}).meta_graph is before
    assert with_switches_fixed(before, ["batch:0"], ()).meta_graph is before
    assert with_placeholders(before, ["y:0"], {"batch"}).meta_graph is before
    assert with_placeholders(before, ["keep_prob:0"], ()).meta_graph is before
    found = edges(with_placeholders(before, ["y:0"], ()).meta_graph.graph_def)
    assert found["batch"] == ("Placeholder", [])
    assert found["y"][1] == ["batch", "keep_prob"]


def test_neighbours_in_functions_may_be_arguments():
    """Only a graph itself is refused for what it wants to stand beside."""
    before = meta(node("y", "Neg", ["x"], _class=["loc:@gone", "loc:@x"]))
    inner = before.graph_def.library.function.add().node_def.add(name="inner")
    inner.attr["_class"].list.s.append(b"loc:@argument")
    before.graph_def.node.add(name="x", op="Placeholder")

    repaired = stale.without_strange_neighbours(before)

    (y, _) = repaired.meta_graph.graph_def.node
    assert y.attr["_class"].list.s == [b"loc:@x"]
    assert repaired.meta_graph.graph_def.library == before.graph_def.library
    assert repaired.said.endswith(": gone")


def test_what_nobody_has_to_repair_comes_back_itself():
    """So that a file is written as it was read."""
    before = meta(
        placeholder("x", FLOAT, [None]), node("y", "Neg", ["x"], T=FLOAT, device="/cpu:0")
    )

    for repair in (
        stale.without_devices,
        stale.without_shapes,
        stale.without_strange_neighbours,
        stale.without_unknown_attributes,
    ):
        assert repair(before).meta_graph is before


def test_what_is_wanted():
    """A name counts before the word for all, and that before what is usual."""
    usual, asked = Choice(), Choice.of(["all"], ["dropout"])

    assert [name for name in REPAIRS if usual.makes(name, for_use=False)] == [
        "attributes", "devices", "shapes", "colocation",
    ]  # fmt: skip
    assert usual.makes("queues", for_use=True)
    assert not usual.makes("dropout", for_use=True)
    assert asked.makes("batch-norm", for_use=False)
    assert not asked.makes("dropout", for_use=True)
    assert Choice.of([], ["all"]).cuts is False
    assert Choice.of(["updates"], []).cuts
    with pytest.raises(UsageError, match="'queues' is asked for and refused"):
        Choice.of(["queues"], ["queues"])
    with pytest.raises(UsageError, match="no repair is called drouput"):
        Choice.of(["drouput"], [])


def test_every_repair_is_documented():
    """The table of the docs is that of the code."""
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \| (.*) \|$", page.split("## Repairs")[1], re.M)

    stated = [(one.name, one.summary, one.when) for one in REPAIRS.values()]
    assert rows[: len(stated)] == stated


def test_a_variable_of_two_nodes_is_one():
    """A change by one node is seen by who reads the other, where both share a name."""
    before = meta(
        *(node(f"h{n}", "VarHandleOp", dtype=FLOAT, shared_name="v") for n in (1, 2)),
        const("one", 1.0),
        node("up", "AssignAddVariableOp", ["h1", "one"], dtype=FLOAT),
        node("read", "ReadVariableOp", ["h2", "^up"], dtype=FLOAT),
        node("y", "Neg", ["read"], T=FLOAT),
    )

    assert without_updates(before, ["y:0"]).meta_graph is before
