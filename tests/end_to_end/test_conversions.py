"""All nine conversions of models that other people wrote, opened and run by plain TensorFlow.

Equal means the same bits, with TensorFlow's rewriting of graphs switched off on both sides.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import zoo

FORMS = ("checkpoint", "frozen", "saved_model")


@dataclass
class Source:
    """A model, inputs for it by signature key, and what plain TensorFlow makes of them."""

    ref: object
    inputs: dict
    expected: dict


def opened(plain, form, path, feeds, fetches):
    """Run the file at `path` as its format is run."""
    return getattr(plain, form)(path, feeds, fetches)


def toy_adder(tf, tmp_path):
    """Return the adder; the tutorial's own session gives the answer."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        w1, w2 = v1.placeholder("float", name="w1"), v1.placeholder("float", name="w2")
        bias = v1.get_variable("bias", initializer=2.0, use_resource=False)
        total = tf.multiply(tf.add(w1, w2), bias, name="op_to_restore")
        session.run(v1.global_variables_initializer())
        answer = session.run(total, {w1: 13.0, w2: 17.0})
    return Source("toy-adder", {"w1": 13.0, "w2": 17.0}, {"op_to_restore": answer})


def of_fixture(folder, form, name, rng, plain):
    """Return a model of the fixtures with seeded inputs and plain TensorFlow's answer."""
    path = folder / name
    signature = zoo.load(path).signature()
    inputs = {
        key: rng.normal(size=[size or 3 for size in spec.shape or (3, 784)]).astype(np.float32)
        for key, spec in signature.inputs.items()
    }
    feeds = {signature.inputs[key].tensor: value for key, value in inputs.items()}
    fetches = {key: spec.tensor for key, spec in signature.outputs.items()}
    return Source(path, inputs, opened(plain, form, path, feeds, fetches))


@pytest.fixture(
    params=["toy-adder", "dl4j-lenet-frozen-pb", "dotnet-mnist-conv-model", "rust-keras"]
)
def source(request, tf, plain, tmp_path):
    rng = np.random.default_rng(3)
    if request.param == "toy-adder":
        return toy_adder(tf, tmp_path)
    folder = request.getfixturevalue("fixtures")
    if request.param == "dl4j-lenet-frozen-pb":
        return of_fixture(folder, "frozen", "dl4j-lenet-frozen-pb/lenet_frozen.pb", rng, plain)
    name = request.param.replace("rust-keras", "rust-keras-multiple-inputs-saved-model")
    return of_fixture(folder, "saved_model", name, rng, plain)


@pytest.mark.parametrize("second", FORMS)
@pytest.mark.parametrize("first", FORMS)
def test_nine_conversions(tf, plain, source, tmp_path, first, second):
    """From any format into any other, and the numbers are the source's, bit for bit."""
    signature = zoo.load(source.ref).signature()
    feeds = {signature.inputs[key].tensor: value for key, value in source.inputs.items()}
    fetches = {key: spec.tensor for key, spec in signature.outputs.items()}
    zoo.convert(source.ref, tmp_path / "first" / "model", to=first)

    done = zoo.convert(tmp_path / "first" / "model", tmp_path / "second" / "model", to=second)

    results = [opened(plain, second, Path(done.target.path), feeds, fetches)]
    if second == "saved_model":
        path = without_objects(done.target.path, tmp_path)
        results.append(called(plain, path, feeds, fetches))
    for values in results:
        for key, expected in source.expected.items():
            assert np.asarray(values[key]).tobytes() == np.asarray(expected).tobytes(), key


def without_objects(path, tmp_path):
    """Return the SavedModel without objects that only the package tf_keras can make."""
    model = zoo.load(path)
    if not any(node.slot_variables for node in model.meta_graph.object_graph_def.nodes):
        return path
    return zoo.save(model, tmp_path / "bare", "saved_model", object_graph=False).path


def called(plain, path, feeds, fetches):
    """Run a SavedModel through ``tf.saved_model.load``, by the keys of its default signature."""
    signature = zoo.load(path).signature("serving_default")
    inputs = {key: feeds[spec.tensor] for key, spec in signature.inputs.items()}
    values = plain.signature(path, "serving_default", **inputs)
    by_tensor = {spec.tensor: values[key] for key, spec in signature.outputs.items()}
    return {key: by_tensor[tensor] for key, tensor in fetches.items()}


def test_a_saved_model_of_tensorflow_2_is_written_back_as_it_was(fixtures, tmp_path):
    """Graph, functions, object graph, weights and assets, unknown fields included."""
    for name in (
        "serving-sm-half-plus-two-tf2-cpu/00000123",
        "rust-keras-multiple-inputs-saved-model",
        "mlperf-tiny-kws-savedmodel/kws_ref_model",
        "tfjs-module-with-multiple-signatures",
    ):
        zoo.convert(fixtures / name, tmp_path / name, to="saved_model")

        old, new = zoo.load(fixtures / name), zoo.load(tmp_path / name)
        assert new.meta_graph == old.meta_graph
        for inside in ("variables/variables.data-00000-of-00001", "assets/foo.txt"):
            if (fixtures / name / inside).exists():
                assert (tmp_path / name / inside).read_bytes() == (
                    fixtures / name / inside
                ).read_bytes()


def test_frozen_to_frozen_changes_nothing(fixtures, tmp_path):
    """A graph that is frozen already is not pruned, and its numbers keep their bits."""
    path = fixtures / "arm-kws" / "CNN" / "CNN_S.pb"

    zoo.convert(path, tmp_path / "again.pb", to="frozen")

    old, new = zoo.load(path), zoo.load(tmp_path / "again.pb")
    assert [n.name for n in new.graph.node] == [n.name for n in old.graph.node]
    assert {n: new.weights[n].tobytes() for n in new.weights} == {
        n: old.weights[n].tobytes() for n in old.weights
    }


def test_every_model_with_an_answer_converts(tf, plain, fixtures, tmp_path):
    """Nets with loops and batch normalisation, in three formats: the recorded answer."""
    answers = {
        "arm-kws/LSTM/LSTM_S.pb": None,
        "arm-kws/GRU/GRU_S.pb": None,
        "arm-kws/DS_CNN/DS_CNN_S.pb": None,
    }
    record = np.load(fixtures / "arm-kws" / "expected.npz")
    wave = record["in:wav_data:0"].tobytes()
    for name in answers:
        expected = record[f"out:{name.removeprefix('arm-kws/')}/labels_softmax:0"]
        for form in FORMS:
            done = zoo.convert(fixtures / name, tmp_path / name / form / "model", to=form)
            (value,) = opened(
                plain, form, done.target.path, {"wav_data:0": wave}, ["labels_softmax:0"]
            )
            np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)
