"""What is wrong with arrays is found before training starts, all at once."""

import numpy as np
import pytest

from zoo import dtypes
from zoo.errors import DataError
from zoo.specs import TensorSpec
from zoo_finetune import contents, examples, faults
from zoo_finetune.recipe import Recipe

SPEC = TensorSpec("x:0", dtypes.named("float32"), (None, 3))
X = np.arange(24, dtype=np.float32).reshape(8, 3)
Y = np.array([0, 1] * 4)


def check(x=X, y=Y, outputs=2, spec=SPEC, held_out=False, **options):
    """Judge the examples `x` with labels `y`."""
    recipe = Recipe(outputs, **options)
    found = examples.read((x, y), recipe, spec)
    return faults.check(found, recipe, spec, held_out=held_out)


def refused(*args, **kwargs):
    """Return the error that judging ends with."""
    with pytest.raises(DataError) as caught:
        check(*args, **kwargs)
    assert caught.value.code == 65
    return caught.value


def test_sound_examples_pass():
    """They come back as they are, with nothing to say."""
    found, notes = check()

    assert (len(found), notes) == (8, [])


def test_everything_is_said_at_once():
    """Broken rows, wrong shapes and classes that are missing, in one error."""
    x = X.copy()
    x[2, 1], x[5, 0] = np.nan, np.inf
    spec = TensorSpec("x:0", dtypes.named("float32"), (None, 4))

    error = refused(x, np.zeros(8, int), spec=spec)

    assert error.found.splitlines() == [
        "all examples are of one class: 0",
        "         x is float32 (8, 3), the model takes float32 (?, 4)",
        "         broken (2):",
        "           row 2: NaN or infinity",
        "           row 5: NaN or infinity",
    ]
    assert "--skip-broken" in error.hint


def test_the_broken_are_left_out_on_demand():
    """And said, by name."""
    x = X.copy()
    x[2, 1] = np.nan

    found, notes = check(x, skip_broken=True)

    assert list(found.names) == [f"row {n}" for n in (0, 1, 3, 4, 5, 6, 7)]
    assert np.isfinite(found.values[""]).all()
    assert notes == ["1 broken example left out: row 2 (NaN or infinity)"]


def test_large_arrays_are_looked_at_in_parts(monkeypatch):
    """A row is named by its place in the whole."""
    monkeypatch.setattr(contents, "_CHUNK", 2 * X[0].nbytes)
    x = X.copy()
    x[2, 1], x[7, 0] = np.nan, np.inf

    assert list(check(x, skip_broken=True)[0].names) == [f"row {n}" for n in (0, 1, 3, 4, 5, 6)]


def test_nothing_is_left():
    """Where all are broken, leaving them out helps nobody."""
    assert "no examples" in refused(np.full((8, 3), np.nan), skip_broken=True).found


def test_no_label_is_one():
    """Each is named; that there are no classes then is no news."""
    error = refused(y=np.full(8, np.nan))

    assert error.found.splitlines()[0] == "broken (8):"


def test_long_lists_are_cut():
    """Some twenty of a thousand are named, the rest counted."""
    x = np.full((1000, 3), np.nan, np.float32)
    error = refused(x, np.arange(1000) % 5, outputs=2)

    assert len(error.found.splitlines()) < 30
    assert "and 990 more" in error.found


def test_labels_outside():
    """Each by its place, with the number of outputs that they would need."""
    error = refused(y=[0, 1, 2, 5, 0, 1, 2, 5])

    assert "labels outside 0 to 1 (4)" in error.found
    assert "row 3: 5" in error.found
    assert "--outputs 6" in error.hint
    assert "--outputs" not in refused(y=[-1, 1] * 4).hint


@pytest.mark.parametrize(
    ("labels", "outputs", "found", "hint"),
    [
        (["a", "b", "c", "c"] * 2, 2, "3 classes for 2 outputs: a, b, c", "--outputs 3"),
        (["a", "b"] * 4, 3, "2 classes for 3 outputs: a, b", "--outputs 2"),
        (["a", "b", "c", "c"] * 2, 1, "3 classes for 2 outputs", "--outputs 3"),
        (Y, 10, "the labels are 0 to 1, the outputs 10", "--outputs 2"),
        (["a"] * 8, 2, "all examples are of one class: a", "others"),
        ([0] * 7 + [1], 2, "a single example", "--validation"),
    ],
)
def test_classes_and_outputs(labels, outputs, found, hint):
    """More classes than outputs and fewer, a single class, a class of one example."""
    error = refused(y=labels, outputs=outputs)

    assert found in error.found
    assert hint in error.hint


def test_one_output_tells_two_classes_apart():
    """With labels 0 and 1, or two names."""
    assert len(check(outputs=1)[0]) == 8
    assert len(check(y=["no", "yes"] * 4, outputs=1)[0]) == 8


def test_a_label_nobody_has_is_said():
    """A gap in the numbers stops nothing."""
    assert check(y=[0, 2] * 4, outputs=3)[1] == ["no example has the label 1"]


def test_a_class_of_one_may_be_trained_on():
    """Where nothing is split off it is only said."""
    _, notes = check(y=[0] * 7 + [1], validation_split=0.0)

    assert notes == ["classes with a single example: 1"]


def test_data_to_validate_with_need_not_have_all_classes():
    """One class, one example of a class."""
    assert len(check(y=[0] * 7 + [1], outputs=3, held_out=True)[0]) == 8
    assert len(check(y=[0] * 8, outputs=3, held_out=True)[0]) == 8
    with pytest.raises(DataError):
        check(y=[7] * 8, outputs=3, held_out=True)


@pytest.mark.parametrize(
    ("x", "shape", "dtype", "hint"),
    [
        (X.reshape(8, 3, 1), (None, 3), "float32", "x.reshape(-1, 3)"),
        (X, (None, 3, 1), "float32", "x.reshape(-1, 3, 1)"),
        (X, (None, None, 2), "float32", "first axis"),
        (X.astype(complex), (None, 3), "float32", "x.real"),
        (X.astype(complex), (None, 3), "int32", "x.real"),
        (X.view([("a", "f4"), ("b", "f4"), ("c", "f4")]), (None, 1), "float32", "x[column]"),
        (X.astype("M8[s]"), (None, 3), "float32", "give numbers"),
        (X, (None, 3), "int32", "astype('int32')"),
        (X.astype(str), (None, 3), "float32", "give numbers"),
        (X, (None, 3), "string", "give words"),
    ],
)
def test_what_does_not_fit_the_input(x, shape, dtype, hint):
    """Another rank, other sizes, another kind of values."""
    error = refused(x, spec=TensorSpec("x:0", dtypes.named(dtype), shape))

    assert hint in error.hint


@pytest.mark.parametrize("shape", [None, (None, None), (None, 3), (1, 3)])
def test_open_sizes_fit_anything(shape):
    """Also a batch that the graph fixes, which is the trainer's business."""
    assert check(spec=TensorSpec("x:0", dtypes.named("float32"), shape))


def test_several_inputs_are_those_of_the_model():
    """By name, each with its own shape."""
    specs = {"a": SPEC, "b": TensorSpec("b:0", dtypes.named("float32"), (None, 1))}
    assert check({"a": X, "b": X[:, :1]}, spec=specs)
    assert "a, b" in refused({"a": X, "c": X}, spec=specs).hint
    assert "a, b" in refused(X, spec=specs).hint
    assert "b is float32 (8, 3)" in refused({"a": X, "b": X}, spec=specs).found
    assert check(X, spec={"a": SPEC})


def test_targets_that_are_none():
    """NaN among the targets of a regression is broken; classes are no matter."""
    error = refused(y=[np.nan] + [0.5] * 7, outputs=1, task="regression")

    assert "row 0: its label is NaN or infinite" in error.found
    assert len(check(y=[0.5] * 8, outputs=1, task="regression")[0]) == 8


def test_complex_numbers_for_a_model_of_them():
    """They are what it takes."""
    spec = TensorSpec("x:0", dtypes.named("complex64"), (None, 3))

    assert len(check(X.astype(np.complex64), spec=spec)[0]) == 8


@pytest.mark.parametrize(
    ("value", "given", "dtype"),
    [
        (2**33, "int64", "int32"),
        (-(2**33), "int64", "int32"),
        (2**63, "uint64", "int64"),
        (-1, "int8", "uint8"),
        (1e300, "float64", "float32"),
        (-1e300, "float64", "bfloat16"),
        (1e5, "float32", "float16"),
        (70_000, "int32", "float16"),
    ],
)
def test_numbers_that_the_input_cannot_hold(monkeypatch, value, given, dtype):
    """They would come as other numbers, or as infinity, and nobody would say so."""
    monkeypatch.setattr(contents, "_CHUNK", 48)
    x = X.astype(given)
    x[5, 1] = value
    spec = TensorSpec("x:0", dtypes.named(dtype), (None, 3))

    error = refused(x, spec=spec)

    assert f"row 5: {x[5, 1]} is a value that {dtype} cannot hold" in error.found
    assert "broken (1)" in error.found
    assert len(check(x, spec=spec, skip_broken=True)[0]) == 7


@pytest.mark.parametrize(
    ("given", "dtype"),
    [("int64", "int32"), ("uint8", "float32"), ("float64", "float32"), ("bool", "int32"),
     ("int64", "qint8"), ("float32", "bfloat16"), ("int32", "bool")],
)  # fmt: skip
def test_numbers_that_it_can_hold(given, dtype):
    """A wider dtype alone is no matter."""
    assert len(check(X.astype(given), spec=TensorSpec("x:0", dtypes.named(dtype), (None, 3)))[0])


def test_infinity_stays_what_it_is_called():
    """It is no number that is too large."""
    x = X.astype(np.float64)
    x[5, 1] = np.inf

    assert "row 5: NaN or infinity" in refused(x).found


def test_several_arrays_for_one_input():
    """The hint says what would do, though nobody knows which of them is meant."""
    error = refused({"x": X, "z": X})

    assert "x, z" in error.found
    assert error.hint == "a single array beside the labels, of any name"
