"""Registries are read strictly: no surprises of YAML get through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo import yaml_events
from zoo.errors import RegistryError


def parsed(text):
    return yaml_events.parse(text, "r.yaml")


def test_text_stays_text():
    """Digits, yes and no, dates and versions are what was typed; nothing is None."""
    document = parsed("a: no\nb: 0123\nc: 1.10\nd: 2020-01-01\ne:\nf: ~\ng: 'null'\nh: [1, x]\n")

    assert document == {
        "a": "no",
        "b": "0123",
        "c": "1.10",
        "d": "2020-01-01",
        "e": None,
        "f": None,
        "g": "null",
        "h": ["1", "x"],
    }


def test_lines_are_known():
    """Every key has its line, however deep."""
    document = parsed("a: 1\nb:\n  c:\n    - d: 2\n")

    assert dict(yaml_events.lines_of(document)) == {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "c", "0", "d"): 4,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", r"r\.yaml:3: 'a' stands twice"),
        ("a: &x 1\nb: *x\n", r"r\.yaml:1: anchors"),
        ("a: *x\n", r"r\.yaml:1: "),
        ("<<: {a: 1}\n", r"r\.yaml:1: merge keys"),
        ("a: !!python/object/apply:os.system [ls]\n", r"r\.yaml:1: tags"),
        ("a: 1\n---\nb: 2\n", r"r\.yaml:2: a second document"),
        ("? [a]\n: 1\n", r"r\.yaml:1: a key must be text"),
        ("a: [1\nb: 2\n", r"r\.yaml:2: "),
        ("a:\n\t- 1\n", r"r\.yaml:2: "),
        ("a: 'b\n", r"r\.yaml:\d"),
        ("- a\n", r"r\.yaml:1: a mapping is wanted"),
        ("", r"r\.yaml:1: a mapping is wanted"),
        ("a: {" * 25 + "}" * 25, r"r\.yaml:1: "),
        ("[" * 100_000, r"r\.yaml:1: nested"),
    ],
)
def test_what_is_not_taken_is_told_with_its_line(text, words):
    """Duplicates, aliases, tags, merges, documents, depth and bad syntax, each with its line."""
    with pytest.raises(RegistryError, match=words):
        parsed(text)


def test_files_are_utf_8():
    """Another encoding is told with the line of its first strange byte; a mark in front is fine."""
    with pytest.raises(RegistryError, match=r"r\.yaml:2: the file is not UTF-8"):
        yaml_events.read("a: 1\nb: größe\n".encode("latin-1"), "r.yaml")

    read = yaml_events.read(b"\xef\xbb\xbfa: gr\xc3\xb6\xc3\x9fe\r\n", "r.yaml")
    assert read == {"a": "größe"}


@given(st.text(alphabet="ab:-[]{}'\" \n#&*!|>,?%@", max_size=60))
def test_any_text_is_a_document_or_an_error_of_ours(text):
    """No input makes the reader raise anything else."""
    try:
        parsed(text)
    except RegistryError as error:
        assert error.problem.startswith("r.yaml:")
