"""Each hook has a page, and the plugin that it shows does what the page says."""

import re
import tomllib

import pytest

from tests.shown_pages import BLOCK, DOCS, environment, in_shell, run_console
from zoo import hookspecs

HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("zoo_"))
FILE = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page_of(hook):
    return DOCS / "hooks" / f"{hook.removeprefix('zoo_').replace('_', '-')}.md"


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
def test_what_a_page_shows_happens(hook, tmp_path, warm_path):
    """The plugin is installed beside zoo, and the commands answer as shown."""
    text = page_of(hook).read_text()
    files, place, folder = dict(FILE.findall(text)), tmp_path / "place", tmp_path / "here"
    install(files, place)
    folder.mkdir()
    for name, content in files.items():
        if not name.endswith((".py", ".toml")):
            (folder / name).write_text(content)
    env = environment(warm_path, place)

    shown = [block for kind, block in BLOCK.findall(text) if kind == "console"]
    assert shown
    for block in shown:
        run_console(block, lambda command: in_shell(command, folder, env))


@pytest.mark.parametrize("hook", HOOKS)
def test_the_table_of_hooks_leads_to_its_page(hook):
    """Who reads of a hook finds the rest."""
    page = page_of(hook)

    assert f"[`{hook}`](hooks/{page.name})" in (DOCS / "plugins.md").read_text()
    assert page.read_text().startswith(f"# `{hook}`: ")
