"""Safetensors are those of the package ``safetensors``, which reads and writes them too."""

import json
import struct

import numpy as np
import pytest

import zoo
import zoo_safetensors
from zoo.errors import FormatError, UnsupportedError
from zoo.samples import bag_model, odd_weights, sample_model
from zoo.testing import FormatContract

package = pytest.importorskip("safetensors")
theirs = pytest.importorskip("safetensors.numpy")
ml_dtypes = pytest.importorskip("ml_dtypes")

FORM = next(iter(zoo_safetensors.zoo_formats()))
WORDS = {"words"}
"""What has no place in the format."""
HELD = {name: tensor for name, tensor in odd_weights().items() if name not in WORDS}
DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "F8_E5M2": "float8_e5m2",
    "F8_E4M3": "float8_e4m3fn", "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz", "I16": "int16", "U16": "uint16", "F16": "float16",
    "BF16": "bfloat16", "I32": "int32", "U32": "uint32", "F32": "float32", "C64": "complex64",
    "F64": "float64", "I64": "int64", "U64": "uint64",
}  # fmt: skip
"""Their dtypes and TensorFlow's."""


class TestContract(FormatContract):
    @pytest.fixture
    def form(self):
        return FORM


def file_of(header, data=b"", *, length=None):
    """Return the bytes of a file with a header: an object, or its text."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def array(dtype="F32", shape=(1,), start=0, end=4):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


def test_the_package_reads_what_zoo_writes(tmp_path):
    """Every kind of weight, by its name, and the graph as a text among the metadata."""
    zoo.save(bag_model(HELD), tmp_path / "bag.safetensors", format="safetensors")

    found = dict(package.deserialize((tmp_path / "bag.safetensors").read_bytes()))

    assert found.keys() == HELD.keys()
    for name, tensor in HELD.items():
        assert DTYPES[found[name]["dtype"]] == tensor.dtype.name
        assert tuple(found[name]["shape"]) == tensor.shape
        assert bytes(found[name]["data"]) == tensor.tobytes()
    with package.safe_open(tmp_path / "bag.safetensors", "np") as file:
        assert [*file.metadata()] == ["zoo.meta_graph"]


@pytest.mark.parametrize("metadata", [None, {"format": "pt", "größe": 'ß"\n'}])
def test_zoo_reads_what_the_package_writes(tmp_path, metadata):
    """Names in any script, scalars, empty arrays; metadata of others is said to be left out."""
    arrays = {
        name: np.ascontiguousarray(t.read()).reshape(t.shape)
        for name, t in HELD.items()
        if name not in ("big_endian", "brain")
    }
    theirs.save_file(arrays, tmp_path / "theirs", metadata)

    found = zoo.load(tmp_path / "theirs")

    assert {*found.weights} == {*arrays}
    for name, values in arrays.items():
        assert found.weights[name].dtype == values.dtype
        assert found.weights[name].shape == values.shape
        assert found.weights[name].tobytes() == values.tobytes()
    told = ["left out metadata of the file: format, größe"] if metadata else []
    assert FORM.left_at(tmp_path / "theirs", {}) == told


def test_bytes_are_those_that_the_package_writes(tmp_path):
    """The same order, the same padding, the same JSON: nobody can tell who wrote a file."""
    arrays = {"größe/重み": np.arange(3), "b": np.ones((2, 3), "f4"), "h": np.ones(3, "f2"),
              "a": np.ones((0, 3), "f4"), "f": np.array([True]), "s": np.array(2.5)}  # fmt: skip

    zoo.save(zoo.Model(zoo.protos.MetaGraphDef(), arrays), tmp_path / "ours", format="safetensors")

    assert (tmp_path / "ours").read_bytes() == theirs.save(arrays)


@pytest.mark.parametrize("code", DTYPES)
def test_every_dtype_that_both_have(tmp_path, code):
    """Their files with each of their dtypes, written again by zoo, stay what they were."""
    width = zoo.dtypes.named(DTYPES[code]).itemsize
    data = bytes(range(width * 6)) if code != "BOOL" else b"\1\0\1\0\1\1"
    written = file_of({"w": array(code, (2, 3), 0, len(data))}, data)
    (tmp_path / "theirs").write_bytes(written)

    model = zoo.load(tmp_path / "theirs")
    zoo.save(model, tmp_path / "ours", format="safetensors")

    assert model.weights.tensor("w").dtype.name == DTYPES[code]
    assert package.deserialize((tmp_path / "ours").read_bytes()) == package.deserialize(written)


@pytest.mark.parametrize("name", ["qint8", "quint16", "qint32", "int4", "float8_e4m3b11fnuz"])
def test_dtypes_that_they_lack_are_stored_as_their_bits(tmp_path, name):
    """The package finds whole numbers; zoo finds what they were."""
    dtype = zoo.dtypes.named(name)
    values = np.arange(6).astype(dtype.numpy).reshape(2, 3)
    model = bag_model({"w": zoo.tensors.ArrayTensor(values, dtype)})

    zoo.save(model, tmp_path / "bits", format="safetensors")

    stored = package.deserialize((tmp_path / "bits").read_bytes())[0][1]
    assert stored["dtype"] == f"U{8 * dtype.itemsize}"
    assert bytes(stored["data"]) == values.tobytes()
    found = zoo.load(tmp_path / "bits").weights.tensor("w")
    assert (found.dtype, found.tobytes()) == (dtype, values.tobytes())


@pytest.mark.parametrize("code", ["F4", "F6_E2M3", "F6_E3M2", "F8_E8M0"])
def test_dtypes_that_tensorflow_lacks_are_refused(tmp_path, code):
    """By the name of the array."""
    (tmp_path / "f").write_bytes(file_of({"w": array(code, (4,), 0, 4)}, bytes(4)))

    with pytest.raises(UnsupportedError, match="has no dtype") as caught:
        zoo.load(tmp_path / "f")
    assert "'w'" in caught.value.found


@pytest.mark.parametrize("name", ["text", "__metadata__"])
def test_what_has_no_room_is_refused(tmp_path, name):
    """Text, and the one name that is taken; nothing is written then."""
    values = np.array(b"text", object) if name == "text" else np.float32(1)
    model = zoo.Model(zoo.protos.MetaGraphDef(), {name: values})

    with pytest.raises(UnsupportedError, match="no room"):
        zoo.save(model, tmp_path / "f", format="safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_graph_too_large_for_a_header_is_refused(tmp_path, monkeypatch):
    """By their own rule a header has at most 100 MB."""
    monkeypatch.setattr(zoo_safetensors, "_MOST_HEADER", 500)

    with pytest.raises(UnsupportedError, match="too large for a safetensors file"):
        zoo.save(sample_model(), tmp_path / "f", format="safetensors")
    assert list(tmp_path.iterdir()) == []


DAMAGED = {
    "nothing": b"",
    "no length": b"\2\0\0",
    "a length alone": struct.pack("<Q", 2),
    "a header too large": file_of({}, length=100_000_001),
    "a header that ends early": file_of({}, length=100),
    "an endless header": file_of({}, length=2**64 - 1),
    "an empty header": file_of(b""),
    "a list": file_of(b"[]"),
    "no JSON": file_of(b"{}x"),
    "a NUL behind": file_of(b"{}\0"),
    "deep JSON": file_of(b'{"a":' + b"[" * 100_000),
    "a number that is none": file_of(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}'),
    "no UTF-8": file_of(b'{"\xff":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', bytes(4)),
    "half of a letter": file_of(
        b'{"\\ud800":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', bytes(4)
    ),
    "metadata of numbers": file_of({"__metadata__": {"a": 1}}),
    "metadata twice": file_of(b'{"__metadata__":{},"__metadata__":{}}'),
    "a dtype that is none": file_of({"a": array("F31")}, bytes(4)),
    "a dtype twice": file_of(
        b'{"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}', bytes(4)
    ),
    "no dtype": file_of({"a": {"shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
    "a negative size": file_of({"a": array(shape=(-1,))}, bytes(4)),
    "half a size": file_of({"a": array(shape=(1.0,))}, bytes(4)),
    "a size that is true": file_of({"a": array(shape=(True,))}, bytes(4)),
    "2^80 elements": file_of({"a": array(shape=(2**40, 2**40))}, bytes(4)),
    "2^64 times nothing": file_of({"a": array(shape=(2**63, 2, 0), end=0)}),
    "another length": file_of({"a": array(shape=(2,))}, bytes(4)),
    "three offsets": file_of({"a": {**array(), "data_offsets": [0, 4, 8]}}, bytes(4)),
    "offsets that are text": file_of({"a": {**array(), "data_offsets": "04"}}, bytes(4)),
    "an end before its beginning": file_of({"a": array(start=4, end=0)}, bytes(4)),
    "a beginning that lies": file_of({"a": array(start=2, end=4)}, bytes(4)),
    "no number anywhere": file_of(
        b'{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"more":NaN}}', bytes(4)
    ),
    "a hole before": file_of({"a": array(start=4, end=8)}, bytes(8)),
    "a hole between": file_of({"a": array(), "b": array(start=8, end=12)}, bytes(12)),
    "bytes behind": file_of({"a": array()}, bytes(5)),
    "an overlap": file_of({"a": array(), "b": array()}, bytes(4)),
    "an empty one in the middle of another": file_of(
        {"a": array(shape=(0,), start=2, end=2), "b": array()}, bytes(4)
    ),
    "cut off": file_of({"a": array()}, bytes(3)),
}  # fmt: skip
STRICTER = {
    "a name twice": file_of(
        b'{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},'
        b'"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', bytes(4)
    ),
    "metadata's key twice": file_of(b'{"__metadata__":{"a":"b","a":"c"}}'),
    "a graph that is none": file_of({"__metadata__": {"zoo.meta_graph": "////"}}),
    "a graph in no base64": file_of({"__metadata__": {"zoo.meta_graph": "%"}}),
    "keys that are none": file_of({"__metadata__": {"zoo.keys": "WzFd"}}),
    "dtypes that are none": file_of(
        {"a": array(), "__metadata__": {"zoo.dtypes": "WzFd"}}, bytes(4)
    ),
    "another width": file_of(
        {"a": array("U8", (4,)), "__metadata__": {"zoo.dtypes": "eyJhIjogInFpbnQzMiJ9"}}, bytes(4)
    ),
}  # fmt: skip
"""What the package lets pass, against its own rules or for want of knowing ours."""


@pytest.mark.parametrize("name", DAMAGED | STRICTER)
def test_what_the_package_refuses_is_a_format_error(tmp_path, name):
    """Each of its own rejections, and what it should reject."""
    (tmp_path / "f").write_bytes((DAMAGED | STRICTER)[name])

    if name in DAMAGED:
        with pytest.raises(package.SafetensorError):
            package.deserialize(DAMAGED[name])
    with pytest.raises(FormatError):
        FORM.load(tmp_path / "f")
    with pytest.raises(FormatError):
        zoo.load(tmp_path / "f")
