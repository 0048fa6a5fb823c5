"""Plugins are found by metadata alone, whatever state that of others is in."""

import sys

import pytest

from tests.strange_plugins import SOUND, install
from zoo import found_plugins


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return a folder on the path, in which distributions are looked for."""
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path / "scripts"), str(folder)])
    return folder


def found():
    return [str(plugin) for plugin in found_plugins.search().entries]


def test_found_by_metadata(place):
    """Name, module, distribution and version, and nothing is imported."""
    install(place, "a", "raise ValueError")

    (plugin,) = found_plugins.search().entries

    assert str(plugin) == "a (zoo-a 1.0)"
    assert (plugin.module, plugin.root, plugin.bundled) == ("made_a", "made_a", False)
    assert "made_a" not in sys.modules


def test_s7_not_in_the_folder_one_stands_in(place, monkeypatch):
    """``python -m zoo`` puts that folder on the path; nobody installed what lies there."""
    install(place, "a", SOUND)
    monkeypatch.chdir(place)

    for first in ("", str(place)):
        monkeypatch.setattr(sys, "path", [first, str(place.parent)])
        assert found() == []
    monkeypatch.setattr(sys, "path", ["", str(place)])
    assert found() == ["a (zoo-a 1.0)"], "it is on the path for another reason too"


def test_the_first_of_two_installations_counts(place, tmp_path):
    """One distribution that lies in two places is one, as for Python."""
    install(place, "a", SOUND)
    other = tmp_path / "other"
    other.mkdir()
    install(other, "a", SOUND)
    sys.path.append(str(other))

    assert found() == ["a (zoo-a 1.0)"]


@pytest.mark.parametrize("text", ["[zoo]\nno equals sign\n", "[zoo]\n\xff = a\n"])
def test_unreadable_entry_points_are_one_distributions_fault(place, text):
    """They are named as broken, and hide nobody else's."""
    install(place, "a", SOUND)
    install(place, "b", SOUND)
    (place / "zoo_b-1.0.dist-info" / "entry_points.txt").write_bytes(text.encode("latin-1"))

    whole = found_plugins.search()

    assert [str(plugin) for plugin in whole.entries] == ["a (zoo-a 1.0)"]
    assert [str(plugin) for plugin in whole.broken] == ["zoo-b (zoo-b 1.0)"]


@pytest.mark.parametrize("text", [None, "", "Name zoo-b", "Metadata-Version: 2.1\n"])
def test_metadata_without_a_name(place, text):
    """Its plugins come in all the same."""
    install(place, "b", SOUND)
    metadata = place / "zoo_b-1.0.dist-info" / "METADATA"
    metadata.unlink() if text is None else metadata.write_text(text)

    (plugin,) = found_plugins.search().entries

    assert plugin.name == "b"
    assert isinstance(plugin.distribution, str)


def test_other_groups_are_not_ours(place):
    """What others offer to others does not concern us."""
    install(place, "a", SOUND)
    (place / "zoo_a-1.0.dist-info" / "entry_points.txt").write_text("[zoos]\na = made_a\n")

    assert found() == []
