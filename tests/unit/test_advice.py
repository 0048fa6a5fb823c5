"""A file that fails gets the hint that doctor has for it, where one of the findings explains it."""

import pytest

import zoo
from zoo import failures
from zoo.advice import advising
from zoo.errors import FormatError, RunError, ZooError
from zoo.library import Library
from zoo.nodes import node, placeholder
from zoo.protos import GraphDef
from zoo.samples import FLOAT


@pytest.fixture
def refused(tmp_path):
    """Return the path of a graph with an operation that its version refuses."""
    graph = GraphDef()
    graph.versions.producer = 1000
    old = node("y", "BatchNormWithGlobalNormalization", ["x"] * 5, T=FLOAT)
    graph.node.extend([placeholder("x", FLOAT, [None, 2, 2, 1]), old])
    path = tmp_path / "refused.pb"
    path.write_bytes(graph.SerializeToString())
    return path


def hint(ref, error):
    """Return the hint of `error` after advice on `ref`."""
    with pytest.raises(type(error)) as caught, advising(Library(), ref):
        raise error
    return caught.value.hint


def test_the_finding_that_quotes_the_words(refused):
    """TensorFlow's words are those that the finding quotes: what helps, and the command."""
    told = hint(refused, RunError("no", found="Op X ... It has been removed in version 9."))

    assert told.startswith("the graph says a version that its operations are older than")
    assert told.endswith(f"(`zoo doctor {refused}` says more)")


def test_no_finding_no_hint(refused):
    """Another failure of the same file is not explained by what doctor found."""
    assert hint(refused, RunError("no", found="Incompatible shapes")) == ""


@pytest.mark.parametrize("ref", ["toy-adder", "https://example.com/m.pb#sha256=0", "not-there.pb"])
def test_what_doctor_is_not_asked_for(ref, refused, monkeypatch):
    """Registered names, though a file is called so; URLs; and what is not there."""
    monkeypatch.chdir(refused.parent)
    refused.rename("toy-adder")

    assert hint(ref, RunError("no", found="It has been removed in version 9")) == ""


def test_a_hint_stays(refused):
    """Who raised the error knew better."""
    assert hint(refused, RunError("no", found="removed in version", hint="do that")) == "do that"


def test_a_damaged_file(tmp_path):
    """Loading fails with what doctor says of it."""
    path = tmp_path / "cut.pb"
    zoo.save(zoo.load("toy-adder"), tmp_path / "whole.pb", "frozen")
    path.write_bytes((tmp_path / "whole.pb").read_bytes()[:-20])

    with pytest.raises(FormatError) as caught:
        zoo.load(path)

    assert "fetch or copy it again" in caught.value.hint
    assert f"zoo doctor {path}" in caught.value.hint
    with pytest.raises(FormatError, match="zoo doctor"):
        zoo.convert(path, tmp_path / "other", "checkpoint")


def test_a_prefix_whose_index_is_damaged(tmp_path):
    """The files are there, so it is not said that nothing is."""
    zoo.save(zoo.load("toy-adder"), tmp_path / "m", "checkpoint")
    index = tmp_path / "m.index"
    index.write_bytes(index.read_bytes()[:-30])

    with pytest.raises(ZooError) as caught:
        zoo.load(tmp_path / "m")

    assert "m.index" in caught.value.found
    assert "damaged" in caught.value.hint


@pytest.mark.parametrize(
    ("words", "helps"),
    [
        ("Op type not registered 'Addons>Gather'", "1.15"),
        ("Op type not registered 'Own'", "load the library"),
        ("No OpKernel was registered to support Op 'X'", "zoo run -o"),
        ("callback pyfunc_0 is not found", "the program that built it"),
        ("Attempting to use uninitialized value v", "zoo inspect --weights"),
        ("the iterator has not been initialized", "feed what the iterator gives"),
        ("Retval[0] does not have value", "branch"),
        ("NodeDef mentions attr 'a' not in Op", "remove the attributes"),
        ("GraphDef min consumer version 9 above current", "newer release"),
        ("Table not initialized.", "asset"),
        ("OOM when allocating tensor", "smaller batch"),
        ("Incompatible shapes: [2] vs. [3]", ""),
    ],
)
def test_what_helps_by_the_words(words, helps):
    """Each of TensorFlow's usual failures; nothing is made up for others."""
    told = failures.hint(words)

    assert helps in told
    assert bool(told) == bool(helps)
