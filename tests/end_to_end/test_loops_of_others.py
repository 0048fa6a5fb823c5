"""Loops of TensorFlow 1 in the models of others: what their owners recorded, and gradients."""

import numpy as np
import pytest

import zoo
from zoo.errors import RunError

RECURRENT = (
    "basiclstmcell/dynamic_b1_nIn5_nOut3_ts4_softsign_withIS_noTM_fb2_double",
    "basiclstmcell/dynamic_b1_nIn5_nOut3_ts4_tanh_noIS_withTM_fb1_float",
    "basicrnncell/dynamic_b1_nIn5_nOut3_ts4_relu_noIS_withTM_float",
    "bidir_basic/dynamic_b1_n5-3_ts4_relu_noIS_noTM_f32",
    "bidir_basic/dynamic_b1_n5-3_ts4_sig_withIS_noTM_f64",
    "bstack/d_n2",
    "fused_adapt_basic/dynamic_b1_n5-3_ts4_relu_noIS_float",
    "grucell/dynamic_b1_nIn5_nOut3_ts4_relu_noIS_noTM_float",
    "grucell/dynamic_b1_nIn5_nOut3_ts4_sigmoid_withIS_noTM_double",
    "lstmcell/dynamic_b1_nIn5_nOut3_ts4_noPH_clip-0.3-0.4_fB1_Tanh_noIS_float_noTM",
    "lstmcell/dynamic_b2_nIn2_nOut3_ts4_withPH_noClip_fB1_Tanh_noIS_double_noTM",
    "srucell/dynamic_b1_n5-3_tanh_ts4_noIS_noTM",
)


def slopes(tf, function, *inputs):
    """Yield, for each variable, the slope in one direction by the gradient and by differences."""
    random = np.random.default_rng(5)
    names = list(function(*inputs))
    factors = {name: random.normal(size=function(*inputs)[name].shape) for name in names}

    def loss():
        found = function(*inputs)
        return sum(tf.reduce_sum(tf.cast(found[n], tf.float64) * factors[n]) for n in names)

    with tf.GradientTape() as tape:
        total = loss()
    for variable, gradient in zip(
        function.variables, tape.gradient(total, function.variables), strict=True
    ):
        step, at = random.normal(size=variable.shape) * 1e-3, variable.numpy()
        ends = []
        for end in (at + step, at - step):
            variable.assign(end)
            ends.append(float(loss()))
        variable.assign(at)
        yield float(tf.reduce_sum(tf.cast(gradient, tf.float64) * step)), (ends[0] - ends[1]) / 2


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_nets_of_others(tf, fixtures, name):
    """They give what their owners recorded, and gradients that differences confirm."""
    folder = fixtures / "dl4j-suite" / "rnn" / name
    function = zoo.load(folder / "frozen_model.pb").function()
    recorded = np.load(folder / "expected.npz")

    for key, value in function().items():
        np.testing.assert_allclose(value, recorded[f"out:{key}:0"], rtol=1e-4, atol=1e-5)
    for slope, difference in slopes(tf, function):
        assert slope == pytest.approx(difference, rel=3e-2, abs=2e-6)


@pytest.mark.parametrize("name", ["simplewhile_0_alt", "simplewhile_nested", "while1/iter_3"])
def test_plain_loops_of_others(fixtures, name):
    """Loops around no array, one of them in another, give what their owners recorded."""
    folder = fixtures / "dl4j-suite" / name
    function = zoo.load(folder / "frozen_model.pb").function()
    recorded = np.load(folder / "expected.npz")

    found = function(*(recorded[f"in:{tensor}"] for tensor in function.inputs))

    for key, value in found.items():
        np.testing.assert_allclose(value, recorded[f"out:{key}:0"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["Basic_LSTM", "CRNN", "GRU", "LSTM"])
def test_keyword_spotters(tf, fixtures, name):
    """From a recording to its word as recorded; from its features on, every weight trains."""
    folder = fixtures / "arm-kws"
    model = zoo.load(folder / name / f"{name}_S.pb")
    recorded = np.load(folder / "expected.npz")
    wave = recorded["in:wav_data:0"].tobytes()
    words = recorded[f"out:{name}/{name}_S.pb/labels_softmax:0"]
    features = model.run("Mfcc:0", {"wav_data:0": wave})

    np.testing.assert_allclose(model.function(None, "labels_softmax:0")(wave), words, atol=1e-6)

    function = model.function(["Mfcc:0"], "labels_softmax:0")
    with tf.GradientTape() as tape:
        found = function(features)
        loss = tf.reduce_sum(found * np.arange(12.0, dtype=np.float32))
    np.testing.assert_allclose(found, words, atol=1e-6)
    assert None not in tape.gradient(loss, function.trainable_variables)


def test_an_operation_without_a_gradient(tf, fixtures):
    """A cell that TensorFlow cannot differentiate is named, also in a loop."""
    cell = "rnn/grublockcellv2/dynamic_b1_n5-3_ts4_noIS_noTM"
    function = zoo.load(fixtures / "dl4j-suite" / cell / "frozen_model.pb").function()

    with pytest.raises(RunError) as caught, tf.GradientTape():
        function()
    assert "GRUBlockCell" in caught.value.found
