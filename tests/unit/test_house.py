"""The house is in order: packaged, documented, and of the sizes it set itself."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from zoo import errors, hookspecs
from zoo.cli import COMMANDS
from zoo.entries import Entry, File, Head, Preprocessing, Weights
from zoo.registry import Registry

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PRODUCT = sorted([*(ROOT / "zoo").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])
DOCS = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}


def test_every_plugin_is_packaged_and_has_an_entry_point():
    """A plugin that is not in the wheel, or has no entry point, is not there for users."""
    modules = {path.stem for path in (ROOT / "plugins").iterdir() if path.name.startswith("zoo_")}
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    entries = PROJECT["project"]["entry-points"]["zoo"].values()
    assert {entry.partition(".")[0] for entry in entries} == modules
    assert {Path(line).stem for line in wheel} == modules | {"zoo"}


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_small(path):
    """No file over 300 lines, no function over 40 without its docstring."""
    text = path.read_text()
    assert text.count("\n") <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            doc = ast.get_docstring(node, clean=False)
            lines = node.end_lineno - node.lineno + 1 - (doc.count("\n") + 1 if doc else 0)
            assert lines <= 40, node.name


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_documented(name):
    """A command nobody can read about is not there."""
    assert f"## zoo {name}" in DOCS["commands.md"]


KINDS = [
    k.__name__
    for k in vars(errors).values()
    if isinstance(k, type) and k.__module__ == "zoo.errors"
]


@pytest.mark.parametrize("name", KINDS)
def test_every_error_is_documented(name):
    """Each kind, with the exit code that it has."""
    row = re.search(rf"^\| `{name}` \| (\d+) \|", DOCS["errors.md"], re.MULTILINE)

    assert row
    assert int(row[1]) == getattr(errors, name).code


@pytest.mark.parametrize("name", sorted(n for n in vars(hookspecs) if n.startswith("zoo_")))
def test_every_hook_is_documented(name):
    """A hook nobody can read about is not there."""
    assert f"`{name}`" in DOCS["plugins.md"]


KEYS = {key for kind in (Entry, Weights, File, Head, Preprocessing) for key in kind.model_fields}


@pytest.mark.parametrize("key", sorted(KEYS))
def test_every_registry_key_is_documented(key):
    """Each key that an entry may have."""
    assert f"`{key}`" in DOCS["registry.md"]


def test_the_registry_that_is_shown_has_no_faults(tmp_path):
    """Someone will begin by copying it."""
    shown = re.search(r"^```yaml\n(.*?)^```$", DOCS["registry.md"], re.MULTILINE | re.DOTALL)
    (tmp_path / "registry.yaml").write_text(shown[1])

    registry = Registry(tmp_path / "registry.yaml", tmp_path)

    assert registry.names() == ["vgg-tiny"]
    assert registry.faults() == []


def test_the_readmes_examples_are_tested():
    """README is run by a test of its own, block by block."""
    assert (ROOT / "tests" / "end_to_end" / "test_readme.py").is_file()
