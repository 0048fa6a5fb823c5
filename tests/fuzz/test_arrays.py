"""Files of arrays: npy headers, npz archives, safetensors."""

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

import zoo
import zoo_npz
import zoo_safetensors
from tests.fuzz.edits import NUMBERS, Specimen, trees
from tests.fuzz.targets import Target
from zoo import npy
from zoo.errors import ZooError
from zoo.samples import sample_model

WORDS = (
    b"'descr'", b"'|O'", b"(", b")", b"[", b"-1", b"9" * 20, b"True", b"'<f4'", b"'<U9'", b"{",
    b"\\", b'"shape":[', b'"data_offsets":[0,', b'"dtype":"F64"', b"__metadata__", b"null", b"1e9",
)  # fmt: skip


def array_file(array):
    whole = io.BytesIO()
    np.save(whole, array)
    return whole.getvalue()


ARRAYS = [
    array_file(np.arange(6, dtype="<f4").reshape(2, 3)),
    array_file(np.asfortranarray(np.arange(6, dtype=">i8").reshape(2, 3))),
    array_file(np.array(["a", "größe"])),
    array_file(np.array([b"x", b"yz"])),
    array_file(np.zeros((0, 3), np.uint8)),
]


@st.composite
def headers(draw):
    """Return a tree with an array whose header says anything."""
    sizes = st.sampled_from(["0", "1", "2", "-1", "True", "1.0", "None", *map(str, NUMBERS)])
    descr = draw(st.sampled_from(["'<f4'", "'|O'", "'<U1'", "'|S0'", "'>c16'", "[('a', '<f4')]"]))
    shape = f"({', '.join(draw(st.lists(sizes, max_size=5)))},)"
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    length = draw(st.sampled_from([len(text), len(text), 0, 0xFFFF]))
    body = draw(st.binary(max_size=16))
    return {"x.npy": b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + text + body}


def packed(parts):
    """Return an archive of `parts`."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return {"m.npz": whole.getvalue()}


def saved(form):
    """Return the bytes of a small model in this format."""
    with tempfile.TemporaryDirectory() as room:
        zoo.save(sample_model(), Path(room, f"m.{form}"), form)
        return Path(room, f"m.{form}").read_bytes()


def unpacked(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def headed(parts):
    """Return a safetensors file whose length is right for its header."""
    head, data = parts["head"], parts["data"]
    return {"m.safetensors": len(head).to_bytes(8, "little") + head + data}


def specimens_of_safetensors():
    whole = saved("safetensors")
    end = 8 + int.from_bytes(whole[:8], "little")
    plain = b'{"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}'
    parts = [{"head": whole[8:end], "data": whole[end:]}, {"head": plain, "data": bytes(8)}]
    return [Specimen({"m.safetensors": whole}), *(Specimen(p, headed) for p in (*parts, parts[1]))]


def read_all(model):
    for name in model.weights:
        try:
            _ = model.weights[name]
            if model.weights.tensor(name).dtype.itemsize:
                model.weights.tensor(name).tobytes()
        except ZooError as error:
            str(error)


def look_npy(folder):
    """Read one array."""
    path = folder / "x.npy"
    one = npy.tensor(lambda: iter([path.read_bytes()]), path.stat().st_size, "x")
    one.read()
    if one.dtype.itemsize:
        one.tobytes()


def look_npz(folder):
    """Read every array of an archive."""
    zoo_npz.recognises(folder / "m.npz")
    read_all(zoo_npz.read(folder / "m.npz"))


def look_safetensors(folder):
    """Read every array, and the graph."""
    zoo_safetensors.recognises(folder / "m.safetensors")
    read_all(zoo_safetensors.read(folder / "m.safetensors"))
    zoo_safetensors.leaves(folder / "m.safetensors")


NPY = trees(lambda: [Specimen({"x.npy": data}) for data in ARRAYS], WORDS)


def specimens_of_npz():
    """Return an archive that is changed as it is, and one that is packed afterwards."""
    whole = saved("npz")
    return [Specimen({"m.npz": whole}), Specimen(unpacked(whole), packed)]


NPZ = trees(specimens_of_npz, WORDS)
TARGETS = [
    Target("npy", st.one_of(NPY, headers()), look_npy),
    Target("npz", NPZ, look_npz),
    Target("safetensors", trees(specimens_of_safetensors, WORDS), look_safetensors),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_arrays_are_read_or_refused(target):
    """Every array, whatever the headers say."""
    read, refused = target.fuzz()

    assert read
    assert refused


def test_what_is_read_numpy_reads_the_same():
    """What is taken of a changed array, numpy takes for the same values."""

    def look_beside(folder):
        path = folder / "x.npy"
        ours = npy.tensor(lambda: iter([path.read_bytes()]), path.stat().st_size, "x").read()
        theirs = np.load(path, allow_pickle=False)
        if ours.dtype == object:
            texts = [t.encode() if isinstance(t, str) else t for t in theirs.reshape(-1).tolist()]
            assert ours.reshape(-1).tolist() == texts
        else:
            assert ours.tobytes() == theirs.astype(theirs.dtype.newbyteorder("<")).tobytes()

    assert Target("npy_numpy", st.one_of(NPY, headers()), look_beside).fuzz()[0]
