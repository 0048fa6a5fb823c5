"""Waiting: which calls take from what nothing fills, who would fill it, and what to feed."""

import numpy as np
import pytest

from zoo import waiting, wire
from zoo.cli import run
from zoo.errors import RunError, UsageError
from zoo.graph import by_name
from zoo.nodes import node, placeholder
from zoo.protos import MetaGraphDef
from zoo.samples import FLOAT, sample_model
from zoo.waiting import executed, filled_by, refuse_empty, waits


def queue(*more):
    """Return a graph with a queue that ``y`` takes from, and the nodes `more`."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.node.extend(
        [
            node("queue", "FIFOQueueV2"),
            node("handle", "Identity", ["queue"]),
            node("take", "QueueDequeueV2", ["handle"]),
            node("y", "AddV2", ["take", "take:1"], T=FLOAT),
            node("put", "QueueEnqueueV2", ["queue", "x"]),
            placeholder("x", FLOAT, []),
            *more,
        ]
    )
    return meta_graph


def found(meta_graph, fetch, feeds=(), initial=()):
    """Return what may wait of a call."""
    nodes = by_name(meta_graph.graph_def)
    return waits(nodes, executed(nodes, [fetch], feeds), [], initial)


def test_what_nothing_fills_is_certain():
    """The queue is named, though its handle went through another node; both outputs are offered."""
    one = found(queue(), "y")

    assert one.empty == {"take": "queue"}
    assert one.tensors == ("take:0", "take:1")


@pytest.mark.parametrize(
    ("fetch", "feeds", "initial"),
    [
        ("y", ["take:0", "take:1"], ()),
        ("x", (), ()),
        ("size", (), ()),
    ],
)
def test_calls_that_take_nothing_wait_for_nothing(fetch, feeds, initial):
    """Fed in its place, on another branch, or only looked at."""
    assert found(queue(node("size", "QueueSizeV2", ["queue"])), fetch, feeds).nodes == ()


@pytest.mark.parametrize(
    ("more", "fetch", "initial"),
    [
        (node("z", "Identity", ["take", "^put"], T=FLOAT), "z", ()),
        (node("z", "Identity", ["take", "^close"], T=FLOAT), "z", ()),
        (node("z", "Identity", ["take"], T=FLOAT), "z", ["put"]),
    ],
)
def test_what_the_call_fills_is_not_certain(more, fetch, initial):
    """Filled or closed by the call itself, or when the model was loaded: it only gets a limit."""
    one = found(queue(more, node("close", "QueueCloseV2", ["queue"])), fetch, (), initial)

    assert one.empty == {}
    assert "take" in one.nodes


def test_a_branch_is_not_certain():
    """It may not be taken."""
    switched = [
        node("switch", "Switch", ["queue", "p"]),
        node("inner", "QueueDequeueV2", ["switch:1"]),
        node("other", "Switch", ["x", "p"]),
        node("waiting", "QueueDequeueV2", ["queue", "^other"]),
    ]

    for name in ("inner", "waiting"):
        one = found(queue(*switched), name)
        assert (one.nodes, one.empty) == ((name,), {})


def test_one_output_fed_does_not_spare_the_other():
    """TensorFlow runs a node as long as one output of it is needed; so does who only waits."""
    assert found(queue(), "y", ["take:0"]).tensors == ("take:1",)
    after = queue(node("after", "NoOp", ["^take"]))
    assert found(after, "after", ["take:0"]).empty == {"take": "queue"}
    placed = by_name(queue(node("after", "NoOp", ["^x"])).graph_def)
    assert "x" not in executed(placed, ["after"], ["x"])


@pytest.mark.parametrize(
    ("taker", "filler", "store"),
    [
        (node("t", "ReaderReadV2", ["reader", "queue"]), None, "queue"),
        (node("t", "BarrierTakeMany", ["barrier", "n"]), None, "barrier"),
        (node("t", "Unstage", shared_name="area"), None, "area"),
        (node("t", "Unstage", shared_name="area"), "Stage", None),
        (node("t", "StagePeek", ["n"], shared_name="area"), "Stage", None),
    ],
)
def test_every_kind_of_store(taker, filler, store):
    """Readers take from their queue; a staging area is known by its name alone."""
    more = [node("reader", "TextLineReaderV2"), node("barrier", "Barrier"), taker]
    if filler:
        more.append(node("fill", filler, ["x"], shared_name="area"))
        taker.input.append("^fill")

    assert set(found(queue(*more), "t").empty.values()) == ({store} if store else set())


def test_the_runners_are_named():
    """The collection of queue runners says which operations fill the queue in training."""
    meta_graph = queue()
    runner = wire.field(1, b"queue") + wire.field(2, b"put") + wire.field(3, b"close")
    meta_graph.collection_def["queue_runners"].bytes_list.value.append(runner)

    assert filled_by(meta_graph) == {"queue": ["put"]}
    with pytest.raises(RunError) as caught:
        refuse_empty(meta_graph, found(meta_graph, "y"))

    assert "'queue'" in caught.value.problem
    assert "1 queue runner, put" in caught.value.found
    assert "-i take:0=@x.npy -i take:1=@x.npy" in caught.value.hint
    assert "start_queue_runners" in caught.value.hint


def test_a_damaged_runner_is_passed_over():
    """What nobody can read names nobody."""
    meta_graph = queue()
    meta_graph.collection_def["queue_runners"].bytes_list.value.extend([b"\x0a\xff", b""])

    assert filled_by(meta_graph) == {}
    with pytest.raises(RunError, match="put would fill it"):
        refuse_empty(meta_graph, found(meta_graph, "y"))


def test_functions_are_looked_into():
    """What waits inside of one is no certainty: its call may not come."""
    inner = [node("take", "QueueDequeueV2", ["queue"]), node("reduce", "CollectiveReduceV2")]

    one = waits({}, {}, inner, ())

    assert (one.nodes, one.empty) == (("take", "reduce"), {})


@pytest.mark.parametrize("limit", ["nan", "inf", "-inf", "-1", "0", "1e300", "1.1e9"])
def test_a_limit_that_is_none(limit):
    """TensorFlow would wait for ever, or not at all; the command is told before it begins."""
    with pytest.raises(UsageError, match="the timeout is no number of seconds") as caught:
        waiting.check_limit(float(limit))

    assert caught.value.found == repr(float(limit))
    assert run(["run", "no-such-model", "--timeout", limit]) == 2


@pytest.mark.parametrize("limit", ["5", True, [1.0], 10**400, 1j])
def test_a_limit_that_is_no_number(limit):
    """What Python may be given, but no command."""
    with pytest.raises(UsageError, match="no number of seconds"):
        sample_model().run(None, timeout=limit)


@pytest.mark.parametrize("limit", [None, 1, 0.001, 1e9, np.float32(2), np.int64(3)])
def test_limits(limit):
    """None is no limit of the caller's; any other number is one."""
    waiting.check_limit(limit)
