"""What does not fit an input is said before TensorFlow sees it."""

import numpy as np
import pytest

from zoo import dtypes, feeds
from zoo.errors import InputError, UnknownNameError, UnsupportedError
from zoo.nodes import node, placeholder
from zoo.protos import GraphDef
from zoo.samples import FLOAT, sample_model
from zoo.signatures import Signature
from zoo.specs import TensorSpec

GRAPH = GraphDef()
GRAPH.versions.producer = 27
GRAPH.node.extend(
    [
        placeholder("x", FLOAT, [None, 3]),
        placeholder("any", FLOAT),
        placeholder("n", dtypes.INT32, []),
        placeholder("flag", dtypes.named("bool"), []),
        placeholder("text", dtypes.STRING, [None]),
        placeholder("eight", dtypes.named("float8_e4m3fn"), []),
        placeholder("brain", dtypes.named("bfloat16"), [1]),
        node("y", "IdentityN", ["x", "any"], T=[FLOAT, FLOAT]),
        node("optional", "PlaceholderWithDefault", ["n"], dtype=dtypes.INT32),
    ]
)


SIGNATURE_OF_NONE = Signature({}, {})


def checked(values, fetches, signature=SIGNATURE_OF_NONE, graph=GRAPH):
    return feeds.Checks(graph).checked(signature, values, fetches)


def fed(name, value):
    return checked({name: value}, [name]).values[f"{name}:0"]


@pytest.mark.parametrize(
    ("name", "value", "dtype", "values"),
    [
        ("x", [[1, 2, 3]], "float32", [[1.0, 2.0, 3.0]]),
        ("x", np.ones((2, 3), np.float64), "float32", [[1.0] * 3] * 2),
        ("x", np.ones((1, 3), np.uint8), "float32", [[1.0] * 3]),
        ("n", 7, "int32", 7),
        ("n", np.int64(7), "int32", 7),
        ("n", 7.0, "int32", 7),
        ("flag", True, "bool", True),
        ("text", ["größe", b"\0"], "object", ["größe".encode(), b"\0"]),
        ("text", np.array([b"a"]), "object", [b"a"]),
        ("brain", [1.5], "bfloat16", [1.5]),
    ],
)
def test_values_become_the_inputs_dtype(name, value, dtype, values):
    """Numbers take the tensor's dtype where only precision is lost; text becomes bytes."""
    array = fed(name, value)

    assert (array.dtype.name, array.tolist()) == (dtype, values)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 1.5),
        ("n", float("nan")),
        ("n", 2.0**31),
        ("n", 2**31),
        ("n", True),
        ("x", [["a", "b", "c"]]),
        ("x", [[1j, 0, 0]]),
        ("x", [[1], [1, 2]]),
        ("x", None),
        ("flag", 1),
        ("text", [1]),
        ("text", [["a"], "b"]),
    ],
)
def test_what_would_lose_more_is_refused(name, value):
    """A fraction, a large number, a flag, text, nothing: each is one error that names the input."""
    with pytest.raises(InputError) as caught:
        fed(name, value)

    assert name in caught.value.problem


@pytest.mark.parametrize(
    ("value", "hint"),
    [([1, 2, 3], "first axis is the batch"), ([[1, 2]], ""), ([[[1, 2, 3]]], "")],
)
def test_ranks_and_sizes_are_checked(value, hint):
    """A wrong rank can abort the process, so it never gets that far."""
    with pytest.raises(InputError) as caught:
        fed("x", value)

    assert caught.value.problem == "input 'x:0' takes float32 (?, 3)"
    assert hint in caught.value.hint


def test_the_right_number_of_values_in_the_wrong_shape():
    """Who has all the values but not their shape is told so."""
    with pytest.raises(InputError) as caught:
        fed("n", [7])

    assert "reshape" in caught.value.hint


def test_open_ranks_are_noted():
    """Ranks that the graph leaves open are checked against it later, by its own inference."""
    found = checked({"any": np.ones((1, 2)), "x:0": [[1, 2, 3]]}, ["y"])

    assert found.open_ranks == (("any", 2),)


def test_missing_inputs_are_listed():
    """All of them, and only those that the outputs need."""
    with pytest.raises(InputError) as caught:
        checked({}, ["y:0"])

    assert "any, x" in caught.value.problem
    assert checked({"y:0": [1.0]}, ["y:0"]).values["y:0"].tolist() == [1]


def test_an_inner_tensor_can_be_fed():
    """Sessions feed any tensor; what comes before it is not needed then."""
    model = sample_model()

    found = checked({"dense/MatMul": [[1.0, 2.0]]}, ["probabilities:0"], graph=model.graph)

    assert list(found.values) == ["dense/MatMul:0"]


SIGNATURE = Signature(
    {"image": TensorSpec("x:0", FLOAT, (None, 3)), "again": TensorSpec("x:0", FLOAT, (None, 3))},
    {},
)


def test_names_are_keys_or_tensors():
    """A signature's key comes before a node of the same name."""
    found = checked({"image": [[1, 2, 3]], "any": 2, "n:0": 3}, [], SIGNATURE)

    assert {name: value.tolist() for name, value in found.values.items()} == {
        "x:0": [[1, 2, 3]],
        "any:0": 2,
        "n:0": 3,
    }


def test_a_tensor_under_two_keys_needs_one_value():
    """Two keys of one tensor may both be given, if they agree."""
    one, other = [[1, 2, 3]], [[1, 2, 4]]

    assert list(checked({"image": one, "again": one}, [], SIGNATURE).values) == ["x:0"]
    with pytest.raises(InputError, match="two values"):
        checked({"image": one, "again": other}, [], SIGNATURE)


def test_an_unknown_input_gets_its_neighbours():
    """A slip of the finger is told."""
    with pytest.raises(UnknownNameError) as caught:
        checked({"imgae": 1}, [], SIGNATURE)

    assert "'image'" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [("any", 1e300), ("brain", [1e39]), ("any", 10**400), ("eight", 1e9)],
)
def test_a_number_too_large_is_no_infinity(name, value):
    """Only precision may be lost; an infinity that was meant is one."""
    with pytest.raises(InputError):
        fed(name, value)

    assert fed("any", float("inf")).tolist() == float("inf")


def test_each_combination_of_names_is_looked_up_once():
    """The second call with the same names does not search the graph."""
    checks = feeds.Checks(GRAPH)
    checks.checked(SIGNATURE, {"image": [[1, 2, 3]]}, ["x:0"])
    checks.nodes.clear()

    found = checks.checked(SIGNATURE, {"image": [[4, 5, 6]]}, ["x:0"])

    assert found.values["x:0"].tolist() == [[4, 5, 6]]


def test_values_of_several_tensors_are_refused():
    """A ragged or sparse input cannot be given as one value."""
    with pytest.raises(UnsupportedError):
        checked({"v:0,i:0,d:0": 1}, [])
