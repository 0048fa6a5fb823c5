"""Pruning keeps what some tensors need, and a model of it."""

import pytest

from zoo import signatures
from zoo.errors import UnknownNameError
from zoo.listed import definitions
from zoo.model import Model
from zoo.nodes import node
from zoo.protos import MetaGraphDef
from zoo.samples import FLOAT, sample_model


@pytest.fixture
def model():
    """Return the sample model with a signature, a second head and collections."""
    base = sample_model()
    meta_graph = MetaGraphDef()
    meta_graph.CopyFrom(base.meta_graph)
    meta_graph.graph_def.node.append(node("other", "Neg", ["x"], T=FLOAT))
    stated = signatures.named(meta_graph, {"image": "x:0"}, {"p": "probabilities:0"})
    meta_graph.signature_def["serving_default"].CopyFrom(signatures.to_proto(stated))
    meta_graph.collection_def["ends"].node_list.value.extend(["probabilities:0", "other:0"])
    meta_graph.collection_def["gone"].node_list.value.append("probabilities:0")
    meta_graph.collection_def["hyperparameters"].float_list.value.append(0.1)
    meta_graph.collection_def["cond_context"].bytes_list.value.append(b"speaks of nodes")
    return Model(meta_graph, base.weights)


def test_what_is_needed_stays(model):
    """Nodes, weights and listed variables of the rest go; the model itself is as it was."""
    pruned = model.prune(["dense/MatMul"])

    assert "probabilities" not in {n.name for n in pruned.graph.node}
    assert list(pruned.weights) == ["dense/kernel"]
    assert list(definitions(pruned.meta_graph)) == ["dense/kernel"]
    assert "dense/bias" in model.weights


def test_variables_that_stay_can_be_initialized(model):
    """A listed variable has an initializer and a read, though the old ones went."""
    pruned = model.prune(["dense/MatMul"])
    nodes = {n.name for n in pruned.graph.node}

    for entry in definitions(pruned.meta_graph).values():
        assert entry.initializer_name in nodes
        assert entry.snapshot_name.partition(":")[0] in nodes


def test_collections_lose_what_is_gone(model):
    """Lists of nodes are cut, what speaks of nodes otherwise goes, the rest stays."""
    collections = model.prune(["other"]).meta_graph.collection_def

    assert list(collections["ends"].node_list.value) == ["other:0"]
    assert collections["hyperparameters"].float_list.value
    assert not {"gone", "cond_context"} & set(collections)


def test_signatures_follow(model):
    """One that puts out just what is wanted stays; else there is a new one."""
    assert model.prune(["probabilities"]).signature() == model.signature()

    cut = model.prune(["dense/BiasAdd"]).signature()

    assert {key: spec.tensor for key, spec in cut.inputs.items()} == {"image": "x:0"}
    assert {key: spec.tensor for key, spec in cut.outputs.items()} == {
        "dense/BiasAdd": "dense/BiasAdd:0"
    }


def test_pruning_twice_is_pruning_once(model):
    """Nothing more goes the second time."""
    once = model.prune(["dense/MatMul"])

    twice = once.prune(["dense/MatMul"])

    assert {n.name for n in twice.graph.node} == {n.name for n in once.graph.node}


def test_an_unknown_tensor_gets_its_neighbours(model):
    """A slip of the finger is told."""
    with pytest.raises(UnknownNameError) as caught:
        model.prune(["probabilitys"])

    assert "probabilities" in caught.value.hint
