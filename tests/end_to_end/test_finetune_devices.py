"""Several devices, XLA and half precision: each does what it says, or says that it cannot.

Each training is a process of its own, since devices are made before TensorFlow starts.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

SCRIPT = """
import json, sys
import numpy as np
import tensorflow as tf
import zoo
from sklearn.datasets import load_digits

count, cases = int(sys.argv[1]), json.loads(sys.argv[2])
cpu, logical = tf.config.list_physical_devices("CPU")[0], tf.config.LogicalDeviceConfiguration
tf.config.set_logical_device_configuration(cpu, [logical()] * count)
digits, found = load_digits(), []
x, y = digits.images[..., None].astype(np.float32), digits.target % 2
for examples, options in cases:
    trained = zoo.finetune("vgg-digits", (x[:examples], y[:examples]), outputs=2, **options)
    epochs = [[e.loss, e.accuracy, e.val_loss, e.val_accuracy] for e in trained.epochs]
    weights = [trained.model.weights[n].ravel()[:20].tolist() for n in ("fc7/kernel", "fc8/kernel")]
    found.append([epochs, weights, trained.predictions.tolist()])
print(json.dumps(found))
"""
_FEW = {"epochs": 2, "batch_size": 16}


def started(tmp_path, devices, cases):
    """Return the ended process that trains each of `cases`."""
    pytest.importorskip("sklearn")
    command = [sys.executable, "-c", SCRIPT, str(devices), json.dumps(cases)]
    there = {**os.environ, "ZOO_HOME": str(tmp_path / "home")}
    return subprocess.run(command, capture_output=True, text=True, env=there, check=False)


def trained(tmp_path, devices, cases):
    """Return the losses, weights and predictions of each of `cases`."""
    ended = started(tmp_path, devices, cases)
    assert ended.returncode == 0, ended.stderr
    return [[np.asarray(one) for one in case] for case in json.loads(ended.stdout.splitlines()[-1])]


def cases(**options):
    """Return trainings whose last batches are odd (15 of 16), and a single example (65, 31)."""
    return [
        (99, {**_FEW, "train": "all", **options}),
        (99, {**_FEW, "train": "head", **options}),
        (81, {**_FEW, "train": "fc*", "layer_decay": 0.5, **options}),
    ]


@pytest.mark.parametrize("devices", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_several_devices_learn_what_one_does(tmp_path, devices):
    """Losses, metrics, weights and predictions, batches that cannot be shared evenly among them."""
    one = trained(tmp_path, 1, cases())
    several = trained(tmp_path, devices, cases(strategy="mirrored"))

    for expected, found in zip(one, several, strict=True):
        for there, here in zip(expected, found, strict=True):
            np.testing.assert_allclose(here, there, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_xla_and_half_precision_are_used(tmp_path):
    """Results are close to the plain ones, and not the same bits."""
    options = {**_FEW, "train": "all"}
    plain, xla = trained(tmp_path, 1, [(99, options), (99, {**options, "jit_compile": True})])
    half = started(tmp_path, 1, [(99, {**options, "mixed_precision": True}), (99, options)])

    np.testing.assert_allclose(xla[0], plain[0], rtol=1e-3, atol=1e-4)
    assert xla[0].tolist() != plain[0].tolist()
    if half.returncode:
        assert "TensorFlow does not compute in half precision on this machine" in half.stderr
        return
    halved, after = [np.asarray(one[0]) for one in json.loads(half.stdout.splitlines()[-1])]
    np.testing.assert_allclose(halved, plain[0], atol=0.1)
    assert halved.tolist() != plain[0].tolist()
    assert after.tolist() == plain[0].tolist()  # the next training is not in half precision


@pytest.mark.slow
def test_half_precision_that_is_not_there_is_refused(tmp_path, monkeypatch):
    """Without oneDNN a CPU has none."""
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")

    ended = started(tmp_path, 1, [(99, {**_FEW, "mixed_precision": True})])

    assert "does not compute in half precision" in ended.stderr


@pytest.mark.parametrize(
    "option", ["train_batch_norm", pytest.param("jit_compile", marks=pytest.mark.slow)]
)
def test_what_does_not_go_together_is_refused(tmp_path, option):
    """Each device has statistics of its own; XLA compiles for one device."""
    ended = started(tmp_path, 2, [(99, {**_FEW, "strategy": "mirrored", option: True})])

    assert f"--strategy and --{option.replace('_', '-')} do not go together" in ended.stderr
