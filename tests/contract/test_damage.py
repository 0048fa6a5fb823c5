"""Files cut off and flipped, of every format: an error of ours within a second, or an answer."""

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import zoo
from zoo.samples import sample_model

CASES = 1000
MOST = 200 * 10**6
CHILD = Path(__file__).with_name("damaged_files.py")
OF_OTHERS = (
    "arm-kws/CRNN/CRNN_S.pb", "dotnet-mnist-conv-model", "tf-tfprof-v1ckpt/ckpt",
    "serving-sm-half-plus-two-tf2-cpu/00000123", "tfnet-meta-xor/xor.meta",
    "tf-savedmodel-half-plus-two-pbtxt/00000123", "hub-half-plus-two-v1/unpacked",
    "mlperf-tiny-resnet-cifar10-h5/pretrainedResnet.h5", "tf-session-bundle-v1ckpt/00000123",
    "dl4j-pbtxt-frozen-pair/ae/frozen_graph.pbtxt", "made-here-gaps/partitioned_ref/model.ckpt-7",
)  # fmt: skip


def keras_file(path):
    """Write a small model as Keras 2 did: a configuration, a group for each layer."""
    layers = [{"class_name": "Dense", "config": {"name": "dense", "units": 2}}]
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.4.0"
        group = file.create_group("model_weights/dense")
        group.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        group.create_dataset("dense/kernel:0", data=np.ones((3, 2), np.float32))
        group.create_dataset("dense/bias:0", data=np.ones(2, np.float32))
    return config


@pytest.fixture(scope="module")
def specimens(tmp_path_factory):
    """Return a specimen of each format that can be made here."""
    folder = tmp_path_factory.mktemp("specimens")
    model = sample_model()
    zoo.save(model, folder / "checkpoint" / "model", format="checkpoint")
    zoo.save(model, folder / "net.pb", format="frozen")
    zoo.save(model, folder / "served", format="saved_model")
    zoo.save(model, folder / "net.safetensors", format="safetensors")
    zoo.save(model, folder / "net.npz", format="npz")
    (folder / "alone.meta").write_bytes(model.meta_graph.SerializeToString())
    config = keras_file(folder / "net.h5")
    with zipfile.ZipFile(folder / "net.keras", "w") as packed:
        packed.writestr("config.json", json.dumps(config))
        packed.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        packed.write(folder / "net.h5", "model.weights.h5")
    with tarfile.open(folder / "net.tar.gz", "w:gz") as packed:
        packed.add(folder / "served", "served")
    made = ("checkpoint/model", "net.pb", "served", "alone.meta", "net.h5", "net.keras")
    return [folder / name for name in (*made, "net.safetensors", "net.npz", "net.tar.gz")]


def check(folder, specimens):
    """Damage copies of `specimens` in processes of their own; each must answer, or refuse."""
    children = [
        subprocess.Popen(
            [sys.executable, CHILD, folder, str(seed), str(CASES), *specimens],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for seed in (1, 2)
    ]  # fmt: skip
    for child in children:
        out, err = child.communicate()
        assert child.returncode == 0, err[-2000:]
        found = json.loads(out)
        assert found["wrong"] == []
        assert found["peak"] < MOST


@pytest.mark.long
def test_damaged_files_are_errors_of_ours(specimens, tmp_path):
    """Every format that can be written here: 2,000 cases, at most a second and 200 MB each."""
    check(tmp_path, specimens)


@pytest.mark.long
def test_damaged_files_of_others_are_errors_of_ours(fixtures, tmp_path):
    """The same for what others published, V1 checkpoints and text among it."""
    check(tmp_path, [fixtures / name for name in OF_OTHERS])
