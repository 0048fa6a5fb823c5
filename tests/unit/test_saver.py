"""A saver says which stored tensor belongs to which variable; it can be taken out and put in."""

import pytest

from zoo import saver
from zoo.errors import FormatError
from zoo.graph import by_name
from zoo.nodes import node, strings
from zoo.protos import MetaGraphDef
from zoo.samples import FLOAT, sample_model
from zoo.saver import Saved, Stored
from zoo.variables import handle

SAVED = [
    Saved("dense/kernel", "renamed/kernel", "dense/kernel", FLOAT, resource=False),
    Saved("dense/bias", "dense/bias", "dense/bias", FLOAT, resource=False),
]


@pytest.fixture
def saved():
    """Return the sample graph with a saver that renames one of its variables."""
    meta_graph = MetaGraphDef()
    meta_graph.CopyFrom(sample_model().meta_graph)
    saver.add_saver(meta_graph, SAVED)
    return meta_graph


def test_a_saver_that_was_added_is_understood(saved):
    """What is restored into each variable is read off the graph, names of its own included."""
    assert saver.restored(saved) == {
        "dense/kernel": Stored("renamed/kernel"),
        "dense/bias": Stored("dense/bias"),
    }
    assert saved.saver_def.restore_op_name == "save/restore_all"


def test_taking_it_out_gives_the_graph_back(saved):
    """Only what nobody but the saver needed goes."""
    bare = saver.without_saver(saved, keep=["probabilities:0"])

    original = {n.name for n in sample_model().graph.node}
    assert {n.name for n in bare.graph_def.node} == original
    assert not bare.HasField("saver_def")


def test_a_read_that_only_the_saver_uses_stays_if_it_is_named():
    """A resource variable's reading node may be listed though nothing else reads it."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.node.append(handle("w", FLOAT, (1,)))
    meta_graph.graph_def.node.append(node("w/read", "ReadVariableOp", ["w"], dtype=FLOAT))
    saver.add_saver(meta_graph, [Saved("w", "w", "w/read", FLOAT, resource=True)])

    kept = saver.without_saver(meta_graph, keep=["w/read:0"])
    gone = saver.without_saver(meta_graph, keep=[])

    assert [n.name for n in kept.graph_def.node] == ["w", "w/read"]
    assert [n.name for n in gone.graph_def.node] == ["w"]


def test_a_scope_that_is_taken_is_left_alone():
    """A model may have nodes under save/ of its own."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.node.append(node("save/mine", "NoOp"))

    saver.add_saver(meta_graph, [])

    assert meta_graph.saver_def.restore_op_name == "save_1/restore_all"


def test_a_graph_without_a_saver_restores_nothing():
    """No saver, no names."""
    assert saver.restored(sample_model().meta_graph) == {}


def test_slices_are_read(saved):
    """A partitioned variable is a part of what is stored."""
    spelled = by_name(saved.graph_def)["save/RestoreV2/shape_and_slices"]
    spelled.CopyFrom(strings(spelled.name, ["2 0,2", "10 4 3,2:-"]))

    assert saver.restored(saved)["dense/kernel"].extents == ((3, 2), None)
    assert saver.restored(saved)["dense/bias"].extents == ((0, 2),)


def test_savers_of_version_one_are_read():
    """Graphs of 2015 restore each variable by an operation of its own."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.node.extend(
        [
            strings("file", ["f"]),
            strings("name", ["stored/w"]),
            node("w", "Variable", dtype=FLOAT),
            node("read", "Restore", ["file", "name"], dt=FLOAT),
            node("assign", "Assign", ["w", "read"], T=FLOAT),
            node("all", "NoOp", ["^assign"]),
        ]
    )
    meta_graph.saver_def.restore_op_name = "all"

    assert saver.restored(meta_graph) == {"w": Stored("stored/w")}


@pytest.mark.parametrize("broken", ["save/RestoreV2/tensor_names", "save/RestoreV2"])
def test_a_damaged_saver_is_a_format_error(saved, broken):
    """Names that are not constant, or fewer of one than of the other."""
    damaged = by_name(saved.graph_def)[broken]
    if damaged.op == "Const":
        damaged.CopyFrom(strings(damaged.name, ["only one"]))
    else:
        damaged.input[1] = "x"

    with pytest.raises(FormatError, match="saver"):
        saver.restored(saved)
