"""README and the pages of docs/ say what happens: each command is run, each answer compared."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    if re.search(r"^```(console|python)$", path.read_text(), re.MULTILINE)
    and path.name != "write-a-format.md"  # it installs a plugin: test_new_plugin.py
)
CHECKER = doctest.OutputChecker()
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(block):
    """Yield the commands of a console block, each with the output that is shown below it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def shown(command, folder):
    """Return what `command` prints, errors and notes in front as a terminal shows them."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path}
    shell = ["sh", "-c", command]
    done = subprocess.run(shell, cwd=folder, capture_output=True, text=True, env=env)
    return done.stderr + done.stdout


def run_python(block, name, globs):
    """Run a block of examples, and fail where it shows something else."""
    test = doctest.DocTestParser().get_doctest(block, globs, name, name, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    runner.run(test, clear_globs=False)
    globs.update(test.globs)
    assert runner.failures == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_shows_happens(page, tmp_path, monkeypatch):
    """Console blocks and Python examples, in their order, in one folder."""
    monkeypatch.chdir(tmp_path)
    globs = {}
    for kind, block in BLOCK.findall(page.read_text()):
        if kind == "python":
            run_python(block, page.name, globs)
            continue
        for command, output in commands(block):
            printed = shown(command, tmp_path)
            if not CHECKER.check_output(output, printed, doctest.ELLIPSIS):
                assert f"$ {command}\n{printed}" == f"$ {command}\n{output}"


FILES = re.compile(r"^`(\S+\.py)`:\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_plugins_that_are_shown_work(tmp_path):
    """The format keeps the contract by its own test; the command is a command."""
    files = dict(FILES.findall((ROOT / "docs" / "plugins.md").read_text()))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    info = tmp_path / "shown-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shown\nVersion: 1.0\n")
    plugins = [name.removesuffix(".py") for name in files if name.startswith("zoo_")]
    entry_points = "".join(f"{name} = {name}\n" for name in plugins)
    (info / "entry_points.txt").write_text(f"[zoo]\n{entry_points}")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}

    def run(*command):
        command = (sys.executable, "-m", *command)
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=env)

    contract = run("pytest", "-q", "-p", "no:cacheprovider", "test_zoo_flat.py")
    assert contract.returncode == 0, contract.stdout
    assert run("zoo", "convert", "toy-adder", "a.flat", "--to", "flat").returncode == 0
    assert run("zoo", "hello", "a.flat").stdout == "hello, 1 weights\n"
