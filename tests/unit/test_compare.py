"""Models compared: equal in every format, and each way to differ is found and named."""

import numpy as np
import pytest

import zoo
import zoo_checkpoint
import zoo_frozen
import zoo_saved_model
from zoo import dtypes, protos
from zoo.compare import compare
from zoo.contrast import Tolerance
from zoo.nodes import Dims, Integers, node, placeholder, whole_number, whole_numbers
from zoo.samples import FLOAT, sample_model
from zoo.tensors import ArrayTensor
from zoo.weights import Weights

FORMS = {"checkpoint": zoo_checkpoint, "frozen": zoo_frozen, "saved_model": zoo_saved_model}
CONV = {"strides": Integers([1, 1, 1, 1]), "padding": "SAME", "T": FLOAT}


def floats(*shape, seed=1):
    """Return numbers that differ from each other."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def net(rename=lambda name: name):
    """Return two convolutions of one shape and the mean over an axis, with a signature."""
    weights = {"one/kernel": floats(3, 3, 2, 2), "two/kernel": floats(3, 3, 2, 2, seed=2)}
    nodes = [
        placeholder("x", FLOAT, [None, 5, 5, 2]),
        *(node(name, "VariableV2", dtype=FLOAT) for name in weights),
        *(node(f"{name}/read", "Identity", [name], T=FLOAT) for name in weights),
        node("one", "Conv2D", ["x", "one/kernel/read"], **CONV),
        node("relu", "Relu", ["one"], T=FLOAT),
        node("two", "Conv2D", ["relu", "two/kernel/read"], **CONV),
        whole_number("axis", 1),
        node("mean", "Mean", ["two", "axis"], T=FLOAT, Tidx=dtypes.INT32),
    ]
    meta_graph = protos.MetaGraphDef()
    meta_graph.graph_def.versions.producer = 27
    for one in nodes:
        copy = meta_graph.graph_def.node.add()
        copy.CopyFrom(one)
        copy.name = rename(one.name)
        copy.input[:] = [rename(edge) for edge in one.input]
        if one.op == "VariableV2":
            sizes = weights[one.name].shape
            copy.attr["shape"].shape.CopyFrom(protos.TensorShapeProto())
            for size in sizes:
                copy.attr["shape"].shape.dim.add(size=size)
    model = zoo.Model(meta_graph, {rename(name): value for name, value in weights.items()})
    return model.with_signature({"x": rename("x:0")}, {"mean": rename("mean:0")})


def edited(change, model=None):
    """Return a model whose graph `change` has changed, given its nodes by name."""
    model = model or net()
    meta_graph = protos.MetaGraphDef()
    meta_graph.CopyFrom(model.meta_graph)
    change({one.name: one for one in meta_graph.graph_def.node}, meta_graph)
    return zoo.Model(meta_graph, model.weights)


def places(found):
    """Return where two graphs differ: kind, node of A, and what."""
    return [(one["kind"], one["a"], one["what"]) for one in found["graph"]["differences"]]


@pytest.mark.parametrize("first", FORMS)
@pytest.mark.parametrize("second", FORMS)
def test_two_files_of_one_model_are_equal(tmp_path, first, second):
    """Whatever the formats: variables of either kind, constants, names kept or made."""
    for make in (net, sample_model):
        model = make()
        for form in {first, second}:
            FORMS[form].save(model, tmp_path / make.__name__ / form)

        a, b = (FORMS[form].load(tmp_path / make.__name__ / form) for form in (first, second))

        found = compare(a, b)
        assert (found["equal"], found["weights"]["equal"]) == (True, 2)


def test_names_and_order_of_nodes_make_no_difference():
    """Weights that are called otherwise are told."""
    other = net(lambda name: f"import/{name}")
    nodes = list(other.graph.node)[::-1]
    other = edited(lambda _, meta: meta.graph_def.node.__delitem__(slice(None)), other)
    other.meta_graph.graph_def.node.extend(nodes)

    found = compare(net(), other)

    assert found["equal"]
    assert found["weights"]["renamed"] == {
        "one/kernel": "import/one/kernel",
        "two/kernel": "import/two/kernel",
    }


def test_one_bit_of_a_weight():
    """It is named, with how much that is and where."""
    values = floats(3, 3, 2, 2)
    values.view(np.uint32)[2, 1, 0, 1] ^= 1
    other = net()
    other = zoo.Model(
        other.meta_graph, other.weights.overlay({"one/kernel": ArrayTensor.of(values)})
    )

    found = compare(net(), other)

    (one,) = found["weights"]["different"]
    assert not found["equal"]
    assert found["graph"]["equal"]
    assert (one["a"], one["at"], one["different"]) == ("one/kernel", [2, 1, 0, 1], 1)
    assert 0 < one["max_abs_diff"] < 1e-6
    near = compare(net(), other, Tolerance(absolute=1e-6))
    assert near["equal"]
    assert [close["a"] for close in near["weights"]["close"]] == ["one/kernel"]


def test_two_weights_of_one_shape_swapped():
    """Their values under each other's names, or the edges that lead from them."""
    one, two = (net().weights.tensor(name) for name in ("one/kernel", "two/kernel"))
    values = zoo.Model(net().meta_graph, Weights({"one/kernel": two, "two/kernel": one}))

    def cross(nodes, _):
        nodes["one"].input[1], nodes["two"].input[1] = "two/kernel/read", "one/kernel/read"

    found = compare(net(), values)
    assert [one["a"] for one in found["weights"]["different"]] == ["one/kernel", "two/kernel"]
    assert not found["equal"]
    found = compare(net(), edited(cross))
    assert places(found) == [("edge", "two", "1"), ("edge", "one", "1")]
    assert not found["equal"]
    both = zoo.Model(edited(cross).meta_graph, values.weights)
    assert compare(net(), both)["equal"]


def stride(nodes):
    nodes["two"].attr["strides"].list.i[1] = 2


def padding(nodes):
    nodes["one"].attr["padding"].s = b"VALID"


def axis(nodes):
    nodes["axis"].attr["value"].tensor.int_val[0] = 2


def operation(nodes):
    nodes["relu"].op = "Elu"


def edge(nodes):
    nodes["two"].input[0] = "one"


def shape(nodes):
    nodes["x"].attr["shape"].shape.dim[0].size = 1


def dtype(nodes):
    nodes["x"].attr["dtype"].type = 2


def fewer(nodes):
    nodes["mean"].input.pop()


CHANGES = [
    (stride, "attribute", "two", "strides"),
    (padding, "attribute", "one", "padding"),
    (axis, "constant", "axis", ""),
    (operation, "operation", "relu", ""),
    (edge, "edge", "two", "0"),
    (shape, "shape", "x", ""),
    (dtype, "attribute", "x", "dtype"),
    (fewer, "inputs", "mean", ""),
]


@pytest.mark.parametrize(
    ("change", "kind", "where", "what"), CHANGES, ids=[one[0].__name__ for one in CHANGES]
)
def test_a_change_of_the_graph_is_found_and_named(change, kind, where, what):
    """That one place, and nothing else."""
    other = edited(lambda nodes, _: change(nodes))

    for first, second in ((net(), other), (other, net())):
        found = compare(first, second)
        assert not found["equal"]
        assert not found["graph"]["equal"]
        assert places(found) == [(kind, where, what)]
        assert found["weights"]["equal"] == 2


def test_names_that_moved_do_not_hide_what_differs():
    """A name that means another node in the other graph is not taken for it."""
    moved = {"one": "two", "two": "three", "one/kernel": "two/kernel", "two/kernel": "three/kernel"}
    moved |= {f"{old}/read": f"{new}/read" for old, new in moved.items()}
    other = net(lambda name: moved.get(name.partition(":")[0], name))
    trained = {name: ArrayTensor.of(other.weights[name] + 1) for name in other.weights}

    found = compare(net(), zoo.Model(other.meta_graph, Weights(trained)))

    assert found["graph"]["equal"]
    assert [(one["a"], one["b"]) for one in found["weights"]["different"]] == [
        ("one/kernel", "two/kernel"),
        ("two/kernel", "three/kernel"),
    ]


def test_an_output_renamed():
    """A caller asks by name."""
    found = compare(net(), net().with_signature({"x": "x:0"}, {"average": "mean:0"}))

    told = [(one["side"], one["name"]) for one in found["signatures"]["differences"]]
    assert told == [("outputs", "average"), ("outputs", "mean")]
    assert not found["equal"]
    assert found["graph"]["equal"]


def test_a_signature_more():
    """Where both state signatures, each is one of the model."""
    more = net().with_signature({"x": "x:0"}, {"relu": "relu:0"}, "inner")

    found = compare(net(), more)

    assert found["signatures"]["only_b"] == ["inner"]
    assert not found["equal"]


def test_an_input_of_another_shape_in_the_signature():
    """An open axis of an input says that any size will do, an unknown shape nothing."""
    closed = protos.MetaGraphDef()
    closed.CopyFrom(net().meta_graph)
    info = closed.signature_def["serving_default"].inputs["x"].tensor_shape
    info.dim[0].size = 1

    assert not compare(net(), zoo.Model(closed, net().weights))["signatures"]["equal"]
    info.unknown_rank = True
    assert compare(net(), zoo.Model(closed, net().weights))["equal"]


def test_an_output_that_the_other_has_not(tmp_path):
    """Of two that state no signature, each output counts; it is named."""
    zoo_frozen.save(net(), tmp_path / "a.pb")
    zoo_frozen.save(net().prune(["two:0"]), tmp_path / "b.pb")

    found = compare(zoo_frozen.load(tmp_path / "a.pb"), zoo_frozen.load(tmp_path / "b.pb"))

    assert not found["equal"]
    assert [one["a"] for one in found["graph"]["differences"]] == ["mean:0"]
    found = compare(zoo_frozen.load(tmp_path / "b.pb"), zoo_frozen.load(tmp_path / "a.pb"))
    assert [one["b"] for one in found["graph"]["differences"]] == ["mean:0"]


def test_weights_that_the_outputs_do_not_need():
    """An optimizer's memory is told, and makes no difference."""
    model = net()
    slots = {
        "one/kernel/Adam": ArrayTensor.of(floats(3, 3, 2, 2)),
        "global_step": ArrayTensor.of(7),
    }

    found = compare(zoo.Model(model.meta_graph, model.weights.overlay(slots)), model)

    assert found["equal"]
    assert [(one["name"], one["needed"]) for one in found["weights"]["only_a"]] == [
        ("global_step", False),
        ("one/kernel/Adam", False),
    ]


def test_weights_without_a_graph():
    """They are compared with those of a model, or with others: names, then values."""
    bare = zoo.Model(protos.MetaGraphDef(), net().weights)

    assert compare(bare, net())["equal"]
    assert compare(bare, net())["graph"] is None
    less = zoo.Model(protos.MetaGraphDef(), net().weights.only(["one/kernel"]))
    assert not compare(less, net())["equal"]
    moved = Weights({"other": net().weights.tensor("one/kernel")})
    found = compare(less, zoo.Model(protos.MetaGraphDef(), moved))
    assert (found["equal"], found["weights"]["renamed"]) == (True, {"one/kernel": "other"})


@pytest.mark.parametrize("name", ["w", "other"])
def test_weights_in_another_form(name):
    """Transposed ones and rounded ones are told as such, under the same name and another."""
    import ml_dtypes

    def bare(key, value):
        return zoo.Model(protos.MetaGraphDef(), Weights({key: ArrayTensor.of(value)}))

    values = floats(2, 3, 4)
    turned = compare(bare("w", values), bare(name, values.transpose(2, 0, 1)))
    assert turned["weights"]["transposed"] == [{"a": "w", "b": name, "axes": [2, 0, 1]}]
    assert not turned["equal"]
    for kind in (np.float16, ml_dtypes.bfloat16):
        (cast,) = compare(bare("w", values), bare(name, values.astype(kind)))["weights"]["cast"]
        assert (cast["a"], cast["b"], cast["rounded"]) == ("w", name, True)
        assert 0 < cast["max_abs_diff"] < 0.1


def loop(step=1):
    """Return a loop of TensorFlow 1 that adds `step` to its variable until the input is reached."""
    nodes = [
        placeholder("limit", dtypes.INT32, []),
        whole_number("zero", 0),
        node("enter", "Enter", ["zero"], T=dtypes.INT32, frame_name="w", is_constant=False),
        node("bound", "Enter", ["limit"], T=dtypes.INT32, frame_name="w", is_constant=True),
        node("merge", "Merge", ["enter", "next"], T=dtypes.INT32, N=2),
        node("less", "Less", ["merge", "bound"], T=dtypes.INT32),
        node("cond", "LoopCond", ["less"]),
        node("switch", "Switch", ["merge", "cond"], T=dtypes.INT32),
        node("body", "Identity", ["switch:1"], T=dtypes.INT32),
        whole_number("step", step),
        node("add", "AddV2", ["body", "step"], T=dtypes.INT32),
        node("next", "NextIteration", ["add"], T=dtypes.INT32),
        node("exit", "Exit", ["switch"], T=dtypes.INT32),
        node("out", "Neg", ["exit"], T=dtypes.INT32),
    ]
    nodes[9].input.append("^body")
    meta_graph = protos.MetaGraphDef()
    meta_graph.graph_def.node.extend(nodes)
    return zoo.Model(meta_graph, {})


def test_a_loop_of_tensorflow_1():
    """Its back edge ends the walk, and a change within it is found."""
    assert compare(loop(), loop())["equal"]
    assert places(compare(loop(), loop(2))) == [("constant", "step", "")]


def both_of(shared):
    """Return the difference of a random number and itself, or of two of them."""
    meta_graph = protos.MetaGraphDef()
    random = {"dtype": FLOAT, "T": dtypes.INT32}
    meta_graph.graph_def.node.extend(
        [
            whole_numbers("shape", [2]),
            node("r", "RandomUniform", ["shape"], **random),
            node("s", "RandomUniform", ["shape"], **random),
            node("out", "Sub", ["r", "r" if shared else "s"], T=FLOAT),
        ]
    )
    return zoo.Model(meta_graph, {})


def test_one_random_number_is_not_two():
    """What has state, and what is fed, is the same only if it is the same node."""
    assert compare(both_of(shared=True), both_of(shared=True))["equal"]
    assert compare(both_of(shared=False), both_of(shared=False))["equal"]
    assert not compare(both_of(shared=True), both_of(shared=False))["equal"]


def counter(*, waits):
    """Return a variable that is counted up before it is read, or is not."""
    meta_graph = protos.MetaGraphDef()
    meta_graph.graph_def.node.extend(
        [
            node("x", "Placeholder", dtype=FLOAT),
            node("v", "VarHandleOp", dtype=FLOAT),
            node("count", "AssignAddVariableOp", ["v", "x"], dtype=FLOAT),
            node("read", "ReadVariableOp", ["v", *(["^count"] if waits else [])], dtype=FLOAT),
            node("out", "Add", ["read", "x"], T=FLOAT),
        ]
    )
    model = zoo.Model(meta_graph, {"v": np.float32(1)})
    return model.with_signature({"x": "x:0"}, {"out": "out:0"})


def test_what_runs_before_counts():
    """A control edge means something where it makes something change."""
    assert compare(counter(waits=True), counter(waits=True))["equal"]
    assert places(compare(counter(waits=True), counter(waits=False))) == [("effects", "out", "")]


def test_what_is_the_default_need_not_be_stated():
    """A writer may leave it out; another value is a difference."""

    def stated(nodes, _):
        nodes["one"].attr["data_format"].s = b"NHWC"
        nodes["one"].attr["_output_shapes"].list.shape.add()
        nodes["one"].device = "/gpu:0"

    def other(nodes, _):
        nodes["one"].attr["data_format"].s = b"NCHW"

    assert compare(net(), edited(stated))["equal"]
    assert places(compare(net(), edited(other))) == [("attribute", "one", "data_format")]


def branch(op="Neg", name="then"):
    """Return an `If` that calls one of two functions."""
    meta_graph = protos.MetaGraphDef()
    functions = [(name, op), ("otherwise", "Abs")]
    for called, kind in functions:
        made = meta_graph.graph_def.library.function.add()
        made.signature.name = called
        made.signature.input_arg.add(name="a", type=1)
        made.signature.output_arg.add(name="b", type=1)
        made.node_def.add().CopyFrom(node("inner", kind, ["a"], T=FLOAT))
        made.ret["b"] = "inner:y:0"
    call = node("out", "If", ["p", "x"], Tcond=dtypes.BOOL, Tin=[FLOAT], Tout=[FLOAT])
    call.attr["then_branch"].func.name = name
    call.attr["else_branch"].func.name = "otherwise"
    nodes = [placeholder("p", dtypes.BOOL, []), placeholder("x", FLOAT, [2]), call]
    meta_graph.graph_def.node.extend(nodes)
    return zoo.Model(meta_graph, {})


def test_functions_are_what_their_bodies_are():
    """Their names make no difference; an operation within does."""
    assert compare(branch(), branch(name="renamed"))["equal"]
    assert places(compare(branch(), branch("Exp"))) == [("operation", "inner", "")]


def test_a_function_that_only_one_of_two_has():
    """The other one's is somebody's operation; there is nothing to look into."""
    lacking = edited(lambda _, meta: meta.graph_def.library.function.__delitem__(0), branch())

    for first, second in ((branch(), lacking), (lacking, branch()), (lacking, lacking)):
        assert places(compare(first, second)) == []


def test_what_a_function_holds_is_no_weight_by_its_name():
    """Names within mean nothing outside: two values there are two, whatever the model calls so."""

    def adding(value):
        """Return a call of a function that adds a number called as a weight is."""
        model = branch("Add")
        inner = model.graph.library.function[0].node_def
        inner[0].input.append("w:output:0")
        model.graph.library.function[0].ret["b"] = "inner:z:0"
        made = node("w", "Const", dtype=FLOAT, value=ArrayTensor.of(np.float32(value)))
        inner.add().CopyFrom(made)
        weight = node("w", "VariableV2", dtype=FLOAT, shape=Dims([]))
        model.graph.node.append(weight)
        return zoo.Model(model.meta_graph, {"w": np.float32(1)})

    assert places(compare(adding(2), adding(2))) == []
    assert places(compare(adding(2), adding(3))) == [("constant", "w", "")]
