"""The house is in order: packaged, and of the sizes it set itself."""

import ast
import tomllib
from pathlib import Path

import pytest
import yaml

import zoo

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PRODUCT = sorted([*(ROOT / "zoo").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])


def test_every_plugin_is_packaged_and_has_an_entry_point():
    """A plugin that is not in the wheel, or has no entry point, is not there for users."""
    modules = {path.stem for path in (ROOT / "plugins").iterdir() if path.name.startswith("zoo_")}
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    entries = PROJECT["project"]["entry-points"]["zoo"].values()
    assert {entry.partition(".")[0] for entry in entries} == modules
    assert {Path(line).stem for line in wheel} == modules | {"zoo"}


def test_there_is_one_version():
    """Of the package, of what it says, and of what is cited."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]

    assert PROJECT["project"]["version"] == zoo.__version__ == str(cited)


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


def test_the_readmes_examples_are_tested():
    """README is run by a test of its own, block by block."""
    assert (ROOT / "tests" / "end_to_end" / "test_readme.py").is_file()
