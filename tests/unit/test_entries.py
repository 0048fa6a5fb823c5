"""What an entry of a registry may say."""

import pytest

from zoo import entries
from zoo.errors import RegistryError
from zoo.yaml_events import lines_of, parse

SHA = "0" * 64
WHOLE = f"""
summary: A net
architecture: vgg16
weights:
  imagenet:
    format: frozen
    urls: ["file:net.pb", "https://example.org/net.pb"]
    sha256: "{SHA}"
    size: "12"
  two:
    format: checkpoint
    files:
      - {{path: a/net.index, urls: ["file:net.index"], sha256: "{SHA}", size: 1}}
inputs: {{images: "images:0"}}
outputs: {{probabilities: "prob:0"}}
head: {{features: "fc7:0", logits: "fc8:0"}}
preprocessing: {{size: [224, 224], channels: bgr, mean: [103.939, 116.779, 123.68]}}
labels: imagenet-1k
license: CC-BY-4.0
x-mine: anything
"""


def faults(text):
    raw = parse(text, "r.yaml")
    return entries.faults(raw, "r.yaml", dict(lines_of(raw)), 1)


def test_a_whole_entry_is_read():
    """Every key has its type; keys of one's own are passed over."""
    raw = parse(WHOLE, "r.yaml")

    entry = entries.validated(raw, "r.yaml", dict(lines_of(raw)), 1)

    assert list(entry.weights) == ["imagenet", "two"]
    assert entry.weights["imagenet"].size == 12
    assert entry.preprocessing.mean == [103.939, 116.779, 123.68]
    assert entry.preprocessing.scale == 1.0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("license: CC", "licence: CC", ":19: nobody reads 'licence'"),
        ("summary: A net", "summary:", ":2: summary"),
        ("format: frozen", "formt: frozen", "'weights.imagenet.format' is missing"),
        (f'sha256: "{SHA}"\n    size: "12"', 'sha256: "abc"', "64 lower-case hexadecimal"),
        (f'sha256: "{SHA}"\n    size', "size", "needs a sha256"),
        ('    size: "12"\n', "", "needs a size"),
        ('size: "12"', "size: -1", ":9: weights.imagenet.size"),
        ('size: "12"', "size: 1e999", ":9: weights.imagenet.size"),
        ("file:net.pb", "javascript:x", "must begin with one of"),
        ("https://example.org", "https://me:secret@example.org", "no user name or password"),
        ("a/net.index", "../net.index", "relative path"),
        ("a/net.index", "/net.index", "relative path"),
        ("channels: bgr", "channels: brg", "channels"),
        ("  imagenet:", "  Image Net:", "is no name"),
    ],
)
def test_faults_are_told_with_their_line(old, new, words):
    """Each fault names the file, the line and the key."""
    assert old in WHOLE

    found = faults(WHOLE.replace(old, new))

    assert any(words in str(fault) for fault in found), [str(fault) for fault in found]
    assert all(fault.problem.startswith("r.yaml:") for fault in found)


def test_all_faults_come_at_once():
    """Who mends a registry sees everything that is wrong with an entry."""
    text = WHOLE.replace("license", "licence").replace("size: 1}", "size: x}")

    assert len(faults(text)) == 2


def test_a_slip_gets_its_neighbour():
    """An unknown key is offered the nearest of the keys of its place."""
    (fault,) = faults(
        WHOLE.replace("features:", "featurs:").replace('logits: "fc8:0"', 'logits: "l"')
    )[:1]

    assert "features" in fault.hint or "features" in str(fault)


@pytest.mark.parametrize(
    "text",
    ["summary: nothing\n", f"summary: x\nweights: {{t: {{format: f, urls: [], sha256: '{SHA}'}}}}"],
)
def test_an_entry_needs_a_source(text):
    """A model is built, or its bytes are somewhere."""
    with pytest.raises(RegistryError, match="needs"):
        raw = parse(text, "r.yaml")
        entries.validated(raw, "r.yaml", dict(lines_of(raw)), 1)


@pytest.mark.parametrize("paths", [["."], ["a", "a/b"], ["a\0b"], ["a", "A"]])
def test_paths_of_files_make_one_folder(paths):
    """A file cannot be the folder of another, nor the folder itself."""
    files = [{"path": p, "urls": ["file:x"], "sha256": "0" * 64, "size": 1} for p in paths]
    raw = {"summary": "", "weights": {"t": {"format": "frozen", "files": files}}}

    assert entries.faults(raw, "r.yaml", {}, 1) != []
