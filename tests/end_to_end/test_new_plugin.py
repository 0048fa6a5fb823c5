"""What ``zoo new-plugin`` writes is installed beside zoo, and works there as the page says."""

import json

import pytest

from tests.fresh_environment import FreshEnvironment, why_not
from tests.shown_pages import BLOCK, DOCS, run_console, run_python

pytestmark = pytest.mark.slow
PAGE = DOCS / "write-a-format.md"


@pytest.fixture
def fresh(tmp_path_factory):
    """Return an environment of its own, with this zoo in it and no plugin of others."""
    reason = why_not()
    if reason:
        pytest.skip(f"no project can be built here without a network: {reason}")
    return FreshEnvironment(tmp_path_factory.mktemp("fresh") / "environment")


def test_a_format_in_ten_minutes(fresh, tmp_path):
    """The page, typed line by line by somebody who has never seen zoo."""
    for kind, block in BLOCK.findall(PAGE.read_text()):
        if kind == "python":
            assert run_python(block, PAGE.name, {})
        else:
            assert run_console(block, lambda command: fresh.run(command, tmp_path).stdout)


def test_a_built_plugin_is_found_without_its_folder(fresh, tmp_path):
    """A wheel, not a link to the folder: the module, its entry point, and its tests as written."""
    assert fresh.run("zoo new-plugin my-own_format --into there", tmp_path).returncode == 0
    project = tmp_path / "there" / "zoo-my-own-format"

    installed = fresh.run(f"pip install {project}", tmp_path)
    assert installed.returncode == 0, installed.stdout
    (project / "zoo_my_own_format.py").unlink()

    plugins = json.loads(fresh.run("zoo plugins --json", tmp_path).stdout)["plugins"]
    (mine,) = [one for one in plugins if one["name"] == "my_own_format"]
    assert (mine["distribution"], mine["error"]) == ("zoo-my-own-format", None)
    tests = fresh.run("pytest -q -p no:cacheprovider", project)
    assert tests.returncode == 0, tests.stdout
    convert = "zoo convert vgg-digits digits --to my_own_format"
    assert fresh.run(convert, tmp_path).returncode == 0
    facts = json.loads(fresh.run("zoo inspect digits --json", tmp_path).stdout)
    assert facts["format"] == "my_own_format"
    assert fresh.run("zoo diff vgg-digits digits", tmp_path).returncode == 0
