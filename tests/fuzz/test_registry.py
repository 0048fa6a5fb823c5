"""Registries: YAML of strangers, entries that say anything."""

import itertools

import pytest
from hypothesis import strategies as st

from tests.fuzz.edits import Specimen, trees
from tests.fuzz.targets import Target
from zoo import yaml_events
from zoo.entries import Entry
from zoo.errors import ZooError
from zoo.registry import Registry

SOUND = b"""version: 1
serial: 3
models:
  net:
    summary: A net
    license: MIT
    inputs: {x: "x:0"}
    head: dense
    weights:
      one:
        format: frozen
        urls: ["file:net.pb", "https://example.org/net.pb"]
        sha256: 0000000000000000000000000000000000000000000000000000000000000000
        size: 12
      many:
        format: saved_model
        files:
          - {path: saved_model.pb, size: 3, urls: ["file:a"], sha256: "%s"}
""" % (b"ab" * 32)
WORDS = (
    b"*a", b"&a ", b"<<: ", b"!!python/object ", b"{", b"[", b"- ", b"? ", b": ", b"|\n", b">\n",
    b"---\n", b"...\n", b"null", b"~", b"../", b"\xef\xbb\xbf", b"\x00", b"\xff", b"%YAML 9.9\n",
    b"weights:", b"file:/etc/passwd", b"http://[", b"hf:a/b", b"1e999", b"\xf0\x9f\x92\xa9",
)  # fmt: skip
KEYS = sorted(Entry.model_fields)


@st.composite
def grown(draw):
    """Return a tree with a registry whose entry has any of the keys, with anything for them."""
    leaf = st.sampled_from(["1", "-1", "a", "''", "[]", "{}", "[a, {b: c}]", "x:0", "file:x", "~"])
    lines = ["version: 1", "models:", f"  {draw(st.sampled_from(['net', 'a/b', '-', '1']))}:"]
    for key in draw(st.lists(st.sampled_from([*KEYS, "odd"]), max_size=6, unique=True)):
        lines.append(f"    {key}: {draw(leaf)}")
    return {"r.yaml": "\n".join(lines).encode()}


def look(folder):
    """Read the document, compile it, and validate each entry."""
    path = folder / "r.yaml"
    data = path.read_bytes()
    try:
        for _ in yaml_events.lines_of(yaml_events.read(data, "r.yaml")):
            pass
    except ZooError as error:
        str(error)
    registry = Registry(path, folder / "cache")
    for row in itertools.islice(registry.rows(), 20):
        try:
            registry.entry(row.name)
        except ZooError as error:
            str(error)


INPUTS = st.one_of(trees(lambda: [Specimen({"r.yaml": SOUND})], WORDS), grown())
TARGETS = [Target("registry", INPUTS, look)]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_registries_are_read_or_refused(target):
    """Every entry, whatever the text is."""
    read, refused = target.fuzz()

    assert read
    assert refused
