"""Weights in half precision: which ones, piece by piece, and what is refused."""

import numpy as np
import pytest

from zoo import dtypes, mapped
from zoo.errors import UnsupportedError, UsageError
from zoo.half_precision import HalvedTensor, changes
from zoo.model import Model
from zoo.nodes import node, placeholder
from zoo.protos import MetaGraphDef
from zoo.samples import FLOAT, sample_model
from zoo.tensors import ArrayTensor, FilledTensor, Tensor

HALF, BRAIN = dtypes.named("float16"), dtypes.named("bfloat16")


class Pieces(Tensor):
    """A tensor that comes in pieces of an odd length, and is never read whole."""

    def __init__(self, values, length):
        self.values, self.length = values, length
        self.dtype, self.shape = dtypes.of_array(values), values.shape

    def read(self):
        pytest.fail("the whole tensor is read")

    def chunks(self):
        data = self.values.tobytes()
        for start in range(0, len(data), self.length):
            yield data[start : start + self.length]


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("source", [np.float32, np.float64])
@pytest.mark.parametrize("length", [1, 3, 8, 1000])
def test_pieces_may_end_anywhere(kind, source, length):
    """The bytes are those of the values rounded at once."""
    values = np.array([1 / 3, -0.0, np.inf, -np.inf, 1e-9, 65504, 2049], source)
    dtype = dtypes.named(kind)

    data = HalvedTensor(Pieces(values, length), dtype, "w").tobytes()

    assert data == values.astype(dtype.numpy).tobytes()


def test_not_a_number_stays_one():
    """And infinities that were there are no overflow."""
    values = np.array([np.nan, np.inf], np.float32)

    rounded = HalvedTensor(ArrayTensor.of(values), HALF, "w").read()

    assert np.array_equal(rounded, values, equal_nan=True)


def test_no_more_than_a_piece_is_held():
    """A weight of any size streams."""
    large = HalvedTensor(FilledTensor(b"\0\0\x80\x3f", FLOAT, (1 << 20, 8)), BRAIN, "w")

    sizes = [len(piece) for piece in large.chunks()]

    assert sum(sizes) == large.nbytes == 16 << 20
    assert max(sizes) <= mapped.CHUNK


@pytest.mark.parametrize(("kind", "value"), [("float16", 65520), ("bfloat16", 3.4e38)])
def test_a_value_that_is_too_large(kind, value):
    """Named, in whichever piece it is."""
    values = np.zeros(100, np.float32)
    values[77] = -value
    halved = HalvedTensor(Pieces(values, 16), dtypes.named(kind), "dense/kernel")

    with pytest.raises(UnsupportedError, match="'dense/kernel'") as caught:
        list(halved.chunks())

    assert f"{-value:g}" in caught.value.found
    assert bool(caught.value.hint) == (kind == "float16")


def normalised():
    """Return a net with batch normalisation whose statistics have no names that tell."""
    graph = MetaGraphDef()
    names = ["scale", "offset", "unknown_1", "unknown_2"]
    graph.graph_def.node.append(placeholder("x", FLOAT, [None, 2, 2, 3]))
    for name in names:
        graph.graph_def.node.append(node(name, "Const", dtype=FLOAT))
        graph.graph_def.node.append(node(f"{name}/read", "Identity", [name], T=FLOAT))
    reads = [f"{name}/read" for name in names]
    made = node("y", "FusedBatchNormV3", ["x", *reads], T=FLOAT, U=FLOAT, is_training=False)
    graph.graph_def.node.append(made)
    graph.graph_def.node.append(node("z", "Identity", ["y"], T=FLOAT))
    return Model(graph, {name: np.full(3, 1e-9, "f") for name in names})


def test_statistics_stay():
    """A variance is told by its use where its name does not say it."""
    model = normalised()

    halved = model.with_weights_as("float16")

    assert kinds_of(halved) == {
        "scale": "float16", "offset": "float16", "unknown_1": "float32", "unknown_2": "float32",
    }  # fmt: skip
    told = changes(model.weights, halved.weights)
    assert told[0] == "2 weights stored as float16, cast back where used"
    assert told[1].endswith(": unknown_1, unknown_2")


def test_what_is_stored_in_half_precision_already():
    """Nothing is changed, and the model is the same."""
    half = normalised().with_weights_as("float16")

    again = half.with_weights_as("bfloat16")

    assert again.weights is half.weights
    assert again.meta_graph == half.meta_graph


def test_scalars_stay():
    """They weigh nothing, and may be an epsilon or a rate."""
    model = sample_model(
        bias=ArrayTensor.of(np.float32(1)), kernel=ArrayTensor.of(np.ones((3, 2), "f"))
    )

    halved = model.with_weights_as("float16")

    assert halved.weights.tensor("dense/bias").dtype is FLOAT
    assert halved.weights.tensor("dense/kernel").dtype is HALF


def kinds_of(model):
    """Return the names of the dtypes in which the weights of `model` are stored."""
    return {name: str(model.weights.tensor(name).dtype) for name in model.weights}


def test_an_assignment_whose_result_is_used(tmp_path):
    """Such a reference is the variable itself, which somebody reads after it was changed."""
    model = sample_model()
    model.graph.node.append(node("after", "Identity", ["dense/kernel/Assign"], T=FLOAT))

    assert kinds_of(model.with_weights_as("float16")) == {
        "dense/kernel": "float32",
        "dense/bias": "float16",
    }


def test_a_weight_that_is_an_output():
    """What a signature says of its dtype stays true."""
    model = sample_model().with_signature({"x": "x:0"}, {"kernel": "dense/kernel:0"})

    assert kinds_of(model.with_weights_as("float16"))["dense/kernel"] == "float32"


def test_a_value_that_is_read_for_an_output():
    """It is cast back, under the name that the output has."""
    model = sample_model().with_signature({"x": "x:0"}, {"kernel": "dense/kernel/read:0"})

    halved = model.with_weights_as("float16")

    nodes = {made.name: made for made in halved.graph.node}
    assert kinds_of(halved)["dense/kernel"] == "float16"
    assert (nodes["dense/kernel/read"].op, nodes["dense/kernel/read/half"].op) == (
        "Cast",
        "Identity",
    )


def test_the_model_stays_as_it_was():
    """An edit is a new model."""
    model = sample_model()
    before = model.meta_graph.SerializeToString(deterministic=True)

    model.with_weights_as("bfloat16")

    assert model.meta_graph.SerializeToString(deterministic=True) == before


def test_weights_without_a_graph():
    """Nobody would cast them back."""
    with pytest.raises(UnsupportedError, match="without a graph"):
        Model(MetaGraphDef(), {"w": np.ones(3, "f")}).with_weights_as("float16")


def test_another_dtype():
    """Is no half precision."""
    with pytest.raises(UsageError, match="'int8'"):
        sample_model().with_weights_as("int8")


def test_tables_that_are_restored_with_the_weights():
    """A new saver would leave them empty, in silence."""
    model = sample_model()
    text = dtypes.STRING
    keys = {"key_dtype": text, "value_dtype": FLOAT}
    parts = {"Tin": text, "Tout": FLOAT}
    model.graph.node.extend(
        [
            node("prefix", "Placeholder", dtype=text),
            node("table", "MutableHashTableV2", **keys),
            whole_text("names", [b"table-keys", b"table-values"]),
            whole_text("slices", [b"", b""]),
            node("stored", "RestoreV2", ["prefix", "names", "slices"], dtypes=[text, FLOAT]),
            node("filled", "LookupTableImportV2", ["table", "stored", "stored:1"], **parts),
            node("restore_all", "NoOp", ["^filled"]),
        ]
    )
    model.meta_graph.saver_def.restore_op_name = "restore_all"

    with pytest.raises(UnsupportedError, match="tables"):
        model.with_weights_as("float16")


def whole_text(name, values):
    """Return a constant of several texts."""
    return node(name, "Const", dtype=dtypes.STRING, value=ArrayTensor.of(np.array(values, object)))
