"""One tree of errors: its codes, its message, and that it crosses a process boundary."""

import pickle

import pytest

from zoo import errors

CODES = {
    "AccessError": 77,
    "DifferenceError": 1,
    "BusyError": 75,
    "DiskError": 74,
    "FetchError": 69,
    "DataError": 65,
    "FormatError": 65,
    "LimitError": 65,
    "InputError": 2,
    "IntegrityError": 76,
    "MissingError": 66,
    "PluginError": 65,
    "RefusedError": 77,
    "RegistryError": 65,
    "RunError": 65,
    "TrustError": 77,
    "UnknownNameError": 66,
    "UnsupportedError": 65,
    "UsageError": 2,
    "WriteError": 73,
}
KINDS = [k for k in vars(errors).values() if isinstance(k, type) and k.__module__ == "zoo.errors"]


def test_the_message_has_three_parts_in_order():
    """Problem, found, hint; a part that is empty leaves no line."""
    whole = errors.FormatError("x.pb is no graph", found="text", hint="fetch it again")

    assert str(whole) == "x.pb is no graph\n  found: text\n  hint:  fetch it again"
    assert str(errors.FormatError("x.pb is no graph")) == "x.pb is no graph"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_ends_a_command_with_its_code(kind):
    """The exit codes are those that scripts rely on."""
    assert issubclass(kind, errors.ZooError)
    assert kind is errors.ZooError or CODES[kind.__name__] == kind.code


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_can_be_pickled(kind):
    """An error raised in another process arrives with all its parts."""
    error = pickle.loads(pickle.dumps(kind("p", found="f", hint="h")))  # noqa: S301

    assert (error.problem, error.found, error.hint, error.code) == ("p", "f", "h", kind.code)


def test_the_json_of_an_error_has_its_parts():
    """Scripts read the kind, the parts and the code."""
    assert errors.UnknownNameError("p", found="f").facts() == {
        "kind": "UnknownNameError",
        "problem": "p",
        "found": "f",
        "hint": "",
        "code": 66,
    }


def test_the_nearest_names_are_offered():
    """A slip of the finger gets its neighbours, nonsense gets the other hint."""
    assert errors.did_you_mean("vgg61", ["vgg16", "alexnet"]) == "did you mean 'vgg16'?"
    assert errors.did_you_mean("zzz", ["vgg16"], "zoo list") == "zoo list"
