"""What a model takes and gives, stated or seen."""

import pytest

from zoo import signatures
from zoo.errors import UnknownNameError, UsageError
from zoo.nodes import node, placeholder
from zoo.protos import MetaGraphDef
from zoo.signatures import TensorSpec
from zoo.testing import FLOAT, sample_model


def stating(*keys):
    """Return the sample graph with a signature under each of `keys`."""
    meta_graph = MetaGraphDef()
    meta_graph.CopyFrom(sample_model().meta_graph)
    stated = signatures.inferred(meta_graph)
    for key in keys:
        meta_graph.signature_def[key].CopyFrom(signatures.to_proto(stated))
    return meta_graph


def test_a_graph_without_signatures_shows_its_ends():
    """Placeholders go in; what no operation uses but the saver and the initializers comes out."""
    seen = signatures.signature(sample_model().meta_graph)

    assert seen.inputs == {"x": TensorSpec("x:0", FLOAT, (None, 3))}
    assert [spec.tensor for spec in seen.outputs.values()] == ["probabilities:0"]


def test_a_signature_survives_being_written():
    """A signature as a SavedModel has it reads the same."""
    meta_graph = stating("serving_default")

    assert signatures.signatures(meta_graph)["serving_default"] == signatures.inferred(
        sample_model().meta_graph
    )


@pytest.mark.parametrize(
    "keys", [("serving_default", "other"), ("default", "other"), ("only",), ("only", "__saved_model_init_op")]
)
def test_the_one_that_makes_sense_is_taken(keys):
    """The default, Hub's default, or the only one; what TensorFlow keeps for itself is none."""
    assert signatures.signature(stating(*keys)).outputs


def test_several_without_a_default_are_listed():
    """Nobody guesses among equals."""
    with pytest.raises(UsageError) as caught:
        signatures.signature(stating("predict", "classify"))

    assert caught.value.found == "classify, predict"


def test_an_unknown_key_gets_its_neighbours():
    """The keys there are, and the nearest."""
    with pytest.raises(UnknownNameError) as caught:
        signatures.signature(stating("serving_default"), "serving_defualt")

    assert "serving_default" in caught.value.hint


def test_training_parts_are_no_outputs():
    """Gradients, optimizers, summaries and losses that only they use."""
    meta_graph = stating()
    meta_graph.graph_def.node.extend(
        [
            node("gradients/g", "Neg", ["probabilities"], T=FLOAT),
            node("train", "ApplyGradientDescent", ["dense/bias", "x", "gradients/g"], T=FLOAT),
            node("summary", "ScalarSummary", ["x", "probabilities"], T=FLOAT),
            node("lonely", "Const", dtype=FLOAT),
        ]
    )

    found = [output.spec.tensor for output in signatures.found_outputs(meta_graph)]

    assert found == ["probabilities:0"]


@pytest.mark.parametrize(
    ("producer", "sizes", "shape"),
    [(21, [], None), (22, [], ()), (21, [2], (2,)), (22, None, None)],
)
def test_old_placeholders_without_a_shape(producer, sizes, shape):
    """Up to producer 21 a scalar placeholder meant one of any shape."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.versions.producer = producer
    meta_graph.graph_def.node.append(placeholder("x", FLOAT, sizes))

    assert signatures.spec_of(meta_graph.graph_def, "x").shape == shape


def test_shapes_from_hints_and_constants():
    """What the graph says of a shape is used, and nothing is made up."""
    hinted = node("y", "Neg", ["x"], T=FLOAT)
    hinted.attr["_output_shapes"].list.shape.add().dim.add(size=-1)
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.node.extend([hinted, node("z", "Neg", ["x"], T=FLOAT)])

    assert signatures.spec_of(meta_graph.graph_def, "y:0").shape == (None,)
    assert signatures.spec_of(meta_graph.graph_def, "z").shape is None


def test_values_of_several_tensors_name_them_all():
    """A sparse input is three tensors; they are told, not hidden."""
    meta_graph = stating("s")
    info = meta_graph.signature_def["s"].inputs["ids"]
    info.coo_sparse.values_tensor_name = "v:0"
    info.coo_sparse.indices_tensor_name = "i:0"
    info.coo_sparse.dense_shape_tensor_name = "d:0"

    assert signatures.signatures(meta_graph)["s"].inputs["ids"].tensor == "v:0,i:0,d:0"


@pytest.mark.parametrize("tensor", ["nobody:0", "probabilities:7"])
def test_a_tensor_that_is_not_there(tensor):
    """Neither an unknown node nor an output that its operation does not have."""
    with pytest.raises(UnknownNameError):
        signatures.spec_of(sample_model().graph, tensor)


def test_a_specification_says_itself():
    """Dtype and shape, with open axes as question marks."""
    assert str(TensorSpec("x:0", FLOAT, None)) == "float32 unknown shape"
    assert str(TensorSpec("x:0", FLOAT, (None, 3))) == "float32 (?, 3)"
