"""README and the pages of docs/ say what happens: each command is run, each answer compared."""

import doctest
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests import warm_commands

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ELSEWHERE = {DOCS / "write-a-format.md", *(DOCS / "hooks").glob("*.md")}
"""They install plugins: test_new_plugin.py and test_hooks.py run them."""
PAGES = sorted(
    path
    for path in {ROOT / "README.md", *DOCS.rglob("*.md")} - ELSEWHERE
    if re.search(r"^```(console|python)$", path.read_text(), re.MULTILINE)
)
CHECKER = doctest.OutputChecker()
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SERVER = "https://models.example.org"
"""The server of a team, as pages have it; what it serves is the folder ``www`` of the page."""
PROGRESS = re.compile(r"^features of \d+ of \d+ examples\n", re.MULTILINE)
"""What only a slow machine prints."""


def commands(block):
    """Yield the commands of a console block, each with the output that is shown below it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\"):
            more, _, output = output.partition("\n")
            command += f"\n{more}"
        yield command, output


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """Return a PATH whose commands need not import TensorFlow, since somebody has."""
    with warm_commands.running(tmp_path_factory.mktemp("warm")) as folder:
        places = [str(folder), str(Path(sys.executable).parent), os.environ["PATH"]]
        yield os.pathsep.join(places)


@contextmanager
def serving(folder):
    """Yield the address of a server of the files in `folder`."""
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def send_head(self):
        """Answer as a server of files does, and let nobody see what is private."""
        if self.path.startswith("/private/"):
            self.send_error(403)
            return None
        return super().send_head()

    def log_message(self, *_):
        """Say nothing: pytest shows what is wrong."""


def shown(command, folder, path, server):
    """Return what `command` prints, errors and notes in front as a terminal shows them."""
    env = {**os.environ, "PATH": path}
    shell = ["sh", "-c", command.replace(SERVER, server)]
    done = subprocess.run(shell, cwd=folder, capture_output=True, text=True, env=env)
    printed = (done.stderr + done.stdout).replace(server, SERVER)
    return PROGRESS.sub("", printed)


def run_python(block, name, globs):
    """Run a block of examples, and fail where it shows something else."""
    test = doctest.DocTestParser().get_doctest(block, globs, name, name, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    runner.run(test, clear_globs=False)
    globs.update(test.globs)
    assert runner.failures == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_shows_happens(page, warm, tmp_path, monkeypatch):
    """Console blocks and Python examples, in their order, in one folder."""
    monkeypatch.chdir(tmp_path)
    globs = {}
    with serving(tmp_path / "www") as server:
        for kind, block in BLOCK.findall(page.read_text()):
            if kind == "python":
                run_python(block, page.name, globs)
                continue
            for command, output in commands(block):
                printed = shown(command, tmp_path, warm, server)
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
