"""A project to begin with: its names, what is refused, and that nothing is left half-written."""

import ast
import json
import tomllib

import pytest

from zoo import new_plugin
from zoo.cli import run
from zoo.errors import UsageError, WriteError


@pytest.mark.parametrize("name", ["two_words", "two-words", "zoo-two-words", "zoo_two_words"])
def test_however_it_is_spelled(name, tmp_path):
    """Format and module have underscores, folder and distribution dashes."""
    path = new_plugin.write(name, tmp_path)

    assert path == tmp_path / "zoo-two-words"
    project = tomllib.loads((path / "pyproject.toml").read_text())
    assert project["project"]["name"] == "zoo-two-words"
    assert project["project"]["entry-points"]["zoo"] == {"two_words": "zoo_two_words"}
    assert project["tool"]["setuptools"]["py-modules"] == ["zoo_two_words"]
    for file in ("zoo_two_words.py", "tests/test_zoo_two_words.py"):
        ast.parse((path / file).read_text())
    assert "class TestTwoWords(FormatContract)" in (path / file).read_text()
    assert not [p for p in path.rglob("*") if p.is_file() and "$" in p.read_text()]


@pytest.mark.parametrize("name", ["", "zoo", "zoo_", "Mine", "1st", "a b", "../x", "_", "x" * 41])
def test_names_that_no_module_can_have(name, tmp_path):
    """They are refused before anything is written; `zoo` alone is a name like any other."""
    if name == "zoo":
        assert new_plugin.write(name, tmp_path).name == "zoo-zoo"
        return
    with pytest.raises(UsageError):
        new_plugin.write(name, tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["taken", "frozen", "finetune"])
def test_names_that_are_taken(name, tmp_path):
    """By a format, or by the module of a plugin that is installed."""
    with pytest.raises(UsageError, match="is taken"):
        new_plugin.write(name, tmp_path, {"taken"})


def test_a_folder_that_is_there_stays(tmp_path):
    """Somebody may have worked in it."""
    (tmp_path / "zoo-mine").mkdir()

    with pytest.raises(WriteError, match="is there already"):
        new_plugin.write("mine", tmp_path)

    assert list((tmp_path / "zoo-mine").iterdir()) == []


def test_the_command(tmp_path, capsys):
    """It says where the project is, and what to do next; as JSON, its files."""
    assert run(["new-plugin", "mine", "--into", str(tmp_path / "new")]) == 0
    said = capsys.readouterr()
    assert said.out == f"{tmp_path}/new/zoo-mine\n"
    assert "pip install" in said.err

    assert run(["new-plugin", "other", "--into", str(tmp_path), "--json"]) == 0
    assert "zoo_other.py" in json.loads(capsys.readouterr().out)["files"]
    assert run(["new-plugin", "frozen", "--into", str(tmp_path)]) == UsageError.code
