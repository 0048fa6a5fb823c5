"""What a page shows, run: its console blocks in a shell, its Python examples as doctests."""

import doctest
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CHECKER = doctest.OutputChecker()
_PROGRESS = re.compile(r"^features of \d+ of \d+ examples\n", re.MULTILINE)
"""What only a slow machine prints."""


def commands(block):
    """Yield the commands of a console block, each with the output that is shown below it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def in_shell(command, folder, env):
    """Return what `command` prints, errors and notes in front as a terminal shows them."""
    shell = ["sh", "-c", command]
    done = subprocess.run(shell, cwd=folder, capture_output=True, text=True, env=env)
    return done.stderr + done.stdout


def run_console(block, run):
    """Give each command of a block to `run`, and fail where it prints something else.

    Returns how many there were.
    """
    shown = [*commands(block)]
    for command, output in shown:
        printed = _PROGRESS.sub("", run(command))
        if not _CHECKER.check_output(output, printed, doctest.ELLIPSIS):
            assert f"$ {command}\n{printed}" == f"$ {command}\n{output}"
    return len(shown)


def run_python(block, name, globs):
    """Run a block of examples, and fail where it shows something else; return how many."""
    test = doctest.DocTestParser().get_doctest(block, globs, name, name, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    runner.run(test, clear_globs=False)
    globs.update(test.globs)
    assert runner.failures == 0
    return runner.tries


def environment(path, *places):
    """Return the environment of a shell that finds commands by `path`, and plugins in `places`."""
    python_path = os.pathsep.join([*map(str, places), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PATH": path, "PYTHONPATH": python_path}
