"""Keras files: HDF5 whose addresses lead anywhere, configurations that are no nets."""

import io
import json
import tempfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import zoo
from tests.fuzz.edits import Specimen, trees
from tests.fuzz.targets import Target
from zoo.errors import ZooError
from zoo.hdf5 import Dataset, Hdf5
from zoo.keras_file import KerasFile
from zoo.mapped import MappedFile

LAYERS = [
    {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 3]}},
    {"class_name": "Dense", "config": {"name": "dense", "units": 2, "activation": "relu"}},
]
CONFIG = {"class_name": "Sequential", "config": {"name": "m", "layers": LAYERS}}
WORDS = (
    b"TREE", b"SNOD", b"HEAP", b"OHDR", b"GCOL", b"\xff" * 8, b"\x89HDF\r\n\x1a\n", b'"', b"[",
    b"{", b"null", b"-1", b"1e999", b'"class_name": "Lambda"', b"[" * 90, b"OCHK", b"FRHP",
)  # fmt: skip


def hdf5(libver):
    """Return the bytes of a file as Keras 2 wrote it."""
    with tempfile.TemporaryDirectory() as room:
        path = Path(room, "m.h5")
        with h5py.File(path, "w", libver=libver) as file:
            file.attrs["model_config"] = json.dumps(CONFIG)
            file.attrs["keras_version"] = "2.4.0"
            group = file.create_group("model_weights")
            group.attrs["layer_names"] = [b"x", b"dense"]
            dense = group.create_group("dense")
            dense.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
            dense.create_dataset("dense/kernel:0", data=np.ones((3, 2), np.float32))
            dense.create_dataset("dense/bias:0", data=np.ones(2, np.float32))
            group.create_group("x").attrs["weight_names"] = np.array([], "S1")
        return path.read_bytes()


def packed(parts):
    """Return a ``.keras`` file of `parts`."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return {"m.keras": whole.getvalue()}


def specimens():
    """Return files of both kinds, the zip ones packed before or after they are changed."""
    old, new = hdf5("earliest"), hdf5("latest")
    texts = {"config.json": json.dumps(CONFIG).encode(), "metadata.json": b'{"keras_version": "3"}'}
    parts = texts | {"model.weights.h5": old}
    return [
        Specimen({"m.h5": old}), Specimen({"m.h5": old}), Specimen({"m.h5": new}),
        Specimen(parts, packed), Specimen(packed(parts)),
        Specimen(texts, lambda inner: packed(parts | inner)),
    ]  # fmt: skip


def path_in(folder):
    return next(path for path in folder.iterdir() if path.name.startswith("m."))


def look(folder):
    """Ask for all that a Keras file has to say, whatever else of it is wrong."""
    file = KerasFile(path_in(folder))
    for question in ("net", "version", "release", "backend", "training", "layers", "weights"):
        try:
            getattr(file, question)
        except ZooError as error:
            str(error)
    for tensor in file.weights.values():
        try:
            tensor.read()
        except ZooError as error:
            str(error)


def look_hdf5(folder):
    """Walk through every group of the HDF5."""
    path = path_in(folder)
    if path.suffix != ".h5":
        return
    todo = [Hdf5(MappedFile(path)).root]
    while todo:
        group = todo.pop()
        try:
            _ = group.attributes
        except ZooError as error:
            str(error)
        for one in group.members.values():
            if isinstance(one, Dataset):
                _ = one.nbytes
            else:
                todo.append(one)


def look_whole(folder):
    """Say of the file all that ``zoo inspect`` says."""
    zoo.inspect(path_in(folder))


TARGETS = [
    Target("keras", trees(specimens, WORDS), look),
    Target("hdf5", trees(lambda: specimens()[:3], WORDS), look_hdf5),
    Target("inspect_keras", trees(specimens, WORDS), look_whole),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_keras_files_are_read_or_refused(target):
    """Net, weights and versions, whatever the file says."""
    read, refused = target.fuzz()

    assert read
    assert refused
