"""Other shapes for inputs: what the graph contradicts is refused, what was inferred goes."""

import numpy as np
import pytest

import zoo
from zoo import protos
from zoo.errors import InputError, UnknownNameError, UnsupportedError
from zoo.graph_file import write
from zoo.input_shapes import changes
from zoo.model import Model
from zoo.nodes import Dims, node, placeholder, whole_numbers
from zoo.samples import FLOAT


def averages(tmp_path, shape, *, reshape=None):
    """Return a frozen graph that averages `x`, reshaped if asked for, over its second axis."""
    graph = protos.GraphDef()
    graph.versions.producer = 1000
    graph.node.append(placeholder("x", FLOAT, shape))
    taken = "x"
    if reshape is not None:
        graph.node.append(whole_numbers("sizes", reshape))
        graph.node.append(node("flat", "Reshape", ["x", "sizes"], T=FLOAT))
        taken = "flat"
    graph.node.append(whole_numbers("axes", [1]))
    mean = node("y", "Mean", [taken, "axes"], T=FLOAT, keep_dims=False)
    mean.attr["_output_shapes"].list.shape.add().dim.add(size=7)
    graph.node.append(mean)
    write(tmp_path / "net.pb", graph, Model(protos.MetaGraphDef(graph_def=graph), {}).weights)
    return tmp_path / "net.pb"


def test_sizes_of_outputs_that_may_be_others_are_left_open(tmp_path):
    """A signature that stated a size because of the old input does not state it any more."""
    model = zoo.load(averages(tmp_path, [7, 5])).with_signature({"x": "x:0"}, {"y": "y:0"})
    assert model.signature().outputs["y"].shape == (7,)

    assert model.with_shapes({"x": (2, 5)}).signature().outputs["y"].shape == (None,)
    assert model.with_shapes({"x": (7, 5)}).signature().outputs["y"].shape == (7,)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((1, 8, 8), "(?, 8, 8, 1), which has 4 axes"),
        ((1, 8, 8, 3), "Conv2D 'conv1_1/Conv2D' with 1 there"),
        ((1 << 40, 1 << 40, 8, 1), "no memory"),
        ((-2, 8, 8, 1), "(-2, 8, 8, 1)"),
        ((1.5, 8, 8, 1), "(1.5, 8, 8, 1)"),
        ((True, 8, 8, 1), "(True, 8, 8, 1)"),
    ],
)
def test_a_shape_that_the_graph_contradicts(sizes, words):
    """Rank, channels, what no memory holds, what is no size."""
    model = zoo.load("vgg-digits")
    if sizes[-1] == 3:
        model = model.with_shapes({"images": (None, None, None, 1)})

    with pytest.raises(InputError) as caught:
        model.with_shapes({"images": sizes})

    assert words in caught.value.found


@pytest.mark.parametrize(
    ("reshape", "sizes", "fits"),
    [
        ([2, 10], (4, 5), True),
        ([2, 10], (2, 5), False),
        ([-1, 5], (3, 5), True),
        ([-1, 10], (3, 5), False),
        ([2, 10], (None, 5), True),
        ([-1, 0], (0, 5), True),
        ([-1, 0], (3, 5), False),
    ],
)
def test_a_reshape_of_the_input_to_fixed_sizes(tmp_path, reshape, sizes, fits):
    """As many values must come as are wanted, where both are known."""
    model = zoo.load(averages(tmp_path, [None, None], reshape=reshape))

    if fits:
        model.with_shapes({"x": sizes})
        return
    with pytest.raises(InputError, match="cannot have the shape"):
        model.with_shapes({"x": sizes})


def test_an_input_with_a_default(tmp_path):
    """The default must have the new shape too."""
    graph = protos.GraphDef()
    graph.node.append(whole_numbers("default", [1, 2]))
    kind = protos.NodeDef.FromString(graph.node[0].SerializeToString()).attr["dtype"].type
    made = node("x", "PlaceholderWithDefault", ["default"], shape=Dims([2]))
    made.attr["dtype"].type = kind
    graph.node.append(made)
    model = Model(protos.MetaGraphDef(graph_def=graph), {})

    model.with_shapes({"x": (None,)})
    with pytest.raises(InputError, match="cannot have the shape") as caught:
        model.with_shapes({"x": (3,)})

    assert "default" in caught.value.found


def test_no_such_input():
    """The names that there are, and the nearest."""
    with pytest.raises(UnknownNameError) as caught:
        zoo.load("vgg-digits").with_shapes({"image": (1, 8, 8, 1)})

    assert caught.value.found == "images"
    assert "'images'" in caught.value.hint


def test_what_was_inferred_is_forgotten_in_functions_too(tmp_path):
    """Shapes of arguments and of results, as tracing noted them."""
    model = zoo.load(averages(tmp_path, [7, 5]))
    function = model.graph.library.function.add()
    function.signature.name = "body"
    function.signature.input_arg.add(name="a", type=1)
    function.attr["_input_shapes"].list.shape.add()
    function.arg_attr[0].attr["_output_shapes"].list.shape.add()
    inner = function.node_def.add(name="n", op="Neg", input=["a"])
    inner.attr["_output_shapes"].list.shape.add()
    loop = model.graph.node.add(name="loop", op="While", input=["x"])
    loop.attr["body"].func.name = loop.attr["cond"].func.name = "body"
    loop.attr["output_shapes"].list.shape.add().dim.add(size=7)

    graph = model.with_shapes({"x": (2, 5)}).graph

    (function,) = graph.library.function
    assert "_input_shapes" not in function.attr
    assert dict(function.arg_attr[0].attr) == {}
    assert dict(function.node_def[0].attr) == {}
    nodes = {node.name: node for node in graph.node}
    assert "_output_shapes" not in nodes["y"].attr
    assert list(nodes["loop"].attr["output_shapes"].list.shape) == []


def test_only_a_fixed_size_that_changed_is_told(tmp_path):
    """To fix an open axis, or to leave the size as it was, is what was asked for."""
    for shape, sizes, count in (([None, 5], (2, 5), 0), ([7, 5], (7, 5), 0), ([7, 5], (0, 5), 1)):
        model = zoo.load(averages(tmp_path, shape))

        assert len(changes(model.meta_graph, model.with_shapes({"x": sizes}).meta_graph)) == count


def product(shape=None, **attributes):
    """Return a model that multiplies `x` by a kernel of 5 rows and 2 columns."""
    graph = protos.GraphDef()
    graph.node.extend(
        [
            node("x", "Placeholder", dtype=FLOAT, **({} if shape is None else {"shape": shape})),
            node("w", "VariableV2", dtype=FLOAT, shape=Dims([5, 2])),
            node("y", "MatMul", ["x", "w"], T=FLOAT, **attributes),
        ]
    )
    return Model(protos.MetaGraphDef(graph_def=graph), {"w": np.zeros((5, 2), np.float32)})


def test_what_meets_the_kernel_is_the_last_axis_as_it_lies():
    """Not where the input is turned first, nor where it has another rank than anybody knows."""
    product().with_shapes({"x": (7, 5)})
    product(transpose_a=True).with_shapes({"x": (5, 7)})
    product().with_shapes({"x": (3, 5, 7)})
    with pytest.raises(InputError, match="cannot have the shape 5,7"):
        product(transpose_a=False).with_shapes({"x": (5, 7)})


def test_channels_in_groups():
    """A convolution takes several times the channels of its kernel, if its outputs divide so."""
    graph = protos.GraphDef()
    graph.node.extend(
        [
            placeholder("x", FLOAT, [None, None, None, None]),
            node("w", "VariableV2", dtype=FLOAT, shape=Dims([1, 1, 2, 4])),
            node("y", "Conv2D", ["x", "w"], T=FLOAT, padding="SAME"),
        ]
    )
    weights = {"w": np.zeros((1, 1, 2, 4), np.float32)}
    model = Model(protos.MetaGraphDef(graph_def=graph), weights)

    for channels in (2, 4, 8):
        model.with_shapes({"x": (1, 8, 8, channels)})
    for channels in (1, 3, 6):
        with pytest.raises(InputError, match="cannot have the shape"):
            model.with_shapes({"x": (1, 8, 8, channels)})


def test_an_input_of_several_tensors_has_no_shape(tmp_path):
    """A sparse one is fed as three."""
    model = zoo.load(averages(tmp_path, [7, 5])).with_signature({"x": "x:0"}, {"y": "y:0"})
    sparse = model.meta_graph.signature_def["serving_default"].inputs["s"].coo_sparse
    sparse.values_tensor_name = sparse.indices_tensor_name = "x:0"
    sparse.dense_shape_tensor_name = "y:0"

    with pytest.raises(UnsupportedError, match="several tensors"):
        model.with_shapes({"s": (1, 5)})
