"""What a model takes and gives, stated or seen."""

import numpy as np
import pytest

from zoo import dtypes, signatures
from zoo.errors import UnknownNameError, UsageError
from zoo.nodes import Dims, node, placeholder
from zoo.protos import MetaGraphDef
from zoo.samples import FLOAT, sample_model
from zoo.specs import TensorSpec
from zoo.tensors import ArrayTensor


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
    "keys",
    [
        ("serving_default", "other"),
        ("default", "other"),
        ("only",),
        ("only", "__saved_model_init_op"),
    ],
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


def test_values_of_several_tensors_name_them_all():
    """A sparse input is three tensors; they are told, not hidden."""
    meta_graph = stating("s")
    info = meta_graph.signature_def["s"].inputs["ids"]
    info.coo_sparse.values_tensor_name = "v:0"
    info.coo_sparse.indices_tensor_name = "i:0"
    info.coo_sparse.dense_shape_tensor_name = "d:0"

    assert signatures.signatures(meta_graph)["s"].inputs["ids"].tensor == "v:0,i:0,d:0"


def test_the_shape_of_a_sparse_input_must_be_given():
    """Its default has an open size, which is no shape; a switch with a default need not be fed."""
    meta_graph = MetaGraphDef()
    int64 = dtypes.named("int64")
    meta_graph.graph_def.node.extend(
        [
            placeholder("sp/values", FLOAT, [None]),
            placeholder("sp/indices", int64, [None, 2]),
            node("sp/open", "Const", dtype=int64, value=ArrayTensor.of(np.array([-1, 4]))),
            node("sp/shape", "PlaceholderWithDefault", ["sp/open"], dtype=int64, shape=Dims([2])),
            node("off", "Const", dtype=FLOAT, value=ArrayTensor.of(np.float32(0))),
            node("rate", "PlaceholderWithDefault", ["off"], dtype=FLOAT, shape=Dims([])),
            node(
                "dense", "SparseToDense", ["sp/indices", "sp/shape", "sp/values", "rate"], T=FLOAT
            ),
        ]
    )

    assert list(signatures.inferred(meta_graph).inputs) == ["sp/values", "sp/indices", "sp/shape"]
