"""A shell is offered names of models: from the index, at once, without a word on the way."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.long  # processes are started and waited for


@pytest.fixture
def offered(tmp_path):
    """Return what a shell is offered behind these words, the last of which is begun."""

    def asked(*words, of="zsh", **variables):
        """Ask as the shell's own script does."""
        env = {
            **os.environ,
            "_ZOO_COMPLETE": f"{of}_complete",
            "COMP_WORDS": " ".join(["zoo", *words]),
            "COMP_CWORD": str(len(words)),
            **variables,
        }
        command = [sys.executable, "-X", "importtime", "-c", "from zoo.cli import main; main()"]
        done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path)
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        noise = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
        assert noise == []
        return done.stdout.split("\n"), imported

    return asked


def test_names_are_completed(offered):
    """Names that begin so, in natural order; no library that would take time is imported."""
    lines, imported = offered("info", of="fish", COMP_CWORD="vgg1")

    assert [line.split(",")[1] for line in lines if line] == ["vgg11", "vgg13", "vgg16", "vgg19"]
    assert not imported & {"pydantic", "requests", "numpy", "tensorflow", "zoo.library"}


@pytest.mark.parametrize("command", ["info", "fetch", "inspect", "run", "convert", "diff", "lock"])
def test_every_command_that_takes_a_name_completes_it(offered, command):
    """The begun word is completed, in every shell's own form."""
    assert "toy-adder" in "\n".join(offered(command, "toy-")[0])
    assert "plain,toy-adder" in offered(command, "toy-", of="bash")[0]


def test_where_a_file_will_do_files_are_offered_too(offered):
    """A model is also a path: the shell completes these itself."""
    assert "file" in offered("inspect", "toy-")[0]
    assert "file" not in offered("info", "toy-")[0]


def test_tags_are_completed_behind_the_colon(offered):
    """``vgg-digits:`` has one."""
    assert "vgg-digits:uci" in offered("fetch", "vgg-digits:")[0]


def test_another_registry_counts(offered, tmp_path):
    """The one that is named in front, or in the environment; a broken one offers nothing."""
    path = tmp_path / "r.yaml"
    path.write_text("version: 1\nmodels:\n  mine: {summary: s, architecture: a}\n")

    assert "mine" in offered("info", "--registry", str(path), "mi")[0]
    assert "mine" in offered("info", "mi", ZOO_REGISTRY=str(path))[0]
    path.write_text("[[[")
    assert offered("info", "mi", ZOO_REGISTRY=str(path))[0] == ["", ""]


def test_a_registry_by_url_is_not_asked(offered):
    """Nobody waits for a server at a prompt."""
    assert offered("info", "toy", ZOO_REGISTRY="https://127.0.0.1:9/r.yaml")[0] == ["", ""]
