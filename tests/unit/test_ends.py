"""The ends of a graph: its inputs and outputs, seen without a signature."""

from zoo import ends
from zoo.nodes import node, placeholder, text
from zoo.protos import MetaGraphDef
from zoo.samples import FLOAT, sample_model


def extended(*nodes):
    """Return the sample graph with more nodes."""
    meta_graph = MetaGraphDef()
    meta_graph.CopyFrom(sample_model().meta_graph)
    meta_graph.graph_def.node.extend(nodes)
    return meta_graph


def outputs(meta_graph):
    return [output.spec.tensor for output in ends.found_outputs(meta_graph)]


def test_training_parts_are_no_outputs():
    """Gradients, optimizers, summaries, and constants that nobody uses."""
    meta_graph = extended(
        node("gradients/g", "Neg", ["probabilities"], T=FLOAT),
        node("train", "ApplyGradientDescent", ["dense/bias", "x", "gradients/g"], T=FLOAT),
        node("summary", "ScalarSummary", ["x", "probabilities"], T=FLOAT),
        node("lonely", "Const", dtype=FLOAT),
    )

    assert outputs(meta_graph) == ["probabilities:0"]


def test_what_depends_on_the_inputs_comes_first():
    """A value that no input reaches is an output only where there is no other."""
    constant = [text("c", "x"), node("length", "StringLength", ["c"])]
    alone = MetaGraphDef()
    alone.graph_def.node.extend(constant)

    assert outputs(extended(*constant)) == ["probabilities:0"]
    assert outputs(alone) == ["length:0"]
    (why,) = {output.why for output in ends.found_outputs(extended())}
    assert "depends on the inputs" in why


def test_every_loose_end_of_an_operation():
    """All outputs of an operation that nobody uses, but no handles."""
    meta_graph = extended(
        node("both", "Unique", ["x"], T=FLOAT, out_idx=FLOAT),
        node("handle", "TensorArrayV3", ["x"], dtype=FLOAT),
        node("none", "PyFunc", ["x"]),
    )

    assert outputs(meta_graph) == ["probabilities:0", "both:0", "both:1", "handle:1"]


def test_the_placeholders_of_savers_and_assets_are_no_inputs():
    """A path is not what a caller gives."""
    meta_graph = extended(placeholder("path", FLOAT), placeholder("words", FLOAT))
    meta_graph.saver_def.filename_tensor_name = "path:0"
    meta_graph.asset_file_def.add(filename="w").tensor_info.name = "words:0"

    assert [spec.tensor for spec in ends.found_inputs(meta_graph)] == ["x:0"]
