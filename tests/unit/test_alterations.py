"""What is said of alterations: each once, and nothing of what did not happen."""

import numpy as np

import zoo
from zoo import protos
from zoo.alterations import Alterations
from zoo.samples import sample_model
from zoo.tensors import ArrayTensor


def dense():
    """Return a dense layer whose weights fit half precision."""
    return sample_model(*(ArrayTensor.of(np.ones(shape, np.float32)) for shape in ((3, 2), (2,))))


def test_nodes_that_were_not_left_out_are_not_told():
    """A model that only computes loses nothing where it will not train any more."""
    told = ["2 weights stored as float16, cast back where used"]

    for signatures in (True, False):
        assert Alterations(dtype="float16").made(dense(), signatures=signatures)[1] == told


def test_what_trains_is_left_out_where_nothing_will():
    """It would change weights in the precision that they are stored in."""
    model = dense()
    model.graph.node.add(name="less", op="Neg", input=["dense/bias/read"]).attr["T"].type = 1
    step = model.graph.node.add(name="step", op="AssignSub", input=["dense/bias", "less"])
    step.attr["T"].type = 1

    assert Alterations(dtype="float16").made(model, signatures=False)[1] == [
        "training-nodes: left out nodes that the outputs do not need: 2",
        "2 weights stored as float16, cast back where used",
    ]


def test_what_is_written_without_signatures_tells_of_its_graph_itself():
    """A SavedModel's objects cannot follow new names; a frozen graph never had them."""
    meta_graph = protos.MetaGraphDef()
    meta_graph.CopyFrom(dense().with_signature({"x": "x:0"}, {"y": "probabilities:0"}).meta_graph)
    meta_graph.object_graph_def.nodes.add()
    model = zoo.Model(meta_graph, dense().weights)
    renaming = Alterations(outputs={"y": "z"})

    assert renaming.made(model, signatures=False)[1] == []
    (note,) = renaming.made(model, signatures=True)[1]
    assert "object graph" in note
