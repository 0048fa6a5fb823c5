"""NumPy's archives are those of numpy, which reads and writes them too; nothing is unpickled."""

import io
import pickle
import zipfile

import ml_dtypes
import numpy as np
import pytest

import zoo
import zoo_npz
from zoo.errors import AccessError, FormatError, UnsupportedError
from zoo.samples import bag_model, odd_weights, sample_model
from zoo.testing import FormatContract

FORM = next(iter(zoo_npz.zoo_formats()))
HELD = {name: tensor for name, tensor in odd_weights().items() if name != "words"}
LETTERS = "biufc"


class TestContract(FormatContract):
    @pytest.fixture
    def form(self):
        return FORM


def header(text, version=1):
    """Return the header of a ``.npy`` file that says `text`."""
    width = 2 if version == 1 else 4
    encoded = text.encode("utf-8" if version == 3 else "latin1")
    length = len(encoded).to_bytes(width, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + encoded


def stated(descr="'<f4'", shape="(1,)", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def archive(path, members, method=zipfile.ZIP_STORED):
    """Write a zip archive of bytes by name."""
    with zipfile.ZipFile(path, "w", method) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return path


def one_array(path, data):
    return archive(path, {"w.npy": data})


@pytest.mark.parametrize("compressed", [False, True])
def test_numpy_reads_what_zoo_writes(tmp_path, compressed):
    """Every kind of weight; of a dtype that numpy lacks its bits, in a field of its name."""
    model = bag_model(HELD)
    zoo.save(model, tmp_path / "bag.npz", format="npz", compressed=compressed)

    with np.load(tmp_path / "bag.npz", allow_pickle=False) as found:
        assert {*found.files} == {*HELD, "__zoo__/meta_graph"}
        for name, tensor in HELD.items():
            values = found[name]
            assert (values.shape, values.tobytes()) == (tensor.shape, tensor.tobytes())
            if tensor.dtype.numpy.kind in LETTERS:
                assert values.dtype == tensor.dtype.numpy
        assert found["brain"].dtype == np.dtype([("bfloat16", "<u2")])
        graph = found["__zoo__/meta_graph"].tobytes()
    assert graph == model.meta_graph.SerializeToString(deterministic=True)


def test_arrays_are_written_as_numpy_writes_them(tmp_path):
    """Each member is, byte for byte, what ``numpy.save`` makes of the array."""
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(True), "c": np.zeros((0, 12345)),
              "d": np.arange(3, dtype="i2"), "e": np.ones((1, 1, 1, 7), "c16")}  # fmt: skip
    arrays |= {f"axes {count}": np.ones((1,) * count) for count in range(25)}

    zoo.save(zoo.Model(zoo.protos.MetaGraphDef(), arrays), tmp_path / "f.npz", format="npz")

    with zipfile.ZipFile(tmp_path / "f.npz") as packed:
        assert packed.testzip() is None
        assert {info.date_time for info in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        for name, values in arrays.items():
            file = io.BytesIO()
            np.save(file, values)
            assert packed.read(f"{name}.npy") == file.getvalue()


ARRAYS = {
    "plain": np.arange(6, dtype="f4").reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
    "big": np.arange(6, dtype=">f8").reshape(3, 2),
    "both": np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3)),
    "scalar": np.array(7, "u2"),
    "empty": np.zeros((2, 0, 3), "f2"),
    "flags": np.array([[True, False]]),
    "scope/größe/重み": np.ones(3, "c8"),
    "no/../way": np.ones(2, "i1"),
    "fc8.npy": np.ones(2, "u8"),
    "brain": np.array([1.5, -3.25], ml_dtypes.bfloat16),
    "letters": np.array([["größe", ""], ["重み", "x"]]),
    "bytes": np.array([b"\xff\0x", b""]),
    "no letters": np.array(["", ""]),
}


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_zoo_reads_what_numpy_writes(tmp_path, write):
    """In either order of axes and of bytes, compressed or not, under any name; text as bytes."""
    write(tmp_path / "theirs.npz", **ARRAYS)

    found = zoo.load(tmp_path / "theirs.npz")

    assert {*found.weights} == {*ARRAYS}
    for name, values in ARRAYS.items():
        read, tensor = found.weights[name], found.weights.tensor(name)
        assert (read.shape, tensor.shape) == (values.shape, values.shape)
        if values.dtype.kind in "US":
            texts = [v.encode() if isinstance(v, str) else v for v in values.ravel().tolist()]
            assert read.ravel().tolist() == texts
            continue
        little = values.astype(values.dtype.newbyteorder("<"))
        assert tensor.dtype.name == little.dtype.name
        assert read.tobytes() == tensor.tobytes() == little.tobytes()


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize(
    "text",
    [
        stated("'<f4'", "(2, 3)"), stated("'<f4'", "(2L, 3L)"),
        "{'shape': (2, 3), 'fortran_order': False, 'descr': '<f4'}",
        '{"descr": "<f4", "fortran_order": False, "shape": (2, 3)}   \n',
    ],
)  # fmt: skip
def test_headers_by_others(tmp_path, version, text):
    """All versions; the keys in any order; whole numbers as Python 2 wrote them."""
    values = np.arange(6, dtype="f4").reshape(2, 3)
    one_array(tmp_path / "f.npz", header(text, version) + values.tobytes())

    assert zoo.load(tmp_path / "f.npz").weights["w"].tolist() == values.tolist()


@pytest.mark.parametrize("name", ["qint8", "quint16", "int4", "float8_e5m2", "bfloat16"])
def test_dtypes_that_numpy_lacks_come_back(tmp_path, name):
    """By the name of the field that their bits are in."""
    dtype = zoo.dtypes.named(name)
    values = np.arange(6).astype(dtype.numpy).reshape(2, 3)
    zoo.save(
        bag_model({"w": zoo.tensors.ArrayTensor(values, dtype)}), tmp_path / "f.npz", format="npz"
    )

    found = zoo.load(tmp_path / "f.npz").weights.tensor("w")

    assert (found.dtype, found.shape, found.tobytes()) == (dtype, (2, 3), values.tobytes())
    assert np.load(tmp_path / "f.npz")["w"].dtype.names == (name,)


class Trap:
    """What a pickle can do when it is read."""

    def __reduce__(self):
        return (pytest.fail, ("it was unpickled",))


@pytest.mark.parametrize("descr", ["'|O'", "[('x', '|O')]"])
def test_objects_are_refused_and_never_unpickled(tmp_path, descr):
    """By the name of the array, and what helps."""
    np.savez(tmp_path / "theirs.npz", w=np.array([Trap()], object))
    one_array(tmp_path / "made.npz", header(stated(descr)) + pickle.dumps([1]))

    for name in ("theirs.npz", "made.npz"):
        with pytest.raises(AccessError, match="'w' is a pickle") as caught:
            zoo.load(tmp_path / name)
        assert "save it anew" in caught.value.hint
        with pytest.raises(AccessError):
            zoo.inspect(tmp_path / name)


@pytest.mark.parametrize(
    "descr",
    [
        "'<M8[D]'",
        "'|V3'",
        "'<f16'",
        "[('a', '<f4'), ('b', '<f4')]",
        "'<S'",
        "'<q8'",
        "[('qint8', '<f4')]",
        "[('a', '<f4')]",
    ],
)
def test_dtypes_that_tensorflow_lacks_are_refused(tmp_path, descr):
    """Dates, records, long doubles."""
    one_array(tmp_path / "f.npz", header(stated(descr)) + bytes(16))

    with pytest.raises(UnsupportedError, match="has no dtype"):
        zoo.load(tmp_path / "f.npz")


WHOLE = header(stated()) + bytes(4)
DAMAGED = {
    "no array": b"hello" * 10,
    "nothing": b"",
    "a magic alone": b"\x93NUMPY",
    "version 9": header(stated(), 9) + bytes(4),
    "a header that ends early": WHOLE[:30],
    "a header of 4 GB": b"\x93NUMPY\x02\0\xff\xff\xff\xff{}",
    "a long header": header(stated() + " " * 20_000, 2) + bytes(4),
    "no values": header(stated()),
    "too few": header(stated(shape="(2,)")) + bytes(4),
    "too many": WHOLE + b"\0",
    "no header": header("\n") + bytes(4),
    "a list": header("[1, 2, 3]\n") + bytes(4),
    "a call": header("{'descr': print('<f4'), 'fortran_order': False, 'shape': (1,)}") + bytes(4),
    "deep": header("(" * 5000) + bytes(4),
    "deeper": header("-" * 9000 + "1") + bytes(4),
    "a backslash": header(stated("'\\x3cf4'")) + bytes(4),
    "a key more": header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}")
    + bytes(4),
    "a key less": header("{'descr': '<f4', 'shape': (1,)}") + bytes(4),
    "a size below 0": header(stated(shape="(-1,)")) + bytes(4),
    "half a size": header(stated(shape="(1.0,)")) + bytes(4),
    "a size that is true": header(stated(shape="(True,)")) + bytes(4),
    "a size alone": header(stated(shape="1")) + bytes(4),
    "2^80 elements": header(stated(shape=f"({2**40}, {2**40})")) + bytes(4),
    "2^64 times nothing": header(stated(shape=f"({2**63}, 2, 0)")),
    "65 axes": header(stated(shape=f"({'1, ' * 65})")) + bytes(4),
    "an order that is a number": header(stated(order="1")) + bytes(4),
    "no letter": header(stated("'<U1'")) + b"\xff\xff\xff\xff",
    "half of a letter": header(stated("'<U1'")) + b"\x00\xd8\0\0",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_arrays_are_format_errors(tmp_path, name):
    """At once, or, for text that is none, when it is read."""
    one_array(tmp_path / "f.npz", DAMAGED[name])

    with pytest.raises(FormatError):
        _ = zoo.load(tmp_path / "f.npz").weights["w"]


def twice(path):
    archive(path, {"v.npy": WHOLE, "w.npy": WHOLE})
    path.write_bytes(path.read_bytes().replace(b"v.npy", b"w.npy"))


def in_front(path):
    one_array(path, WHOLE)
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())


def behind(path):
    one_array(path, WHOLE)
    path.write_bytes(path.read_bytes() + b"more")


def another_name(path):
    one_array(path, WHOLE)
    path.write_bytes(path.read_bytes().replace(b"w.npy", b"v.npy", 1))


def another_sum(path):
    one_array(path, WHOLE)
    place = path.read_bytes().index(WHOLE) + len(WHOLE) - 1
    changed = bytearray(path.read_bytes())
    changed[place] ^= 1
    path.write_bytes(changed)


def a_link(path):
    info = zipfile.ZipInfo("w.npy")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(info, WHOLE)


def a_method(path):
    archive(path, {"w.npy": WHOLE}, zipfile.ZIP_LZMA)


@pytest.mark.parametrize(
    "trick", [twice, in_front, behind, another_name, another_sum, a_link, a_method]
)
def test_archives_that_can_be_read_in_two_ways_are_refused(tmp_path, trick):
    """Two arrays of a name, bytes of nobody, a directory that lies, a wrong sum, a link."""
    trick(tmp_path / "f.npz")

    with pytest.raises(FormatError):
        _ = zoo.load(tmp_path / "f.npz", format="npz").weights["w"]


@pytest.mark.parametrize("place", range(6))
def test_a_flipped_bit_never_goes_unnoticed(tmp_path, place):
    """The sums of the archive cover every value."""
    zoo.save(sample_model(), tmp_path / "f.npz", format="npz")
    whole = (tmp_path / "f.npz").read_bytes()
    at = whole.index(sample_model().weights["dense/kernel"].tobytes()) + place * 4
    (tmp_path / "f.npz").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])

    model = zoo.load(tmp_path / "f.npz")

    with pytest.raises(FormatError, match="damaged"):
        _ = model.weights["dense/kernel"]
    with pytest.raises(FormatError, match="damaged"):
        list(model.weights.tensor("dense/kernel").chunks())


def test_other_archives_are_not_claimed(tmp_path):
    """A zip with anything but arrays in it is an archive, wherever the arrays stand."""
    archive(tmp_path / "mixed.zip", {"w.npy": WHOLE, "readme.txt": b"hello"})
    archive(tmp_path / "late.zip", {"readme.txt": b"hello", "w.npy": WHOLE})
    archive(tmp_path / "empty.zip", {})

    for name in ("mixed.zip", "late.zip", "empty.zip"):
        assert not FORM.recognises(tmp_path / name)
        assert zoo.inspect(tmp_path / name)["format"] == "archive"
    assert FORM.recognises(one_array(tmp_path / "arrays.zip", WHOLE))


@pytest.mark.parametrize("name", ["text", "nul\0", "long" * 20_000, "__zoo__/meta_graph"])
def test_what_has_no_room_is_refused(tmp_path, name):
    """Text, and names that no archive takes or that are ours; nothing is written then."""
    values = np.array(b"text", object) if name == "text" else np.float32(1)
    model = zoo.Model(zoo.protos.MetaGraphDef(), {name: values})

    with pytest.raises(UnsupportedError, match="no room"):
        zoo.save(model, tmp_path / "f.npz", format="npz")
    assert list(tmp_path.iterdir()) == []


def test_a_bomb_is_not_unpacked_to_be_looked_at(tmp_path):
    """Zeros that take a thousandth of their size are an array like any other, until read."""
    start = header(stated(shape=f"({1 << 24},)"))
    with (
        zipfile.ZipFile(tmp_path / "f.npz", "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("w.npy", "w") as file,
    ):
        file.write(start)
        for _ in range(64):
            file.write(bytes(1 << 20))

    assert zoo.inspect(tmp_path / "f.npz")["parameters"] == 1 << 24
