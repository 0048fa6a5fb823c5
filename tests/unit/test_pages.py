"""What is printed fits a terminal, and is plain in a pipe."""

import os
import pty
import re
import subprocess
import sys

import pytest

import zoo
from zoo import pages, protos, report
from zoo.cli import run
from zoo.samples import sample_model

ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def net(tmp_path):
    zoo.save(sample_model(), tmp_path / "net.pb", format="frozen")
    return tmp_path / "net.pb"


def on_terminal(columns, *arguments):
    """Return what a command prints on a terminal of so many columns."""
    parent, child = pty.openpty()
    env = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color"}
    env.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "zoo", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=child, stderr=child, env=env, close_fds=True)
    os.close(child)
    shown = b""
    while True:
        try:
            piece = os.read(parent, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    process.wait()
    os.close(parent)
    return shown.decode()


@pytest.mark.parametrize("columns", [50, 120])
def test_tables_fit_the_terminal(net, columns):
    """No line is longer than the terminal is wide, and nothing is cut off."""
    shown = on_terminal(columns, "inspect", net)
    lines = [ANSI.sub("", line) for line in shown.splitlines()]

    assert "\x1b[" in shown
    assert max(map(len, lines)) <= columns
    assert "probabilities:0" in re.sub(r"\s", "", "".join(lines))


def test_plain_in_a_pipe(net, capsys):
    """No colours, each row on one line."""
    pages.say(report.sections(zoo.inspect(net), everything=False))
    shown = capsys.readouterr().out

    assert "\x1b" not in shown
    assert re.search(r"^  in   x:0 .* the outputs depend on it$", shown, re.MULTILINE)


def test_what_is_asked_for_alone(net, capsys):
    """Weights, operations, tensors by a pattern: these and nothing else."""
    from zoo.cli import run

    assert run(["inspect", str(net), "--tensors", "dense*", "--ops"]) == 0
    shown = capsys.readouterr().out

    assert "dense/MatMul:0" in shown
    assert "1 Softmax" in shown
    assert "format" not in shown


def test_more_than_fits_is_counted(net):
    """A long list ends with how much more there is, and --all leaves nothing out."""
    facts = zoo.inspect(net)
    facts["weights"] = facts["weights"] * 10

    (short,) = (s for s in report.sections(facts, everything=False) if s.title == "weights")
    (whole,) = (s for s in report.sections(facts, everything=True) if s.title == "weights")

    assert (len(short.rows), short.rest) == (report.SHOWN, "and 8 more: --all")
    assert (len(whole.rows), whole.rest) == (20, "")


def test_what_does_more_than_compute_is_told(tmp_path, capsys):
    """Who looks before running sees it at the top; where and why is another command's."""
    graph = protos.GraphDef()
    graph.node.add(name="path", op="Placeholder").attr["dtype"].type = 7
    graph.node.add(name="read", op="ReadFile", input=["path"])
    (tmp_path / "m.pb").write_bytes(graph.SerializeToString())

    assert run(["inspect", str(tmp_path / "m.pb")]) == 0
    assert "beware   it does more than compute: ReadFile; `zoo scan`" in capsys.readouterr().out
