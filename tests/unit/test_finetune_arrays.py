"""Arrays: from an .npz that is mapped in its place, and from Python."""

import os
import zipfile

import numpy as np
import pytest

from zoo import dtypes
from zoo.errors import DataError, FormatError, InputError, UsageError
from zoo.specs import TensorSpec
from zoo_finetune import contents, examples
from zoo_finetune.contents import Rows, chosen
from zoo_finetune.recipe import Recipe

SPEC = TensorSpec("x:0", dtypes.named("float32"), (None, 3))
X = np.arange(12, dtype=np.float32).reshape(4, 3)
Y = np.array([0, 1, 1, 0])


def read(data, outputs=2, spec=SPEC, **options):
    """Return what is in `data`."""
    return examples.read(data, Recipe(outputs, **options), spec)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("x", [X, np.asfortranarray(X), X.astype(">f8"), X[:, ::-1], X[:0]])
def test_an_npz_is_mapped(tmp_path, save, x):
    """As np.load reads it, whatever its order and dtype, and not in memory."""
    save(tmp_path / "data.npz", x=x, y=Y[: len(x)])

    found = read(tmp_path / "data.npz")

    assert np.array_equal(found.values[""], np.load(tmp_path / "data.npz")["x"])
    assert isinstance(found.values[""], np.memmap) or not len(x)
    assert found.labels.tolist() == Y[: len(x)].tolist()


def test_an_npz_is_not_copied(tmp_path):
    """What is written into the file afterwards is seen: it is the file."""
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    found = read(tmp_path / "data.npz")
    whole = (tmp_path / "data.npz").read_bytes()
    at = whole.index(X.tobytes())

    with (tmp_path / "data.npz").open("r+b") as file:
        file.seek(at)
        file.write(np.float32(99).tobytes())

    assert found.values[""][0, 0] == 99


def test_several_inputs_by_name(tmp_path):
    """From a file, from a dict with y, and from a pair."""
    np.savez(tmp_path / "data.npz", a=X, b=X[:, 0], y=Y)
    for data in (
        tmp_path / "data.npz",
        {"a": X, "b": X[:, 0], "y": Y},
        ({"a": X, "b": X[:, 0]}, Y),
    ):
        found = read(data)

        assert sorted(found.values) == ["a", "b"]
        assert found.values["b"].tolist() == X[:, 0].tolist()


@pytest.mark.parametrize("name", ["y", "label", "labels", "target", "targets", "class"])
def test_what_labels_are_called(tmp_path, name):
    """The only other array is the input, whatever it is called."""
    np.savez(tmp_path / "data.npz", **{"pixels": X, name: Y})

    assert list(read(tmp_path / "data.npz").values) == [""]


def damaged(path, how):
    """Write an .npz at `path` that is wrong in one way."""
    np.savez(path, x=X, y=np.array([{}, 1, 2, 3], object) if how == "objects" else Y)
    whole = bytearray(path.read_bytes())
    if how == "flipped":
        whole[whole.index(X.tobytes()) + 5] ^= 1
    if how == "shape":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", header(1 << 40))
            archive.writestr("y.npy", header(1))
    elif how == "beyond":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", header(8))
            archive.writestr("y.npy", header(100) + bytes(400))
    else:
        path.write_bytes(whole[: len(whole) // 2] if how == "cut" else whole)
    if how == "text":
        path.write_text("no zip at all")
    if how == "other":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.txt", "hello")


def header(count):
    """Return the head of a .npy that claims `count` numbers."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count},), }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize("how", ["flipped", "cut", "text", "objects", "shape", "beyond", "other"])
def test_damage_is_found(tmp_path, how):
    """A flipped bit, an end that is missing, objects, a shape of another file."""
    damaged(tmp_path / "data.npz", how)

    with pytest.raises(FormatError):
        read(tmp_path / "data.npz")


def test_a_table_of_records_holds_no_objects(tmp_path):
    """It is read as what it is; the checks say that it is no array of numbers."""
    np.savez(tmp_path / "data.npz", x=X.view([("a", "f4"), ("b", "f4"), ("c", "f4")]), y=Y)

    assert read(tmp_path / "data.npz").values[""].dtype.names == ("a", "b", "c")


@pytest.mark.parametrize("name", ["data.npz", "data.csv"])
def test_a_pipe_is_no_data(tmp_path, name):
    """Nobody waits for what might come out of it."""
    os.mkfifo(tmp_path / name)
    keep = os.open(tmp_path / name, os.O_RDWR)
    os.write(keep, b"1,2,3,0\n" * 5000)

    with pytest.raises(UsageError, match="neither file nor folder"):
        read(tmp_path / name)
    os.close(keep)


def test_no_labels(tmp_path):
    """A file without y, one of nothing else, and one made for another purpose."""
    for names in (["x"], ["y"], ["x_train", "y_train"]):
        np.savez(tmp_path / "data.npz", **dict.fromkeys(names, X))
        with pytest.raises(DataError) as caught:
            read(tmp_path / "data.npz")
        assert "y" in caught.value.hint


def test_arrays_of_unequal_length():
    """Each is named with its shape."""
    with pytest.raises(DataError) as caught:
        read((X, Y[:3]))

    assert caught.value.found == "x (4, 3), y (3,)"


@pytest.mark.parametrize(("data", "kind"), [
    (13, UsageError), ((X, Y, Y), UsageError), ((X, 1), DataError),
    (([[1], [1, 2]], [0, 1]), InputError),
    (({}, Y), InputError),
])  # fmt: skip
def test_what_is_no_data(data, kind):
    """Numbers, triples, single labels, ragged lists, no inputs."""
    with pytest.raises(kind):
        read(data)


def test_lists_and_bytes():
    """Plain Python; bytes that end with zeros stay as they are."""
    assert read((X.tolist(), Y.tolist())).values[""].tolist() == X.tolist()
    spec = TensorSpec("wav:0", dtypes.STRING, (None,))

    assert read(([b"a\0", b"b"], [0, 1]), spec=spec).values[""].tolist() == [b"a\0", b"b"]


def test_paths_from_python(tmp_path):
    """Files by path, with their labels, sorted by name with them."""
    for name in ("10.png", "9.png"):
        (tmp_path / name).write_bytes(name.encode())

    found = read(([tmp_path / "10.png", tmp_path / "9.png"], ["ten", "nine"]))

    assert [path.name for path in found.paths] == ["9.png", "10.png"]
    assert found.labels.tolist() == [0, 1]
    assert found.classes == ("nine", "ten")


@pytest.mark.parametrize(
    ("labels", "outputs", "numbers", "classes"),
    [
        (["b", "a", "b", "a"], 2, [1, 0, 1, 0], ("a", "b")),
        ([b"b", b"a", b"b", b"a"], 2, [1, 0, 1, 0], ("a", "b")),
        (np.array(["c10", "c9", "c9", "c10"]), 2, [1, 0, 0, 1], ("c9", "c10")),
        (np.eye(3)[[2, 0, 1, 1]], 3, [2, 0, 1, 1], ()),
        (np.eye(2, dtype=bool)[[1, 0, 1, 1]], 1, [1, 0, 1, 1], ()),
        (Y[:, None], 2, [0, 1, 1, 0], ()),
        (Y.astype(bool), 1, [0, 1, 1, 0], ()),
        (Y.astype(np.float16), 2, [0, 1, 1, 0], ()),
        (Y.astype(np.uint8), 2, [0, 1, 1, 0], ()),
    ],
)
def test_labels_become_numbers(labels, outputs, numbers, classes):
    """Words, rows with a single 1, a column, truths, numbers of any kind."""
    found = read((X, labels), outputs)

    assert (found.labels.dtype, found.labels.tolist()) == (np.int64, numbers)
    assert found.classes == classes


def test_labels_that_are_none():
    """Halves and NaN are broken, each by its place."""
    found = read((X, [0, 0.5, np.nan, 1]))

    assert sorted(found.broken) == [1, 2]
    assert "0.5" in found.broken[1]


@pytest.mark.parametrize(
    "label",
    [np.int64(2**62), np.uint64(2**63 + 1), np.uint64(2**64 - 1), np.int64(-(2**63)), 1e300],
)
def test_labels_that_are_too_large(label):
    """They are whole numbers, and it is said what is wrong with them instead."""
    found = read((X, np.array([0, label, 1, 1], np.asarray(label).dtype)))

    assert found.broken == {1: f"its label {label} is too large"}
    assert found.labels.tolist() == [0, -1, 1, 1]


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        (np.eye(4), {}),
        ([[1, 1], [1, 0], [0, 1], [0, 0]], {}),
        ([[0.5, 0.5], [1, 0], [0, 1], [0, 1]], {}),
        (np.zeros((4, 2, 2)), {}),
        (np.zeros((4, 3)), {"task": "regression"}),
        (np.zeros(4), {"task": "regression"}),
        (np.zeros(4, complex), {}),
    ],
)
def test_labels_of_a_wrong_form(labels, options):
    """Too many columns, several classes in a row, shares of classes, cubes."""
    with pytest.raises(DataError):
        read((X, labels), **options)


def test_targets_are_float32():
    """One, or as many as outputs; words are read as numbers."""
    assert read((X, Y * 0.5), 1, task="regression").labels.tolist() == [0, 0.5, 0.5, 0]
    assert read((X, X[:, :2]), 2, task="regression").labels.tolist() == X[:, :2].tolist()
    found = read((X, ["1", "2.5", "x", "4"]), 1, task="regression")
    assert found.labels.dtype == np.float32
    assert found.labels[[0, 1, 3]].tolist() == [1, 2.5, 4]
    assert found.broken == {2: "its label 'x' is no number"}


def test_a_choice_of_a_large_file_stays_on_the_disk(tmp_path, monkeypatch):
    """The rows are read when asked for, and a choice of a choice is one choice."""
    monkeypatch.setattr(contents, "SMALL", 0)
    np.savez(tmp_path / "data.npz", x=X, y=Y)

    rows = read(tmp_path / "data.npz").take([3, 1, 0]).take([0, 2]).values[""]

    assert isinstance(rows, Rows)
    assert (rows.shape, rows.dtype, rows.ndim, len(rows), rows.nbytes) == (
        (2, 3),
        np.float32,
        2,
        2,
        24,
    )
    assert np.asarray(rows).tolist() == X[[3, 0]].tolist()
    assert rows[1].tolist() == X[0].tolist()
    assert rows[-1:].tolist() == [X[0].tolist()]
    assert rows[np.array([1, 0])].tolist() == X[[0, 3]].tolist()
    assert np.asarray(rows, np.float64).dtype == np.float64


def test_a_choice_in_memory_is_an_array():
    """What is small is plainly copied."""
    assert type(chosen(X, np.array([1]))) is np.ndarray


def test_the_digest_is_of_what_is_learned():
    """It changes with a value, label, name, dtype, and with the choice; not with the layout."""
    same = read((X, Y)).digest
    changed = X.copy()
    changed[3, 2] += 1

    assert read((np.asfortranarray(X), Y)).digest == same
    others = [
        read((changed, Y)), read((X, 1 - Y)), read((X.astype(np.float64), Y)),
        read(({"a": X, "b": X}, Y)), read((X, Y)).take([0, 1, 2, 3]), read((X, Y)).take([0, 1]),
        read((X[:, :, None], Y)),
    ]  # fmt: skip
    assert len({same, *(each.digest for each in others)}) == 8


@pytest.mark.long
def test_memory_stays_bounded(tmp_path):
    """Reading, choosing and judging a file of 400 MB takes a part of that."""
    import subprocess
    import sys

    program = f"""
import resource, numpy as np
from zoo_finetune import examples, faults
from zoo_finetune.recipe import Recipe
from zoo import dtypes
from zoo.specs import TensorSpec
path = {str(tmp_path / "data.npz")!r}
spec = TensorSpec("x:0", dtypes.named("float32"), (None, 1000))
found = examples.read(path, Recipe(2), spec)
def private():
    text = open("/proc/self/status").read()
    return int(text.split("RssAnon:")[1].split()[0]) // 1024
before = private()
found, _ = faults.check(found, Recipe(2), spec)
half = found.take(np.arange(0, len(found), 2))
total = sum(float(half.values[""][at : at + 1000].sum()) for at in range(0, len(half), 1000))
print(half.values[""].nbytes >> 20, private(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("/proc tells it")
    np.savez(
        tmp_path / "data.npz", x=np.zeros((100_000, 1000), np.float32), y=np.arange(100_000) % 2
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    megabytes, anonymous, _ = map(int, done.stdout.split())
    assert megabytes == 190
    assert anonymous < 120
