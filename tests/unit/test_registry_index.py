"""The compiled index of a registry: lost, damaged or shared, it answers what the file says."""

import gc
import json
import random
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from zoo import registering
from zoo.catalogue import Catalogue
from zoo.errors import BusyError, RegistryError
from zoo.registry import Registry

MODELS = 40


def text_of(word, models=MODELS):
    """Return a registry of `models`, the summary of each being `word`."""
    entries = (f"  m{n}: {{summary: {word}, architecture: a}}\n" for n in range(models))
    return "version: 1\nmodels:\n" + "".join(entries)


def facts(registry):
    """Return all that can be asked of a registry."""
    rows = [(row.name, row.summary) for row in registry.rows()]
    return rows, registry.names(), [registry.entry(name).summary for name in registry.names()]


def test_names_come_in_the_order_of_the_file(tmp_path):
    """Also after the index has been sorted for looking up."""
    (tmp_path / "r.yaml").write_text(text_of("x", 12))
    registry = Registry(tmp_path / "r.yaml", tmp_path)

    assert registry.names() == [f"m{n}" for n in range(12)]
    assert registry.names("m1") == ["m1", "m10", "m11"]
    assert [row.name for row in registry.rows("m1")] == ["m1", "m10", "m11"]


@pytest.mark.parametrize("place", ["kept", "in memory"])
def test_one_index_answers_many_threads(tmp_path, place):
    """Whoever opened it; and it is closed with the registry."""
    (tmp_path / "r.yaml").write_text(text_of("x"))
    (tmp_path / "in memory").write_bytes(b"a file where the folder would be")
    registries = [Registry(tmp_path / "r.yaml", tmp_path / place)]
    expected, base = facts(registries[0]), registries[0]._index._base

    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda _: facts(registries[0]), range(100))]

    assert answers == [expected] * 100
    registries.clear()
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        base.execute("SELECT 1")


@pytest.mark.parametrize("seed", range(30))
def test_d20_a_damaged_index_is_never_believed(tmp_path, seed):
    """Flipped bits, holes and a cut: what is answered is what the file says, with no error."""
    (tmp_path / "r.yaml").write_text(text_of("sound"))
    expected = facts(Registry(tmp_path / "r.yaml", tmp_path))
    (index,) = (tmp_path / "registries").iterdir()
    rng, data = random.Random(seed), bytearray(index.read_bytes())  # noqa: S311
    for _ in range(8):
        at = rng.randrange(len(data))
        data[at] ^= 1 << rng.randrange(8)
    if seed % 3 == 0:
        data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    if seed % 5 == 0:
        del data[rng.randrange(len(data)) :]
    index.write_bytes(data)

    assert facts(Registry(tmp_path / "r.yaml", tmp_path)) == expected


def test_d20_an_index_that_says_something_else_is_made_anew(tmp_path):
    """A pin that was changed in the index, well-formed, is not the registry's."""
    (tmp_path / "r.yaml").write_text(text_of("sound"))
    Registry(tmp_path / "r.yaml", tmp_path)
    (index,) = (tmp_path / "registries").iterdir()
    with sqlite3.connect(index) as base:
        base.execute("UPDATE models SET entry = replace(entry, 'sound', 'other')")
        base.execute("UPDATE models SET summary = 'other'")
    base.close()

    registry = Registry(tmp_path / "r.yaml", tmp_path)

    assert registry.entry("m7").summary == "sound"
    assert next(registry.rows("m7")).summary == "sound"


def test_c05_a_command_sees_one_edition(tmp_path):
    """Who edits a registry while it is asked changes what the next command sees, not this one."""
    path = tmp_path / "r.yaml"
    path.write_text(text_of("old"))
    catalogue = Catalogue([path], tmp_path)
    assert catalogue.entry("m0").summary == "old"

    path.write_text(text_of("new", models=3))

    assert catalogue.entry("m9").summary == "old"
    assert len(catalogue.listed()) == MODELS
    assert len(Catalogue([path], tmp_path).listed()) == 3


@pytest.mark.slow  # a busy machine stalls the writer, which is then no editor any more
def test_c05_a_file_that_is_being_written_is_read_whole(tmp_path):
    """An editor that writes in place: the old text or the new, never the beginning of one."""
    path, texts = tmp_path / "r.yaml", [text_of("a" * 50, 3000), text_of("b" * 50, 3000)]
    path.write_text(texts[0])
    done, longest = threading.Event(), [0.0]

    def write():
        """Replace the text again and again, in halves, and note how long one was there alone."""
        while not done.is_set():
            for text in texts:
                start = time.monotonic()
                with path.open("w") as file:
                    for half in (text[: len(text) // 2], text[len(text) // 2 :]):
                        done.wait(0.003)
                        file.write(half)
                        file.flush()
                longest[0] = max(longest[0], time.monotonic() - start)
                done.wait(0.05)

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    try:
        for _ in range(15):
            rows = [*Registry(path, tmp_path / "cache").rows()]
            seen.add((len(rows), *{row.summary for row in rows}))
    except RegistryError as error:
        seen.add(str(error))
    finally:
        done.set()
        writer.join()

    whole = {(3000, "a" * 50), (3000, "b" * 50)}
    if not seen <= whole and longest[0] > 0.015:
        pytest.skip(f"this machine is so busy that a write took {longest[0]:.3f} s")
    assert seen <= whole


def test_c06_an_edit_beside_ours_is_not_lost(tmp_path):
    """Locks or no locks: what changed since it was read is not written over."""
    path = tmp_path / "r.yaml"
    path.write_text("version: 1\nmodels:\n")

    def edit():
        """Add a model while an editor saves the file."""
        with registering._edited(path) as text:
            path.write_text("version: 1\nmodels:\n  theirs: {summary: s, architecture: a}\n")
            text[0] += "  ours: {summary: s, architecture: a}\n"

    with pytest.raises(BusyError, match="changed by somebody else"):
        edit()

    assert "theirs" in path.read_text()
    assert "ours" not in path.read_text()


def test_entries_of_a_registry_from_the_network_lie_beside_it(tmp_path):
    """``file:`` is relative to the URL of the registry; other addresses are as they stand."""
    sha = "0" * 64
    text = (
        "version: 1\nmodels:\n  net:\n    summary: 'file:not-an-address'\n    card: file:card.md\n"
        "    weights:\n      a:\n        format: f\n        size: 1\n"
        f"        sha256: {sha}\n        urls: ['file:models/a%20b.pb', 'https://other.org/n.pb']\n"
    )

    entry = Registry(
        tmp_path, tmp_path, url="https://example.org/zoo/r.yaml", data=text.encode()
    ).entry("net")

    assert entry.weights["a"].urls[0] == "https://example.org/zoo/models/a%20b.pb"
    assert entry.weights["a"].urls[1] == "https://other.org/n.pb"
    assert entry.card == "https://example.org/zoo/card.md"
    assert entry.summary == "file:not-an-address"


def test_faults_have_their_lines_though_the_index_has_none(tmp_path):
    """The second of two commands reads the index only, and says the same line."""
    (tmp_path / "r.yaml").write_text(text_of("x", 3) + "  bad:\n    summary: x\n    haed: 1\n")

    for _ in range(2):
        with pytest.raises(RegistryError, match=r"r\.yaml:8: nobody reads 'haed'"):
            Registry(tmp_path / "r.yaml", tmp_path).entry("bad")


def test_the_same_entry_is_the_same_json(tmp_path):
    """What two registries say alike compares alike."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(text_of("x", 2) + "# a comment\n" * (name == "b"))

    raw = [Registry(tmp_path / name, tmp_path).raw("m1") for name in ("a", "b")]

    assert raw[0] == raw[1]
    assert json.loads(raw[0]) == {"summary": "x", "architecture": "a"}
