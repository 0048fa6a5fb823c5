"""Weights stored in half precision: half the bytes, and the numbers of the rounded weights.

The oracle is the same model in full precision whose weights were rounded with numpy.
"""

import dataclasses

import numpy as np
import pytest

import zoo
from zoo.errors import UnsupportedError
from zoo.tensors import ArrayTensor

FORMS = ("checkpoint", "frozen", "saved_model")
MODELS = {
    "vgg-digits": "reference variables",
    "dl4j-lenet-frozen-pb/lenet_frozen.pb": "constants",
    "arm-kws/LSTM/LSTM_S.pb": "constants that a loop takes",
    "arm-kws/DS_CNN/DS_CNN_S.pb": "batch normalisation",
    "rust-keras-multiple-inputs-saved-model": "functions of TensorFlow 2",
    "mlperf-tiny-kws-savedmodel/kws_ref_model": "functions and batch normalisation",
    "dotnet-mnist-conv-model": "a SavedModel of TensorFlow 1, with what trained it",
}


def rounded(model, halved):
    """Return `model` with the values that `halved` stores, in the dtypes that it had."""
    changed = {}
    for name in halved.weights:
        if name in model.weights and halved.weights.tensor(name).dtype.itemsize == 2:
            values = model.weights[name]
            half = halved.weights.tensor(name).dtype.numpy
            changed[name] = ArrayTensor.of(values.astype(half).astype(values.dtype))
    assert changed
    return dataclasses.replace(model, weights=model.weights.overlay(changed))


def call_of(model):
    """Return seeded feeds by tensor, and the tensors to fetch."""
    rng = np.random.default_rng(7)
    signature = model.signature()
    feeds = {}
    for spec in signature.inputs.values():
        if spec.dtype.name == "string":
            continue
        sizes = [size or 3 for size in spec.shape or (3, 784)]
        feeds[spec.tensor] = rng.normal(size=sizes).astype(spec.dtype.numpy)
    return feeds, [spec.tensor for spec in signature.outputs.values()]


@pytest.fixture(params=MODELS)
def ref(request):
    """Return what opens the model, from the fixtures where it is not one of ours."""
    if "-digits" in request.param:
        return request.param
    return request.getfixturevalue("fixtures") / request.param


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("form", FORMS)
def test_every_format_computes_with_the_rounded_weights(tf, plain, ref, tmp_path, form, dtype):
    """Opened by plain TensorFlow: the bits of the model whose weights were rounded."""
    model = zoo.load(ref)
    feeds, fetches = call_of(model)
    if "wav_data:0" in {spec.tensor for spec in model.signature().inputs.values()}:
        feeds, fetches = {"wav_data:0": _wave(ref)}, ["labels_softmax:0"]
    keep = model.signature().outputs if "dotnet" in str(ref) else ()
    before = zoo.convert(ref, tmp_path / "full" / "model", to=form, outputs=list(keep))

    done = zoo.convert(ref, tmp_path / "half" / "model", to=form, outputs=list(keep), dtype=dtype)

    halved = zoo.load(done.target.path)
    model = model.prune(fetches) if keep else model
    whole = zoo.save(rounded(model, model.with_weights_as(dtype)), tmp_path / "oracle" / "m", form)
    expected = getattr(plain, form)(whole.path, feeds, fetches)
    values = getattr(plain, form)(done.target.path, feeds, fetches)
    for value, wanted in zip(values, expected, strict=True):
        assert np.asarray(value).tobytes() == np.asarray(wanted).tobytes()
    assert stored(halved) < 0.6 * stored(zoo.load(before.target.path))


def _wave(ref):
    return np.load(ref.parents[1] / "expected.npz")["in:wav_data:0"].tobytes()


def stored(model):
    return sum(model.weights.tensor(name).nbytes for name in model.weights)


def test_tensorflow_2_sees_half_precision_variables(tf, fixtures, tmp_path):
    """And trains none but those that trained before."""
    ref = fixtures / "mlperf-tiny-kws-savedmodel" / "kws_ref_model"
    zoo.convert(ref, tmp_path / "full", to="saved_model", object_graph=False)
    zoo.convert(ref, tmp_path / "half", to="saved_model", dtype="float16")

    full, half = (tf.saved_model.load(str(tmp_path / name)) for name in ("full", "half"))

    names = [[v.name for v in m.signatures["serving_default"].trainable_variables]
             for m in (full, half)]  # fmt: skip
    assert names[0] == names[1]
    kinds = {v.name: v.dtype for v in half.variables}
    assert {kinds[n] for n in kinds if "moving_" in n} == {tf.float32}
    assert {kinds[n] for n in kinds if "kernel" in n} == {tf.float16}


def test_saver_initializers_and_snapshots_fit(tf, tmp_path):
    """In a session of TensorFlow 1 everything about the variables still works."""
    v1 = tf.compat.v1
    path = zoo.convert("vgg-digits", tmp_path / "m", to="checkpoint", dtype="float16").target.path
    with tf.Graph().as_default(), v1.Session() as session:
        saver = v1.train.import_meta_graph(f"{path}.meta")
        session.run(v1.global_variables_initializer())
        saver.restore(session, str(path))
        saver.save(session, str(tmp_path / "again"))
        variables = v1.global_variables()
        assert {v.dtype.base_dtype for v in variables} == {tf.float16}
        values = session.run([v.value() for v in variables])

    reader = tf.train.load_checkpoint(str(tmp_path / "again"))
    weights = zoo.load(path).weights
    for variable, value in zip(variables, values, strict=True):
        name = variable.op.name
        assert np.array_equal(reader.get_tensor(name), weights[name])
        assert np.array_equal(np.asarray(value, np.float16), weights[name])


def test_a_variable_that_the_graph_changes_stays(tf, tmp_path):
    """A training step in half precision would be another one; it is said which stay."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 4), name="x")
        fixed = v1.get_variable("fixed", (4, 8), use_resource=True, trainable=False)
        moved = v1.get_variable("moved", (8, 2), use_resource=False)
        y = tf.identity(x @ fixed @ moved, name="y")
        v1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(y**2))
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "m"))

    done = zoo.convert(tmp_path / "m", tmp_path / "half", to="checkpoint", dtype="float16")

    kinds = {n: str(t.dtype) for n, t in ((n, done.target.model.weights.tensor(n))
                                         for n in done.target.model.weights)}  # fmt: skip
    assert kinds == {"fixed": "float16", "moved": "float32"}
    assert any(note.endswith("(-o leaves out what changes them): moved") for note in done.repairs)
    with zoo.load(tmp_path / "half").session() as session:
        session.run("GradientDescent", {"x:0": np.ones((2, 4))})


def test_a_frozen_graph_does_not_train(fixtures, tmp_path):
    """What would change its weights is left out before, so that all of them are halved."""
    ref = fixtures / "dotnet-mnist-conv-model"

    done = zoo.convert(ref, tmp_path / "half.pb", to="frozen", dtype="float16")

    weights = zoo.load(done.target.path).weights
    assert {str(weights.tensor(n).dtype) for n in weights if weights.tensor(n).shape} == {"float16"}
    assert any(note.startswith("training-nodes: left out nodes") for note in done.repairs)


@pytest.mark.parametrize("form", FORMS)
def test_a_value_that_does_not_fit_is_refused_by_name(tmp_path, form):
    """And nothing is left half-written; bfloat16 takes it."""
    model = zoo.load("vgg-digits")
    kernel = model.weights["fc7/kernel"].copy()
    kernel[3, 4] = 70000
    weights = model.weights.overlay({"fc7/kernel": ArrayTensor.of(kernel)})
    model = dataclasses.replace(model, weights=weights)

    with pytest.raises(UnsupportedError, match="'fc7/kernel'") as caught:
        zoo.save(model.with_weights_as("float16"), tmp_path / "new" / "model", form)

    assert "70000" in caught.value.found
    assert "bfloat16" in caught.value.hint
    assert list(tmp_path.iterdir()) == []
    zoo.save(model.with_weights_as("bfloat16"), tmp_path / "new" / "model", form)


def test_halved_models_train(tmp_path):
    """Gradients flow through the casts to every weight."""
    import tensorflow as tf

    done = zoo.convert("vgg-digits", tmp_path / "half.pb", to="frozen", dtype="bfloat16")
    function = zoo.load(done.target.path).function(["images:0"], "fc7:0")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(function(tf.ones((1, 8, 8, 1))) ** 2)

    gradients = tape.gradient(loss, function.trainable_variables)
    assert len(gradients) == 12
    assert all(gradient is not None for gradient in gradients)
