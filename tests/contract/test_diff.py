"""What other people published is equal to itself in every format, and a change of it is found."""

import itertools

import numpy as np
import pytest

import zoo
from zoo import protos
from zoo.errors import ZooError
from zoo.graph import upstream
from zoo.tensor_protos import from_proto
from zoo.tensors import ArrayTensor
from zoo.weights import Weights

GRU = "arm-kws/GRU/GRU_S.pb"
FORMS = ("checkpoint", "frozen", "saved_model")
CONVERTED = {
    "arm-kws/Basic_LSTM/Basic_LSTM_S.pb": FORMS,
    "arm-kws/CNN/CNN_S.pb": FORMS,
    "arm-kws/DS_CNN/DS_CNN_S.pb": FORMS,
    GRU: FORMS,
    "dl4j-ckpt-simple-graph": FORMS,
    "dl4j-lenet-frozen-pb": FORMS,
    "dl4j-pbtxt-controlflow/tensor_array.pb.txt": FORMS,
    "dl4j-pbtxt-frozen-pair/primitive_gru_dynamic/frozen_graph.pbtxt": FORMS,
    "dl4j-pbtxt-frozen-pair/rnn/bstack/d_n2/frozen_model.pb": FORMS,
    "dotnet-mnist-conv-model": FORMS,
    "dotnet-model-string-test": FORMS,
    "dotnet-model-types-test": FORMS,
    "hub-hub-module-v1-mini": FORMS,
    "hub-saved-model-v2-mini": FORMS,
    "made-here-gaps/partitioned_ref": FORMS,
    "made-here-gaps/partitioned_resource": FORMS,
    "made-here-gaps/pyfunc_meta": FORMS,
    "made-here-gaps/quantized_dequantize": FORMS,
    "made-here-gaps/three_metagraphs": FORMS,
    "mlperf-tiny-kws-savedmodel": FORMS,
    "rust-addition-pb": FORMS,
    "rust-keras-multiple-inputs-saved-model": FORMS,
    "rust-regression-savedmodel": ("checkpoint", "saved_model"),
    "serving-half-plus-two-v2": ("checkpoint", "saved_model"),
    "serving-sm-counter": ("checkpoint", "saved_model"),
    "serving-sm-half-plus-three": ("checkpoint", "saved_model"),
    "serving-sm-half-plus-two-tf2-cpu": FORMS,
    "tf-lite-pbtxt/permute.pbtxt": FORMS,
    "tf-savedmodel-half-plus-two-pbtxt": ("checkpoint", "saved_model"),
    "tf-savedmodel-hpt-v1-variables": FORMS,
    "tf-session-bundle-v1ckpt": ("checkpoint", "saved_model"),
    "tf2onnx-gru": FORMS,
    "tfjs-model-multi-output": FORMS,
    "tfjs-module-with-multiple-signatures": FORMS,
    "tfx-bench-trained-saved-model": ("saved_model",),
    "tfx-transform-fn": ("saved_model",),
}


def converted(path, folder, forms):
    """Return the model at `path`, and what it becomes in each of `forms`."""
    made = [zoo.convert(path, folder / form / "model", to=form).target.path for form in forms]
    return [zoo.load(place) for place in (path, *made)]


@pytest.mark.long
@pytest.mark.parametrize("name", CONVERTED)
def test_a_model_is_equal_to_itself_in_every_format(fixtures, tmp_path, name):
    """The source and what it is converted to, each with each."""
    models = converted(fixtures / name, tmp_path, CONVERTED[name])

    for a, b in itertools.combinations(models, 2):
        found = zoo.diff(a, b)
        assert found["equal"], found


@pytest.mark.long
def test_a_sample_of_many_graphs_is_equal_to_itself(fixtures, tmp_path):
    """Every seventh of some hundred small graphs, of all kinds of operations."""
    paths = sorted((fixtures / "dl4j-suite").rglob("*.pb"))[::7]
    refused = 0
    for number, path in enumerate(paths):
        try:
            models = converted(path, tmp_path / str(number), FORMS)
        except ZooError:
            refused += 1
            continue
        for one in models[1:]:
            assert zoo.diff(models[0], one)["equal"], path
    assert refused < len(paths) / 5


def test_a_model_that_was_frozen_by_others(fixtures):
    """A checkpoint and the frozen graph, and its text form, that its author made of it."""
    folder = fixtures / "dl4j-ckpt-simple-graph"

    for name in ("frozen_model.pb", "frozen_graph.pbtxt"):
        found = zoo.diff(folder, folder / name)
        assert found["equal"]
        assert [one["name"] for one in found["weights"]["only_a"]] == ["Variable"]


@pytest.mark.long
@pytest.mark.parametrize("name", ["dl4j-lenet-frozen-pb", "mlperf-tiny-kws-savedmodel"])
def test_a_flipped_bit_is_found_in_every_format(fixtures, tmp_path, name):
    """Whatever formats the two are in, the weight is named."""
    models = converted(fixtures / name, tmp_path, FORMS)
    shared = sorted(set.intersection(*(set(model.weights) for model in models)))
    weight = next(name for name in shared if len(models[0].weights[name].shape) > 1)
    for first, second in itertools.permutations(models, 2):
        values = first.weights[weight].copy()
        values.view(np.uint32).reshape(-1)[3] ^= 1
        changes = {weight: ArrayTensor.of(values)}

        found = zoo.diff(zoo.Model(first.meta_graph, first.weights.overlay(changes)), second)

        assert not found["equal"]
        assert [one["a"] for one in found["weights"]["different"]] == [weight]
        assert found["graph"]["equal"]


@pytest.mark.parametrize("name", ["arm-kws/CNN/CNN_S.pb", "dotnet-mnist-conv-model"])
def test_a_changed_convolution_is_found_in_every_format(fixtures, tmp_path, name):
    """One stride of one net."""
    models = converted(fixtures / name, tmp_path, FORMS)
    for first, second in itertools.permutations(models, 2):
        meta_graph = protos.MetaGraphDef()
        meta_graph.CopyFrom(first.meta_graph)
        changed = next(node for node in meta_graph.graph_def.node if node.op == "Conv2D")
        changed.attr["strides"].list.i[1] += 1

        found = zoo.diff(zoo.Model(meta_graph, first.weights), second)

        assert not found["equal"]
        (one,) = found["graph"]["differences"]
        assert (one["kind"], one["a"], one["what"]) == ("attribute", changed.name, "strides")


@pytest.mark.long
@pytest.mark.parametrize(
    "name", ["dl4j-lenet-frozen-pb", "mlperf-tiny-kws-savedmodel", "tf2onnx-gru", GRU]
)
def test_an_edge_that_goes_elsewhere_is_found(fixtures, name):
    """Each of fifty, but where it leads to an equal constant."""
    model = zoo.load(fixtures / name)
    rng = np.random.default_rng(5)
    needed = sorted(upstream(by_name(model), model.outputs()))
    for _ in range(50):
        user = by_name(model)[rng.choice(needed)]
        data = [i for i, edge in enumerate(user.input) if not edge.startswith("^")]
        if not data:
            continue
        at, elsewhere = int(rng.choice(data)), str(rng.choice(needed))
        meta_graph = protos.MetaGraphDef()
        meta_graph.CopyFrom(model.meta_graph)
        changed = zoo.Model(meta_graph, model.weights)
        before = user.input[at]
        by_name(changed)[user.name].input[at] = elsewhere
        if alike(model, before, elsewhere):
            continue

        assert not zoo.diff(model, changed)["equal"], (user.name, before, elsewhere)


def by_name(model):
    """Return the nodes of `model` by name."""
    return {node.name: node for node in model.graph.node}


def alike(model, edge, other):
    """Tell whether two edges lead to constants or weights of one value, or to one node."""
    nodes = [behind(model, one) for one in (edge, other)]
    if nodes[0].name == nodes[1].name:
        return True
    values = [value(model, node) for node in nodes]
    return None not in values and values[0] == values[1]


def behind(model, edge):
    """Return the node that makes the value of `edge`."""
    node = by_name(model)[edge.partition(":")[0]]
    return behind(model, node.input[0]) if node.op in ("Identity", "ReadVariableOp") else node


def value(model, node):
    """Return what a constant or a variable holds: dtype, shape and bytes."""
    if node.name in model.weights:
        held = model.weights[node.name]
    elif node.op == "Const":
        held = from_proto(node.attr["value"].tensor).read()
    else:
        return None
    return held.dtype.name, held.shape, held.tobytes()


NAMED_ELSEWHERE = {
    "dl4j-ckpt-simple-graph", "tf-session-bundle-v1ckpt", "tfx-bench-trained-saved-model",
    "tfx-transform-fn",
}  # fmt: skip
"""Models whose saver, signatures or files are named in what the test leaves out."""


@pytest.mark.parametrize("name", sorted(CONVERTED.keys() - NAMED_ELSEWHERE))
def test_other_names_and_another_order_make_no_difference(fixtures, name):
    """As when a graph is imported under a scope of its own."""
    model = zoo.load(fixtures / name)
    meta_graph = protos.MetaGraphDef()
    meta_graph.CopyFrom(model.meta_graph)
    meta_graph.ClearField("collection_def")
    meta_graph.ClearField("saver_def")
    nodes = sorted(meta_graph.graph_def.node, key=lambda node: node.name)
    del meta_graph.graph_def.node[:]
    for node in nodes[::-1]:
        node.name = f"scope/{node.name}"
        node.input[:] = [scoped(edge) for edge in node.input]
        meta_graph.graph_def.node.add().CopyFrom(node)
    for signature in meta_graph.signature_def.values():
        for info in [*signature.inputs.values(), *signature.outputs.values()]:
            info.name = scoped(info.name)
    weights = Weights({scoped(n): model.weights.tensor(n) for n in model.weights})

    found = zoo.diff(model, zoo.Model(meta_graph, weights, model.assets))

    assert found["equal"], found


def scoped(edge):
    """Return `edge` as it is called in a scope."""
    return f"^scope/{edge[1:]}" if edge.startswith("^") else f"scope/{edge}"
