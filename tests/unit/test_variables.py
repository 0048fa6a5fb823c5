"""Variables are listed so that every loader finds them."""

import numpy as np
import pytest

from zoo import listed, variables
from zoo.graph import by_name
from zoo.listed import ALL, TRAINABLE
from zoo.nodes import node
from zoo.protos import MetaGraphDef
from zoo.samples import FLOAT, sample_model
from zoo.tensors import ArrayTensor
from zoo.weights import Weights

NOTHING = Weights({})


@pytest.fixture
def bare():
    """Return a graph with a resource variable and a reference variable, listed nowhere."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.node.append(variables.handle("w", FLOAT, (2, 3)))
    meta_graph.graph_def.node.append(node("bn/moving_mean", "VariableV2", dtype=FLOAT))
    return meta_graph


def test_declared_variables_have_all_that_they_need(bare):
    """Initializer, initial value and reading node are there, and zeros of any size are small."""
    variables.declare(bare, {"w": (1 << 20, 3), "bn/moving_mean": ()}, {"w"})
    nodes = by_name(bare.graph_def)

    entries = listed.definitions(bare)
    assert list(entries) == ["w", "bn/moving_mean"]
    for entry in entries.values():
        for name in (entry.initializer_name, entry.initial_value_name, entry.snapshot_name):
            assert name.partition(":")[0] in nodes
    assert (entries["w"].is_resource, entries["w"].trainable) == (True, True)
    assert (entries["bn/moving_mean"].is_resource, entries["bn/moving_mean"].trainable) == (
        False,
        False,
    )
    assert list(listed.definitions(bare, TRAINABLE)) == ["w"]
    assert bare.ByteSize() < 2000


def test_declaring_twice_changes_nothing():
    """What is listed and stands is left as it is."""
    meta_graph = MetaGraphDef()
    meta_graph.CopyFrom(sample_model().meta_graph)
    before = meta_graph.SerializeToString(deterministic=True)

    variables.declare(
        meta_graph, {"dense/kernel": (3, 2), "dense/bias": (2,)}, {"dense/kernel", "dense/bias"}
    )

    assert meta_graph.SerializeToString(deterministic=True) == before


def test_the_collection_says_what_trains():
    """A graph with a collection of trainable variables means what it says."""
    meta_graph = MetaGraphDef()
    meta_graph.CopyFrom(sample_model().meta_graph)
    del meta_graph.collection_def[TRAINABLE].bytes_list.value[1:]

    assert variables.trainable(meta_graph, ["dense/kernel", "dense/bias"], NOTHING) == {
        "dense/kernel"
    }


def add_object(meta_graph, local_name, trained):
    """Add a variable below the root of the object graph, and return its key in a checkpoint."""
    nodes = meta_graph.object_graph_def.nodes
    root = nodes[0] if nodes else nodes.add()
    root.children.add(node_id=len(nodes), local_name=local_name)
    saved = nodes.add()
    saved.variable.name, saved.variable.trainable = "kernel", trained
    return f"{local_name}/.ATTRIBUTES/VARIABLE_VALUE"


def test_the_object_graph_says_what_trains(bare):
    """TensorFlow 2 marks its variables in the object graph: found by key, for names may be one."""
    bare.graph_def.node.append(variables.handle("w_1", FLOAT, ()))
    keys = {"w": add_object(bare, "first", False), "w_1": add_object(bare, "second", True)}
    one = ArrayTensor.of(np.float32(1))
    weights = Weights({"w": one, "w_1": one}, keys)

    assert variables.trainable(bare, ["w", "w_1"], weights) == {"w_1"}


def test_what_the_object_graph_does_not_know_is_judged_by_itself(bare):
    """A handle without an object; and what an optimizer keeps is never trained."""
    add_object(bare, "other", False)
    slot = "w/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE"
    bare.graph_def.node.append(variables.handle("slot", FLOAT, ()))
    weights = Weights({"slot": ArrayTensor.of(np.float32(1))}, {"slot": slot})

    assert variables.trainable(bare, ["w", "slot"], weights) == {"w"}


def test_without_a_word_numbers_train_but_statistics_do_not(bare):
    """Floats are trained; what batch normalisation keeps is not; integers are not."""
    bare.graph_def.node.append(node("step", "VariableV2", dtype=variables.dtypes.INT32))

    assert variables.trainable(bare, ["w", "bn/moving_mean", "step"], NOTHING) == {"w"}


def test_leaving_the_object_graph_keeps_what_it_said(bare):
    """Once a graph is edited, its collections say what its objects said."""
    key = add_object(bare, "w", False)
    weights = Weights({"w": ArrayTensor.of([[1.0]])}, {"w": key})

    edited = variables.detached(bare, weights)

    assert not edited.object_graph_def.nodes
    assert list(listed.definitions(edited)) == ["w"]
    assert variables.trainable(edited, ["w"], weights) == set()
    assert bare.object_graph_def.nodes


def test_collections_of_other_things_are_passed_over(bare):
    """A collection whose name looks like variables may hold anything."""
    bare.collection_def["hyper_variables"].bytes_list.value.append(b"\xff\xfe not a VariableDef")

    assert listed.all_definitions(bare) == {}
    assert ALL not in bare.collection_def
