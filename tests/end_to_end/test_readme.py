"""README and the pages of docs/ say what happens: each command is run, each answer compared."""

import re
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.shown_pages import BLOCK, DOCS, ROOT, environment, in_shell, run_console, run_python

ELSEWHERE = {DOCS / "write-a-format.md", *(DOCS / "hooks").glob("*.md")}
"""They install plugins: test_new_plugin.py and test_hooks.py run them."""
PAGES = sorted(
    path
    for path in {ROOT / "README.md", *DOCS.rglob("*.md")} - ELSEWHERE
    if re.search(r"^```(console|python)$", path.read_text(), re.MULTILINE)
)
SERVER = "https://models.example.org"
"""The server of a team, as pages have it; what it serves is the folder ``www`` of the page."""


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_shows_happens(page, warm_path, tmp_path, monkeypatch):
    """Console blocks and Python examples, in their order, in one folder."""
    monkeypatch.chdir(tmp_path)
    env, globs = environment(warm_path), {}
    with serving(tmp_path / "www") as server:

        def run(command):
            printed = in_shell(command.replace(SERVER, server), tmp_path, env)
            return printed.replace(server, SERVER)

        text = page.read_text()
        files = dict(FILES.findall(text)).values()
        for kind, block in BLOCK.findall(text):
            if kind == "console":
                assert run_console(block, run)
            elif block not in files:
                assert run_python(block, page.name, globs)


FILES = re.compile(r"^`(\S+\.py)`:\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_plugins_that_are_shown_work(tmp_path, warm_path):
    """The format keeps the contract by its own test; the command is a command."""
    files = dict(FILES.findall((DOCS / "plugins.md").read_text()))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    info = tmp_path / "shown-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shown\nVersion: 1.0\n")
    plugins = [name.removesuffix(".py") for name in files if name.startswith("zoo_")]
    entry_points = "".join(f"{name} = {name}\n" for name in plugins)
    (info / "entry_points.txt").write_text(f"[zoo]\n{entry_points}")
    env = environment(warm_path, tmp_path)

    contract = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_zoo_flat.py"]
    done = subprocess.run(contract, cwd=tmp_path, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout
    assert "a.flat: " in in_shell("zoo convert toy-adder a.flat --to flat", tmp_path, env)
    assert in_shell("zoo hello a.flat", tmp_path, env) == "hello, 1 weights\n"
