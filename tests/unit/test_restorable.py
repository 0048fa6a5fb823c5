"""Whatever a model is made of, it can be made one that TensorFlow restores."""

from typing import TYPE_CHECKING

import pytest

from zoo.graph import by_name, dangling
from zoo.listed import TRAINABLE, definitions
from zoo.nodes import placeholder
from zoo.protos import MetaGraphDef
from zoo.restorable import changes, restorable, stored_tensors
from zoo.samples import FLOAT, bag_model, odd_weights, sample_model
from zoo.saver import restored

if TYPE_CHECKING:
    from zoo.model import Model

MODELS = {
    "references": sample_model(),
    "frozen": sample_model().freeze(),
    "resources": bag_model({"w": odd_weights()["half"]}),
    "mixed": bag_model({"w": odd_weights()["half"]}).freeze().thaw(),
}


@pytest.mark.parametrize("resources", [False, True])
@pytest.mark.parametrize("kind", sorted(MODELS))
def test_every_weight_is_restored_by_its_name(kind, resources):
    """Variables for all weights, listed, initialized, and in the saver; no edge leads nowhere."""
    model = MODELS[kind]

    meta_graph, weights = restorable(model.meta_graph, model.weights, resources=resources)

    assert {name: stored.key for name, stored in restored(meta_graph).items()} == {
        name: name for name in model.weights
    }
    assert set(definitions(meta_graph)) == set(model.weights) == set(weights)
    assert dangling(meta_graph.graph_def) == ""
    ops = {by_name(meta_graph.graph_def)[name].op for name in weights}
    assert not resources or ops == {"VarHandleOp"}


@pytest.mark.parametrize("resources", [False, True])
def test_what_is_restorable_is_left_alone(resources):
    """A model that went through it once comes back as it is."""
    model = MODELS["references"]
    once = restorable(model.meta_graph, model.weights, resources=resources)

    assert restorable(*once, resources=resources)[0] is once[0]


def test_what_trains_is_remembered():
    """The marks of training go with the weights, through freezing too where use tells them."""
    for model in (MODELS["references"], MODELS["frozen"]):
        meta_graph, _ = restorable(model.meta_graph, model.weights, resources=True)

        assert set(definitions(meta_graph, TRAINABLE)) == {"dense/kernel", "dense/bias"}


def test_old_ways_to_say_any_shape():
    """TensorFlow 2 would read a scalar where an old graph means any shape, and a shape left out."""
    base = MODELS["references"]
    meta_graph = MetaGraphDef()
    meta_graph.CopyFrom(base.meta_graph)
    meta_graph.graph_def.versions.producer = 20
    meta_graph.graph_def.node.append(placeholder("any", FLOAT, []))
    meta_graph.signature_def["s"].inputs["any"].name = "any:0"

    edited, _ = restorable(meta_graph, base.weights, resources=True)
    kept, _ = restorable(meta_graph, base.weights, resources=False)

    assert by_name(edited.graph_def)["any"].attr["shape"].shape.unknown_rank
    assert edited.signature_def["s"].inputs["any"].tensor_shape.unknown_rank
    assert not by_name(kept.graph_def)["any"].attr["shape"].shape.unknown_rank


def test_changes_are_told():
    """A person reads what became of the weights."""
    frozen, sample = MODELS["frozen"], MODELS["references"]

    thawed, _ = restorable(frozen.meta_graph, frozen.weights, resources=True)
    turned, _ = restorable(sample.meta_graph, sample.weights, resources=True)

    assert changes(frozen.meta_graph, thawed) == ["made variables of constants that are weights: 2"]
    assert changes(sample.meta_graph, turned) == [
        "made resource variables of reference variables: 2"
    ]
    assert changes(sample.meta_graph, sample.meta_graph) == []


def test_tensors_of_no_variable_are_stored_too():
    """What a checkpoint holds beside its variables is kept; constants are not stored twice."""
    model = MODELS["references"]
    weights = model.weights.overlay({"extra": odd_weights()["half"]})

    assert sorted(stored_tensors(model.meta_graph, weights)) == [
        "dense/bias",
        "dense/kernel",
        "extra",
    ]
    frozen = model.freeze()
    assert stored_tensors(frozen.meta_graph, frozen.weights) == {}


def test_the_model_itself_is_not_changed():
    """Every edit is on a copy."""
    model: Model = MODELS["frozen"]
    before = model.meta_graph.SerializeToString(deterministic=True)

    restorable(model.meta_graph, model.weights, resources=True)

    assert model.meta_graph.SerializeToString(deterministic=True) == before
