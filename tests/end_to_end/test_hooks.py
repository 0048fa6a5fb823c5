"""Each hook has a page, and the plugin that it shows does what the page says."""

import doctest
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from zoo import hookspecs

ROOT = Path(__file__).parents[2]
HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("zoo_"))
FILE = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHECKER = doctest.OutputChecker()


def page_of(hook):
    return ROOT / "docs" / "hooks" / f"{hook.removeprefix('zoo_').replace('_', '-')}.md"


def install(files, place):
    """Leave in `place` what installing the project that `files` are would."""
    place.mkdir()
    for name, text in files.items():
        if name.endswith(".py"):
            (place / name).write_text(text)
    entries = tomllib.loads(files["pyproject.toml"])["project"]["entry-points"]["zoo"]
    info = place / "shown-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shown\nVersion: 1.0\n")
    lines = "".join(f"{name} = {module}\n" for name, module in entries.items())
    (info / "entry_points.txt").write_text(f"[zoo]\n{lines}")


@pytest.mark.parametrize("hook", HOOKS)
def test_what_a_page_shows_happens(hook, tmp_path):
    """The plugin is installed beside zoo, and the commands answer as shown."""
    text = page_of(hook).read_text()
    files, place, folder = dict(FILE.findall(text)), tmp_path / "place", tmp_path / "here"
    install(files, place)
    folder.mkdir()
    for name, content in files.items():
        if not name.endswith((".py", ".toml")):
            (folder / name).write_text(content)
    path = os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PYTHONPATH": path, "PATH": programs}

    shown = [
        part.partition("\n")[::2]
        for block in CONSOLE.findall(text)
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    ]
    assert shown
    for command, output in shown:
        shell = ["sh", "-c", command]
        done = subprocess.run(shell, cwd=folder, capture_output=True, text=True, env=env)
        printed = done.stderr + done.stdout
        if not CHECKER.check_output(output, printed, doctest.ELLIPSIS):
            assert f"$ {command}\n{printed}" == f"$ {command}\n{output}"


@pytest.mark.parametrize("hook", HOOKS)
def test_the_table_of_hooks_leads_to_its_page(hook):
    """Who reads of a hook finds the rest."""
    page = page_of(hook)

    assert f"[`{hook}`](hooks/{page.name})" in (ROOT / "docs" / "plugins.md").read_text()
    assert page.read_text().startswith(f"# `{hook}`: ")
