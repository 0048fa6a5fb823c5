"""The page on a registry for a team: its configuration of nginx, and what clients see of it."""

import re
import shutil

import pytest

from tests import nginx_server
from tests.shown_pages import BLOCK, DOCS, run_python
from zoo.cli import run

PAGE = DOCS / "howto" / "team-registry.md"


def directives_on(page):
    """Return what the page tells nginx, but for the place, which is another one here."""
    block = re.search(r"^server \{\n(.*?)^\}$", page, re.MULTILINE | re.DOTALL)[1]
    return re.sub(r"^ *(listen|server_name|ssl_\w+|root) .*\n", "", block, flags=re.MULTILINE)


@pytest.fixture
def team(tmp_path, monkeypatch):
    """Return the address of the registry, made and served as the page says."""
    if reason := nginx_server.why_not():
        pytest.skip(reason)
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text()
    (tmp_path / "www" / "models").mkdir(parents=True)
    assert run(["convert", "toy-adder", "www/models/adder.pb", "--to", "frozen", "-q"]) == 0
    for kind, block in BLOCK.findall(page):
        if kind == "python":
            run_python(block, PAGE.name, {})
    shutil.move("www", "files")
    with nginx_server.running(tmp_path, locations=directives_on(page)) as url:
        yield f"{url}/registry.yaml"


def test_a_team_has_its_names(team, capsys, monkeypatch):
    """Its list, and a model that was fetched and verified, from the server on the page."""
    monkeypatch.setenv("ZOO_REGISTRY", team)

    assert run(["list", "team*"]) == 0
    assert run(["fetch", "team-adder", "--into", "here", "-q"]) == 0

    assert "team-adder  the adder of our team" in capsys.readouterr().out


def test_a_registry_that_did_not_change_is_not_sent_again(team, tmp_path, capsys):
    """The server is asked each time, and answers 304."""
    for _ in range(2):
        assert run(["list", "--registry", team, "team*"]) == 0

    assert [status for status, *_ in nginx_server.asked(tmp_path)] == ["200", "304"]
