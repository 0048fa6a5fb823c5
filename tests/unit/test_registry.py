"""Registries are compiled once for their contents, and layered."""

import os
import sqlite3
from contextlib import closing

import pytest

from zoo import catalogue
from zoo import home as homes
from zoo.errors import RegistryError, UnknownNameError
from zoo.registry import Registry

SHA = "0" * 64


def write(path, **models):
    """Write a registry of architectures: name and summary of each."""
    lines = ["version: 1", "models:"]
    for name, summary in models.items():
        lines.append(f"  {name.replace('_', '-')}: {{summary: {summary}, architecture: a}}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_rows_say_what_a_list_shows(tmp_path):
    """Name, summary, tags with their digests - also before an entry is validated."""
    (tmp_path / "r.yaml").write_text(
        f"version: 1\nmodels:\n  net:\n    summary: A net\n    weights:\n"
        f"      a: {{format: f, urls: ['file:x'], sha256: '{SHA}', size: 1}}\n"
        f"      b: {{format: f, files: [{{path: p, size: 1, sha256: '{SHA}'}}]}}\n"
        f"      c: {{nonsense: 1}}\n  bad: text\n"
    )

    first, second = Registry(tmp_path / "r.yaml", tmp_path).rows()

    assert (first.name, first.summary) == ("net", "A net")
    assert [tag for tag, _ in first.tags] == ["a", "b", "c"]
    assert first.tags[0][1] == SHA
    assert len(first.tags[1][1]) == 64
    assert first.tags[2][1] is None
    assert (second.name, second.summary) == ("bad", "")


def test_the_index_follows_the_contents(tmp_path):
    """Another text has another index; the same text is not parsed again."""
    path = write(tmp_path / "r.yaml", one="A")
    Registry(path, tmp_path)
    write(path, two="B")

    assert Registry(path, tmp_path).names() == ["two"]
    assert len(list((tmp_path / "registries").iterdir())) == 2


def test_a_damaged_index_is_made_anew(tmp_path):
    """The cache can be lost or spoilt without harm."""
    path = write(tmp_path / "r.yaml", one="A")
    Registry(path, tmp_path)
    (index,) = (tmp_path / "registries").iterdir()
    index.write_bytes(b"not a database at all" * 100)

    assert Registry(path, tmp_path).names() == ["one"]
    with closing(sqlite3.connect(index)) as base:
        assert base.execute("SELECT count(*) FROM models").fetchone() == (1,)


def test_a_cache_that_cannot_be_written(tmp_path):
    """Without a place for its index a registry works all the same."""
    (tmp_path / "file").touch()

    assert Registry(write(tmp_path / "r.yaml", one="A"), tmp_path / "file").names() == ["one"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models: {}\n", ":1: the version must be 1"),
        ("version: 2\nmodels: {}\n", ":1: the version must be 1"),
        ("version: 1\nmodles: {}\n", ":2: nobody reads 'modles'"),
        ("version: 1\nmodels: [a]\n", ":2: models must be a mapping"),
        ("version: 1\nmodels:\n  ../../etc: {}\n", ":3: '../../etc' is no name"),
        ("version: 1\nmodels:\n  ResNet: {}\n", ":3: 'ResNet' is no name"),
        ("version: 1\nmodels:\n  'a\\x00b': {}\n", ":3: "),
    ],
)
def test_a_registry_that_is_wrong_says_where(tmp_path, text, words):
    """The file, the line, what is wrong."""
    (tmp_path / "r.yaml").write_text(text)

    with pytest.raises(RegistryError) as caught:
        Registry(tmp_path / "r.yaml", tmp_path)

    assert words in caught.value.problem


def test_faults_of_all_entries(tmp_path):
    """All of them at once, each with its line."""
    (tmp_path / "r.yaml").write_text(
        "version: 1\nmodels:\n  a: {summary: x}\n  b: {summary: y, architecture: z, haed: 1}\n"
    )

    faults = [str(fault) for fault in Registry(tmp_path / "r.yaml", tmp_path).faults()]

    assert len(faults) == 2
    assert ":3: needs an architecture" in faults[0]
    assert ":4: nobody reads 'haed'" in faults[1]
    assert "'head'" in faults[1]


def test_the_first_registry_wins(tmp_path, home, monkeypatch):
    """Given, environment, one's own, bundled, and the folder's, which may only add."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "registry.yaml", a="folder", b="folder", toy_adder="folder")
    write(home / "registry.yaml", b="own", c="own")
    write(tmp_path / "env.yaml", c="environment", d="environment")
    monkeypatch.setenv("ZOO_REGISTRY", str(tmp_path / "env.yaml"))
    given = write(tmp_path / "given.yaml", d="given")

    listed = {one.row.name: one for one in catalogue.standard(given).listed()}

    summaries = {name: one.row.summary for name, one in listed.items()}
    assert [summaries[name] for name in "abcd"] == ["folder", "own", "environment", "given"]
    assert "tutorials" in summaries["toy-adder"]
    assert [path.name for path in listed["c"].overrides] == ["registry.yaml"]
    assert listed["a"].overrides == ()


def test_identical_entries_are_one(tmp_path, home):
    """A copy of an entry in another registry overrides nothing."""
    write(home / "registry.yaml", net="same")
    given = write(tmp_path / "given.yaml", net="same")

    (listed,) = catalogue.standard(given).listed("net")

    assert listed.overrides == ()


def test_the_bundled_registry_counts_once_where_it_lies(monkeypatch):
    """In the folder of the bundled registry, ``./registry.yaml`` is that very file."""
    monkeypatch.chdir(catalogue.bundled().parent)

    assert [one.path for one in catalogue.standard().registries] == [catalogue.bundled()]


def test_names_come_in_natural_order(tmp_path):
    """Numbers count as numbers; a glob chooses."""
    given = write(tmp_path / "r.yaml", net16="", net9="", alex="")

    assert [one.row.name for one in catalogue.standard(given).listed("net*")] == ["net9", "net16"]


def test_an_unknown_name_gets_its_neighbours():
    """The nearest names are offered."""
    with pytest.raises(UnknownNameError) as caught:
        catalogue.standard().entry("toy-addr")

    assert "toy-adder" in caught.value.hint


def test_the_home_follows_the_environment(monkeypatch, tmp_path):
    """ZOO_HOME, then XDG, then the platform, read at each call."""
    assert os.environ["ZOO_HOME"] == str(homes.cache())
    monkeypatch.delenv("ZOO_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert homes.cache() == tmp_path / "zoo"
    assert homes.own_registry() == tmp_path / "zoo" / "registry.yaml"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert homes.cache().name == "zoo"


def test_the_bundled_registry_is_sound():
    """What comes with zoo has no faults."""
    assert Registry(catalogue.bundled(), homes.cache()).faults() == []


def test_a_broken_registry_in_the_folder_costs_a_warning(tmp_path, monkeypatch):
    """The folder one stands in may hold another tool's file; one that is named must be right."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "registry.yaml").write_text("images: [postgres]")

    with pytest.warns(UserWarning, match="passed over"):
        assert "toy-adder" in catalogue.standard().names()
    with pytest.raises(RegistryError):
        catalogue.standard(tmp_path / "registry.yaml").names()
