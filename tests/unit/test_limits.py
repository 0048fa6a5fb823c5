"""Files that claim to be far more than they are: rows M5, M6, M7 and M18 of the fault matrix.

Memory is that of a process of its own, which looks at one file and says what it took.
"""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import zoo
from zoo import budget, lockfile, npy, protos, tensor_protos, wire, yaml_events
from zoo.cli import run
from zoo.errors import (
    AccessError,
    FormatError,
    LimitError,
    RegistryError,
    UnsupportedError,
    UsageError,
    ZooError,
)
from zoo.extracting import extract
from zoo.keras_file import KerasFile
from zoo.model import Model
from zoo.nodes import node
from zoo.samples import bag_model
from zoo.tensors import FilledTensor, afford
from zoo.weighing import refuse_swollen

CHILD = Path(__file__).parents[1] / "looked_at.py"
SMALL = 200 << 20
"""What a look at a small file may take, the interpreter included."""
GIB = 1 << 30
DENSE = {"class_name": "Dense", "config": {"name": "dense", "units": 2}}
NET = {"class_name": "Sequential", "config": {"name": "m", "layers": [DENSE]}}


@pytest.fixture
def look(tmp_path):
    """Return what looks at a file in a process of its own: the error, the bytes, the seconds."""

    def looked(path, what="inspect"):
        command = [sys.executable, CHILD, what, path]
        child = subprocess.run(command, capture_output=True, text=True)
        assert child.returncode == 0, child.stderr[-2000:]
        found = json.loads(child.stdout)
        assert not found["error"].startswith("Traceback"), found["error"]
        return found

    return looked


def constant(name, size, *values):
    """Return a node whose value is `size` numbers, of which only the first are stated."""
    made = protos.NodeDef(name=name, op="Const")
    made.attr["dtype"].type = 1
    value = made.attr["value"].tensor
    value.dtype = 1
    value.tensor_shape.dim.add(size=size)
    value.float_val.extend(values)
    return made


def splat(path, *values, size=GIB):
    """Write a frozen graph, the root of a constant that claims `size` floats; return its path."""
    graph = protos.GraphDef(node=[constant("c", size, *values), node("y", "Sqrt", ["c"])])
    graph.node[1].attr["T"].type = 1
    graph.versions.producer = 27
    path.write_bytes(graph.SerializeToString())
    return path


def value_of(size, *values):
    return tensor_protos.from_proto(constant("c", size, *values).attr["value"].tensor)


def test_m05_a_constant_of_4_gib_is_told_and_not_made(look, tmp_path):
    """Some bytes that claim to be 4 GiB are inspected and converted, and stay some bytes."""
    path = splat(tmp_path / "c.pb", 1.0)

    found = look(path)
    zoo.convert(path, tmp_path / "d.pb", "frozen")

    assert found["error"] == ""
    assert found["peak"] < SMALL
    assert (tmp_path / "d.pb").stat().st_size < 300


@pytest.mark.parametrize("values", [(), (1.0,), (1.0, 2.0)], ids=["zeros", "one", "two"])
def test_m05_a_constant_is_read_as_far_as_it_may(values, monkeypatch):
    """Values that a message leaves out take memory only up to the budget, which can be raised."""
    refused = value_of(GIB, *values)

    for way in (refused.read, refused.tobytes):
        with pytest.raises(LimitError, match="ZOO_BUDGET=4GiB"):
            way()
    assert value_of(1000, *values).read().shape == (1000,)
    monkeypatch.setenv("ZOO_BUDGET", "1kB")
    with pytest.raises(LimitError):
        value_of(1000, *values).read()
    monkeypatch.setenv("ZOO_BUDGET", "1MB")
    assert value_of(1000, *values).read().shape == (1000,)


def test_m05_the_budget_is_for_all_tensors_of_a_file():
    """Three that are each within it are not, together."""
    each = value_of(GIB // 10, 1.0)

    afford([each, each], "two")
    with pytest.raises(LimitError):
        afford([each, each, each], "three")


@pytest.mark.parametrize("form", ["checkpoint", "npz", "safetensors", "saved_model"])
def test_m05_what_claims_is_not_written_out(tmp_path, monkeypatch, form):
    """A format that spells out every value is not filled with what a few bytes claim.

    Each of two weights is within the budget; what zoo itself fills with zeros claims nothing.
    """
    monkeypatch.setenv("ZOO_BUDGET", "1MB")
    places = {"dense/kernel": (200_000, 1), "dense/bias": (200_000,)}
    spelled = {name: value_of(200_000, 1.0) for name in places}
    float32 = spelled["dense/bias"].dtype
    filled = {name: FilledTensor(bytes(4), float32, shape) for name, shape in places.items()}
    model = bag_model(filled)
    bomb = Model(model.meta_graph, model.weights.overlay(spelled))

    with pytest.raises(LimitError, match="what is written"):
        zoo.save(bomb, tmp_path / f"bomb.{form}", form)
    zoo.save(model, tmp_path / f"m.{form}", form)

    assert not any(path.name.startswith("bomb") for path in tmp_path.iterdir())


@pytest.mark.parametrize("stated", ["a lot", "-1"])
def test_m05_a_budget_that_is_no_size_is_said(monkeypatch, stated):
    """Not taken for none, and not for the usual one."""
    monkeypatch.setenv("ZOO_BUDGET", stated)

    with pytest.raises(UsageError, match="no size"):
        budget.most(0)


def hdf5(path, *shapes, config=NET):
    """Write a Keras file whose weights have these shapes and no values; return its path."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        for number, shape in enumerate(shapes):
            file.create_dataset(f"w{number}", shape, "f4")
    return path


def test_m05_keras_files_of_4_gib_that_hold_nothing(look, tmp_path):
    """Many arrays just below 4 GiB in 10 kB: told, and none of it is made."""
    path = hdf5(tmp_path / "m.h5", *[(GIB - 1,)] * 8)

    found = look(path)

    assert path.stat().st_size < 20_000
    assert found["error"] == ""
    assert found["peak"] < SMALL
    for tensor in KerasFile(path).weights.values():
        assert tensor.held == 0
        with pytest.raises(UnsupportedError):
            tensor.read()


def test_m05_texts_in_hdf5_are_counted_each_time(tmp_path, monkeypatch):
    """A thousand attributes that are one text of a megabyte are a gigabyte."""
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["names"] = np.array(["x" * 100_000] * 3, object)
    root = KerasFile(tmp_path / "m.h5")._hdf5.root
    text = next(place for kind, place in root._messages if kind == 12)
    data = bytearray((tmp_path / "m.h5").read_bytes())
    one = data.index(struct.pack("<I", 100_000))  # where the first element says its length
    for number in (1, 2):
        data[one + 16 * number : one + 16 * number + 16] = data[one : one + 16]
    (tmp_path / "m.h5").write_bytes(data)
    assert text
    monkeypatch.setattr(budget, "_RATIO", 0)

    monkeypatch.setenv("ZOO_BUDGET", "200kB")
    with pytest.raises(LimitError):
        _ = KerasFile(tmp_path / "m.h5")._hdf5.root.attributes
    monkeypatch.setenv("ZOO_BUDGET", "400kB")
    assert len(KerasFile(tmp_path / "m.h5")._hdf5.root.attributes["names"]) == 3


def npz(path, method=zipfile.ZIP_DEFLATED, **members):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


@pytest.mark.parametrize("shape", ["(1152921504606846976,)", "(2, 4611686018427387904)", "(3,)"])
def test_m05_an_array_is_as_long_as_its_header_says(tmp_path, shape):
    """2^60 numbers in 8 bytes are damage, and so are 3 in 8."""
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    data = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(8)

    with pytest.raises(FormatError):
        zoo.load(npz(tmp_path / "m.npz", w=data))


@pytest.mark.long
def test_m05_a_zip_bomb_of_arrays_is_not_unpacked(look, tmp_path, monkeypatch):
    """300 MB of zeros in 300 kB: told at once, read only where it may be."""
    zeros = io.BytesIO()
    np.save(zeros, np.zeros(75_000_000, np.float32))
    path = npz(tmp_path / "m.npz", w=zeros.getvalue())

    found = look(path)

    assert path.stat().st_size < 1_000_000
    assert found["error"] == ""
    assert found["peak"] < SMALL
    monkeypatch.setenv("ZOO_BUDGET", "100MB")
    with pytest.raises(LimitError):
        _ = zoo.load(path).weights["w"]
    with pytest.raises(LimitError):
        zoo.convert(path, tmp_path / "m.safetensors", "safetensors")


def test_m05_a_graph_in_an_archive_is_no_bomb(tmp_path, monkeypatch):
    """What an archive says of a graph is read at once, so it is counted at once."""
    zeros = io.BytesIO()
    np.save(zeros, np.zeros(3_000_000, np.uint8))
    monkeypatch.setenv("ZOO_BUDGET", "1MB")

    with pytest.raises(LimitError):
        zoo.load(npz(tmp_path / "m.npz", **{"__zoo__/meta_graph": zeros.getvalue()}))


def test_m05_json_in_a_zip_is_no_bomb(tmp_path, monkeypatch):
    """A megabyte of brackets in a kilobyte would be 24 MB of lists."""
    with zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("config.json", '{"a": [' + "[]," * 300_000 + "[]]}")
        packed.writestr("metadata.json", "{}")
    monkeypatch.setenv("ZOO_BUDGET", "10MB")

    with pytest.raises(LimitError):
        _ = KerasFile(tmp_path / "m.keras").net
    monkeypatch.setenv("ZOO_BUDGET", "30MB")
    assert KerasFile(tmp_path / "m.keras").net is not None


NODES = wire.field(1, b"")
NAMED = wire.field(1, wire.field(1, b"a") + wire.field(2, b"A"))


def in_meta(nodes):
    return wire.field(2, nodes)


def in_saved_model(nodes):
    return wire.field(2, in_meta(nodes))


def in_function(nodes):
    return wire.field(1, b"\n\x01a\x12\x01A") + wire.field(
        2, wire.field(1, nodes.replace(b"\n\x00", b"\x1a\x00"))
    )


def named_nodes():
    return b"".join(wire.field(1, b"\n\x04%04x\x12\x01A" % number) for number in range(900_000))


BOMBS = {
    "frozen": ("m.pb", lambda: NAMED + NODES * 5_000_000),
    "named": ("m.pb", named_nodes),
    "function": ("m.pb", lambda: in_function(NODES * 5_000_000)),
    "meta": ("m.meta", lambda: in_meta(NAMED + NODES * 5_000_000)),
    "saved_model": ("m/saved_model.pb", lambda: in_saved_model(NAMED + NODES * 5_000_000)),
    "text": ("m.pbtxt", lambda: b'node { name: "a" op: "A" }\n' + b"node{}" * 1_000_000),
}


@pytest.mark.long
@pytest.mark.parametrize("bomb", BOMBS)
def test_m06_ten_megabytes_of_nodes_are_refused_unparsed(look, tmp_path, bomb):
    """5 M nodes of two bytes would be 550 MB of messages and 10 GB of what is told of them."""
    name, data = BOMBS[bomb]
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data())

    found = look(path.parent if path.parent != tmp_path else path)

    assert "ZOO_BUDGET=" in found["error"]
    assert found["peak"] < SMALL
    assert found["seconds"] < 10


def test_m06_floods_inside_of_nodes_are_counted_too(monkeypatch):
    """Where what is cheap to count says too much, every message is."""
    monkeypatch.setattr(budget, "_RATIO", 0)
    dims = wire.field(5, wire.field(1, b"k") + wire.field(2, wire.field(7, b"\x12\x00" * 5000)))
    monkeypatch.setenv("ZOO_BUDGET", "300kB")

    with pytest.raises(LimitError):
        refuse_swollen(wire.field(1, dims), "GraphDef", Path("x"))
    payload = wire.field(5, wire.field(2, wire.field(8, wire.field(4, bytes(10_000)))))
    refuse_swollen(wire.field(1, payload), "GraphDef", Path("x"))


@pytest.mark.long
def test_m06_unknown_fields_are_no_graph(look, tmp_path):
    """Ten megabytes of fields that no message has are damage."""
    (tmp_path / "m.pb").write_bytes(NAMED + b"\xf8\x3e\x01" * 3_500_000)

    found = look(tmp_path / "m.pb")

    assert "ZOO_BUDGET=" in found["error"]
    assert found["peak"] < SMALL
    assert found["seconds"] < 10


def deep_attribute(depth):
    inner = wire.field(4, b"x")
    for _ in range(depth):  # an attribute that is a function whose attribute is ...
        entry = wire.field(1, b"a") + wire.field(2, inner)
        inner = wire.field(10, wire.field(1, b"f") + wire.field(2, entry))
    return wire.field(1, b"\n\x01a\x12\x01A" + wire.field(5, b"\n\x01a" + wire.field(2, inner)))


DEEP = {
    "m.pb": deep_attribute(3000),
    "m.pbtxt": b"node { " * 1 + b"attr { value { func { " * 3000 + b"}" * 9001,
    "m.meta": in_meta(deep_attribute(3000)),
    "m.keras": b'{"config": ' * 100_000 + b"1" + b"}" * 100_000,
    "m.safetensors": b"[" * 100_000,
}


@pytest.mark.parametrize("name", DEEP)
def test_m06_deep_nesting_is_one_error(look, tmp_path, name):
    """No reader runs out of stack."""
    data = DEEP[name]
    if name == "m.keras":
        with zipfile.ZipFile(tmp_path / name, "w") as packed:
            packed.writestr("config.json", data)
            packed.writestr("metadata.json", "{}")
    elif name == "m.safetensors":
        (tmp_path / name).write_bytes(len(data).to_bytes(8, "little") + b"{" + data[1:])
    else:
        (tmp_path / name).write_bytes(data)

    found = look(tmp_path / name)

    assert found["error"]
    assert found["peak"] < SMALL


@pytest.mark.parametrize("name", ["m.meta", "m/saved_model.pb", "m.pbtxt", "m/saved_model.pbtxt"])
def test_m06_more_than_a_message_can_be_is_refused_unread(look, tmp_path, name):
    """Three gigabytes, which lie nowhere."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    binary = {"m.meta": in_meta(NAMED), "m/saved_model.pb": in_saved_model(NAMED)}
    text = b"meta_graphs {" if "saved" in name else b"node {"
    path.write_bytes(binary.get(name, text))
    os.truncate(path, 3 * GIB)

    found = look(path.parent if path.parent != tmp_path else path)

    assert found["error"]
    assert found["peak"] < SMALL


SIZES = [[-1], [-(1 << 63)], [1 << 62, 4], [1 << 40, 1 << 40], [(1 << 63) - 1, 2]]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_m07_no_tensor_has_such_sizes(tmp_path, sizes):
    """Negative ones, and more than there are addresses for: in a graph, in a checkpoint."""
    graph = protos.GraphDef(node=[constant("c", 2, 1.0)])
    shape = graph.node[0].attr["value"].tensor.tensor_shape
    shape.ClearField("dim")
    for size in sizes:
        shape.dim.add(size=size)

    with pytest.raises(FormatError):
        tensor_protos.from_proto(graph.node[0].attr["value"].tensor)
    with pytest.raises(FormatError):
        tensor_protos.shape_of(shape)


@pytest.mark.parametrize("number", [-1, 0, 34, 99, 100, 134, (1 << 31) - 1])
def test_m07_no_tensor_has_such_a_dtype(number):
    """A number for which there is no type."""
    with pytest.raises(ZooError):
        tensor_protos.from_proto(protos.TensorProto(dtype=number))


@pytest.mark.parametrize("shape", ["[NaN]", "[1e3]", "[-2]", "[true]", "[null]", '["2"]', "2"])
def test_m07_a_shape_is_whole_numbers(tmp_path, shape):
    """NaN, a fraction, a truth, a text: none is a size."""
    head = '{"w":{"dtype":"F32","shape":SHAPE,"data_offsets":[0,8]}}'.replace("SHAPE", shape)
    path = tmp_path / "m.safetensors"
    path.write_bytes(len(head).to_bytes(8, "little") + head.encode() + bytes(8))

    with pytest.raises(FormatError):
        zoo.load(path)
    with pytest.raises(ValueError, match=r"shape|axis"):
        npy.sizes(json.loads(shape), 4)


class Harm:
    """What makes a folder where it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("was-unpickled",)


@pytest.mark.long
def test_m18_pickles_are_never_loaded(tmp_path, monkeypatch):
    """An array of objects, in an archive or alone, and a file that is nothing but a pickle."""
    monkeypatch.chdir(tmp_path)
    array = io.BytesIO()
    np.save(array, np.array([Harm()], object), allow_pickle=True)
    npz(tmp_path / "m.npz", w=array.getvalue())
    (tmp_path / "w.npy").write_bytes(array.getvalue())
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(Harm()))

    with pytest.raises(AccessError, match="pickle"):
        zoo.load("m.npz")
    for name in ("m.npz", "w.npy", "m.pkl"):
        run(["inspect", f"./{name}"])
        run(["doctor", f"./{name}"])
        assert run(["convert", f"./{name}", "out", "--to", "frozen"]) != 0
    assert run(["run", "toy-adder", "-i", "w1=@w.npy", "-i", "w2=1"]) != 0

    assert not (tmp_path / "was-unpickled").exists()


def test_what_is_honest_is_not_weighed_down(tmp_path, monkeypatch):
    """Messages that are as large as their nodes are far below what may come of them."""
    named = [node(f"layer_{number}/weights/read", "NoOp") for number in range(20_000)]
    bare = [protos.NodeDef()] * 20_000
    monkeypatch.setenv("ZOO_BUDGET", "35MB")

    refuse_swollen(protos.GraphDef(node=named).SerializeToString(), "GraphDef", tmp_path)
    with pytest.raises(LimitError):
        refuse_swollen(protos.GraphDef(node=bare).SerializeToString(), "GraphDef", tmp_path)


BRACKETS = ["a: [" + "{}," * 9000 + "{}]", "models: {a: [" + "[]," * 9000 + "]}"]


@pytest.mark.parametrize("text", BRACKETS, ids=["read", "parts"])
def test_m06_registries_of_brackets_are_counted(tmp_path, monkeypatch, text):
    """Three bytes of YAML become hundreds; entries that are read one by one count alone."""
    monkeypatch.setenv("ZOO_BUDGET", "1MB")

    with pytest.raises(RegistryError, match="ZOO_BUDGET"):
        yaml_events.read(text.encode(), "r.yaml")
    with pytest.raises(RegistryError, match="ZOO_BUDGET"):
        list(yaml_events.parts(text.encode(), "r.yaml", "models"))
    honest = "models: {" + ", ".join(f"m{n}: {{a: [b]}}" for n in range(9000)) + "}"
    assert len(list(yaml_events.parts(honest.encode(), "r.yaml", "models"))) == 9000


def test_m06_a_lock_without_end_is_not_read(tmp_path):
    """Gigabytes that lie nowhere."""
    (tmp_path / "zoo.lock").touch()
    os.truncate(tmp_path / "zoo.lock", 3 * GIB)

    with pytest.raises(RegistryError, match="not sound"):
        lockfile.here(tmp_path / "zoo.lock")


def test_m05_an_archive_unpacks_within_the_budget(tmp_path, monkeypatch):
    """A megabyte of zeros in a kilobyte, where half of it may come."""
    (tmp_path / "into").mkdir()
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("zeros", bytes(1_000_000))
    monkeypatch.setenv("ZOO_BUDGET", "500kB")

    with pytest.raises(FormatError, match="ZOO_BUDGET"):
        extract(tmp_path / "a.zip", tmp_path / "into")
