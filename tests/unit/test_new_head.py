"""A last layer of another width: which weights are new, what follows it, what is asked."""

import numpy as np
import pytest

import zoo
from zoo import dtypes, protos
from zoo.errors import UsageError
from zoo.new_head import head_of, with_new_head
from zoo.nodes import Integers, node, placeholder, whole_number, whole_numbers
from zoo.weights import Weights

FLOAT = dtypes.named("float32")
INT = dtypes.INT32


def dense(name, features, *, flipped=False):
    """Return a dense layer of five inputs, its weights constants."""
    return [
        node(f"{name}/kernel", "Const", dtype=FLOAT),
        node(f"{name}/bias", "Const", dtype=FLOAT),
        node(name, "MatMul", [features, f"{name}/kernel"], T=FLOAT, transpose_b=flipped),
        node(f"{name}/add", "BiasAdd", [name, f"{name}/bias"], T=FLOAT),
    ]


def model(*after, flipped=False, signature=None):
    """Return a net with one layer of ten outputs, and what is put behind it."""
    nodes = [placeholder("x", FLOAT, [None, 5]), *dense("last", "x", flipped=flipped), *after]
    shape = (10, 5) if flipped else (5, 10)
    weights = {"last/kernel": np.ones(shape, np.float32), "last/bias": np.ones(10, np.float32)}
    made = zoo.Model(
        protos.MetaGraphDef(graph_def=protos.GraphDef(node=nodes)), Weights.of(weights)
    )
    return made if signature is None else made.with_signature({"x": "x:0"}, signature)


def ops(made):
    return {one.name: one.op for one in made.graph.node}


def test_the_weights_are_new_and_called_as_before():
    """A kernel from Glorot's interval, a bias of zeros; the same seed draws the same."""
    before = zoo.load("vgg-digits")

    after = before.replace_head(2)

    assert after.weights["fc8/kernel"].shape == (before.weights["fc8/kernel"].shape[0], 2)
    assert after.weights["fc8/bias"].tolist() == [0, 0]
    limit = np.sqrt(6 / sum(after.weights["fc8/kernel"].shape))
    assert 0 < np.abs(after.weights["fc8/kernel"]).max() <= limit
    again, other = before.replace_head(2), before.replace_head(2, seed=1)
    assert after.weights["fc8/kernel"].tobytes() == again.weights["fc8/kernel"].tobytes()
    assert after.weights["fc8/kernel"].tobytes() != other.weights["fc8/kernel"].tobytes()
    for name in set(before.weights) - {"fc8/kernel", "fc8/bias"}:
        assert after.weights[name].tobytes() == before.weights[name].tobytes()
    assert str(after.signature().outputs["probabilities"]) == "float32 (?, 2)"


def test_a_head_without_bias():
    """The layer itself is none that comes after it: outputs keep their names."""
    nodes = [
        placeholder("x", FLOAT, [None, 5]),
        node("kernel", "Const", dtype=FLOAT),
        node("last", "MatMul", ["x", "kernel"], T=FLOAT),
        node("prob", "Softmax", ["last"], T=FLOAT),
    ]
    weights = Weights.of({"kernel": np.ones((5, 10), np.float32)})
    graph = protos.MetaGraphDef(graph_def=protos.GraphDef(node=nodes))

    made = with_new_head(graph, weights, 2, ["prob:0"])

    assert made.notes == ()
    assert [one.name for one in made.meta_graph.graph_def.node] == ["x", "kernel", "last", "prob"]


def test_a_kernel_that_is_turned():
    """Its width is its first axis."""
    after = model(flipped=True).replace_head(3)

    assert after.weights["last/kernel"].shape == (3, 5)
    assert head_of(after.meta_graph, after.weights).outputs == 3


@pytest.mark.parametrize(
    ("outputs", "activation", "found"),
    [
        (3, None, "Softmax"),
        (1, None, "Sigmoid"),
        (3, "sigmoid", "Sigmoid"),
        (3, "none", "Identity"),
    ],
)
def test_what_follows_the_logits(outputs, activation, found):
    """A softmax stays one, but over one output, where it would be 1 for ever."""
    before = model(node("y", "Softmax", ["last/add"], T=FLOAT), signature={"y": "y:0"})

    assert ops(before.replace_head(outputs, activation=activation))["y"] == found
    with pytest.raises(UsageError, match="is always 1"):
        before.replace_head(1, activation="softmax")


def test_an_activation_where_there_was_none():
    """It is put behind the logits, and the signature puts it out."""
    after = model(signature={"y": "last/add:0"}).replace_head(2, activation="softmax")

    assert after.signature().outputs["y"].tensor == "probabilities:0"
    assert ops(after)["probabilities"] == "Softmax"


def test_what_bends_the_logits_goes():
    """As in a net that ends in a Relu and the number of a class: the logits are put out besides."""
    before = model(
        node("relu", "Relu", ["last/add"], T=FLOAT),
        whole_number("axis", 1),
        node("y", "ArgMax", ["relu", "axis"], T=FLOAT, Tidx=INT, output_type=INT),
        signature={"class": "y:0"},
    )

    made = with_new_head(before.meta_graph, before.weights, 2, before.outputs())

    after = zoo.Model(made.meta_graph, made.weights)
    assert ops(after)["relu"] == "Identity"
    assert after.signature().outputs["logits"].tensor == "last/add:0"
    assert after.signature().outputs["class"].tensor == "y:0"
    assert any("Relu relu" in note for note in made.notes)
    assert any("logits" in note for note in made.notes)


def test_forms_of_the_old_width():
    """A reshape and the best five are given the new one."""
    before = model(
        whole_numbers("shape", [-1, 10]),
        node("reshaped", "Reshape", ["last/add", "shape"], T=FLOAT, Tshape=INT),
        node("y", "Softmax", ["reshaped"], T=FLOAT),
        whole_number("k", 5),
        node("best", "TopKV2", ["y", "k"], T=FLOAT, Tindices=INT),
        signature={"y": "y:0", "best": "best:0", "classes": "best:1"},
    )

    nodes = {one.name: one for one in before.replace_head(3).graph.node}

    assert list(nodes[nodes["reshaped"].input[1]].attr["value"].tensor.int_val) == [-1, 3]
    assert list(nodes[nodes["best"].input[1]].attr["value"].tensor.int_val) == [3]


def test_the_best_five_of_three():
    """In the older way, where the number is an attribute."""
    before = model(node("best", "TopK", ["last/add"], T=FLOAT, k=5), signature={"best": "best:0"})

    assert [one.attr["k"].i for one in before.replace_head(3).graph.node if one.name == "best"] == [
        3
    ]
    assert [one.attr["k"].i for one in before.replace_head(7).graph.node if one.name == "best"] == [
        5
    ]


def test_names_of_classes_that_are_gone():
    """What looks them up is put out no more."""
    before = model(
        node("y", "Softmax", ["last/add"], T=FLOAT),
        whole_number("axis", 1),
        node("number", "ArgMax", ["y", "axis"], T=FLOAT, Tidx=INT, output_type=INT),
        node("table", "HashTableV2", key_dtype=INT, value_dtype=dtypes.STRING),
        node("none", "Const", dtype=dtypes.STRING),
        node("name", "LookupTableFindV2", ["table", "number", "none"], Tin=INT, Tout=dtypes.STRING),
        signature={"y": "y:0", "name": "name:0"},
    )

    made = with_new_head(before.meta_graph, before.weights, 3, before.outputs())

    assert list(zoo.Model(made.meta_graph, made.weights).signature().outputs) == ["y"]
    assert any("old classes: name" in note for note in made.notes)


def test_two_that_may_be_the_head():
    """Both are listed; what --features would say chooses one."""
    before = model(
        *dense("second", "x"),
        signature={"one": "last/add:0", "two": "second/add:0"},
    )
    before = zoo.Model(
        before.meta_graph,
        before.weights.overlay(
            {f"second/{name}": before.weights.tensor(f"last/{name}") for name in ("kernel", "bias")}
        ),
    )

    with pytest.raises(UsageError, match="nobody can tell") as caught:
        before.replace_head(2)

    assert "last/add:0" in caught.value.found
    assert "second/add:0" in caught.value.found
    with pytest.raises(UsageError, match="no last layer takes y"):
        before.replace_head(2, features="y")


def test_features_without_a_head():
    """Zero outputs: what the last layer was given."""
    after = zoo.load("vgg-digits").replace_head(0)

    assert {name: spec.tensor for name, spec in after.signature().outputs.items()} == {
        "features": "fc7:0"
    }
    assert "fc8/kernel" not in after.weights
    assert list(after.signature().inputs) == ["images"]
    inner = zoo.load("vgg-digits").with_signature({"i": "images:0"}, {"o": "fc6:0"}, "inner")
    assert list(inner.replace_head(0, features="fc7").signatures) == ["serving_default"]


def test_slots_of_the_old_head_go(fixtures):
    """A net in the middle of training is cut to its outputs: momentum has the old width."""
    after = zoo.load(fixtures / "dotnet-mnist-conv-model").replace_head(2)

    assert not [name for name in after.weights if "Momentum" in name]
    assert after.weights["Variable_9"].shape == (2,)


def test_a_convolution_that_is_the_head():
    """Over places, which are averaged afterwards."""
    nodes = [
        placeholder("x", FLOAT, [None, 4, 4, 6]),
        node("head/kernel", "Const", dtype=FLOAT),
        node("head/bias", "Const", dtype=FLOAT),
        node("head/conv", "Conv2D", ["x", "head/kernel"], T=FLOAT, padding="SAME",
             strides=Integers([1, 1, 1, 1])),
        node("head/add", "BiasAdd", ["head/conv", "head/bias"], T=FLOAT),
        whole_numbers("axes", [1, 2]),
        node("y", "Mean", ["head/add", "axes"], T=FLOAT, Tidx=INT, keep_dims=False),
    ]  # fmt: skip
    weights = {
        "head/kernel": np.ones((1, 1, 6, 9), np.float32),
        "head/bias": np.ones(9, np.float32),
    }
    graph = protos.MetaGraphDef(graph_def=protos.GraphDef(node=nodes))

    after = zoo.Model(graph, Weights.of(weights)).replace_head(4)

    assert after.weights["head/kernel"].shape == (1, 1, 6, 4)
    assert after.weights["head/bias"].shape == (4,)


def test_features_further_back():
    """Their layer becomes the last, and no layer of the old width is left behind it."""
    before = zoo.load("vgg-digits")

    made = with_new_head(before.meta_graph, before.weights, 2, before.outputs(), features="fc6:0")

    after = zoo.Model(made.meta_graph, made.weights)
    assert after.weights["fc7/kernel"].shape == (64, 2)
    assert "fc8/kernel" not in after.weights
    (name,) = after.signature().outputs
    assert name == "probabilities"
    assert ops(after)[after.signature().outputs[name].tensor.partition(":")[0]] == "Softmax"
    assert any("what else there was after it is left out" in note for note in made.notes)
    assert list(after.signature().inputs) == ["images"]
    assert head_of(after.meta_graph, after.weights).outputs == 2
