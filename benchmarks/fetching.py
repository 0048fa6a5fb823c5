"""A fetch beside what one would do otherwise: curl and sha256sum, pooch, huggingface_hub.

``python -m benchmarks.fetching`` by itself.  The server is nginx on a loopback port; without nginx
there is nothing to measure.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench import ZOO, Bench, environment
from benchmarks.measure import in_turn
from benchmarks.printing import block
from benchmarks.theirs import Theirs
from benchmarks.works import CURL, ONE_CONNECTION, WORKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.rows import Row

_MEGABYTE = 1 << 20
_FULL, _QUICK = 512, 128
"""Megabytes of the file."""
_REGISTRY = """version: 1
models:
  net:
    summary: random bytes
    weights:
      bytes: {{format: frozen, urls: ["{url}"], sha256: {sha}, size: {size}}}
"""
_POOCH = "import sys, pooch; pooch.retrieve(sys.argv[1], 'sha256:' + sys.argv[2], path=sys.argv[3])"
_HUB = (
    "import sys; from huggingface_hub import hf_hub_download;"
    "hf_hub_download('zoo/net', 'net', cache_dir=sys.argv[1])"
)
_HUB_PATHS = """
    location /zoo/net/resolve/main/ {{
      alias {files}/;
      add_header X-Repo-Commit {commit};
      add_header ETag '"{sha}"';
    }}
"""
"""What huggingface_hub asks for: a file of a repository, with the commit and the digest."""
_FETCH, _STORED = "zoo fetch", "zoo fetch, in the store already"


def rows(bench: Bench) -> Iterator[Row]:
    """Measure a file of 512 MB from a server as fast as the machine, then from one that is slow."""
    from tests import nginx_server

    if reason := nginx_server.why_not():
        bench.missing["fetch"] = reason
        return
    room = bench.room / "fetching"
    (room / "files").mkdir(parents=True)
    size = _QUICK if bench.quick else _FULL
    sha = _made(room / "files" / "net", size)
    paths = _HUB_PATHS.format(files=room / "files", commit="0" * 40, sha=sha)
    with (
        nginx_server.running(room, rate="20m", locations=paths) as url,
        environment(ZOO_HOME=str(room / "home"), HF_ENDPOINT=url, NO_PROXY="127.0.0.1"),
    ):
        yield _loopback(bench, room, url, sha, size)
        yield _slow(room, url, sha, size)
    shutil.rmtree(room)


def _made(path: Path, megabytes: int) -> str:
    """Write the file, and return its sha256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(megabytes):
            chunk = os.urandom(_MEGABYTE)
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _fetch(room: Path, url: str, sha: str, size: int, connections: int = 1) -> list[str]:
    registry = room / f"{hashlib.sha256(url.encode()).hexdigest()[:8]}.yaml"
    registry.write_text(_REGISTRY.format(url=url, sha=sha, size=size * _MEGABYTE))
    command = [*ZOO, "fetch", "net", "--registry", str(registry), "-q"]
    return [*command, "--connections", str(connections)]


def _loopback(bench: Bench, room: Path, url: str, sha: str, size: int) -> Row:
    target = room / "target"

    def clear() -> None:
        """Remove what was fetched, and have nobody wait for the bytes of another."""
        for folder in (room / "home", target):
            shutil.rmtree(folder, ignore_errors=True)
        target.mkdir()
        os.sync()

    ours = _fetch(room, f"{url}/net", sha, size)
    commands = {_FETCH: ours, **_others(bench, target, url, sha)}
    found = in_turn(commands, bench.runs, clear, lost=bench.missing)
    subprocess.run(ours, check=True, capture_output=True)
    stored = in_turn({_STORED: ours}, bench.runs)[_STORED]
    clear()
    mine = found.pop(_FETCH)
    facts = {"seconds when it is in the store already": stored.time}
    return WORKS["fetch"].row(f"{size} MB from nginx", mine, list(found.values()), facts)


def _others(bench: Bench, target: Path, url: str, sha: str) -> dict[str, list[str]]:
    """Return what others run; huggingface_hub alone does not hash what it got."""
    file, commands = f"{url}/net", {}
    by_curl = f"curl -sf -o {target}/net {file} && sha256sum {target}/net"
    if shutil.which("curl"):
        commands[CURL] = ["sh", "-c", by_curl]
        commands[f"{CURL}, then sync"] = ["sh", "-c", f"{by_curl} && sync {target}/net"]
    else:
        bench.missing["curl"] = "not installed"
    python = bench.theirs.python
    if bench.theirs.has("pooch"):
        commands["pooch.retrieve"] = [python, "-c", _POOCH, file, sha, str(target)]
    if bench.theirs.has("huggingface_hub"):
        commands["huggingface_hub, not verified"] = [python, "-c", _HUB, str(target)]
    return commands


def _slow(room: Path, url: str, sha: str, size: int) -> Row:
    """Measure a server that gives 20 MB/s to each connection, once."""
    commands = {
        label: _fetch(room, f"{url}/slow/net", sha, size, count)
        for label, count in (("zoo fetch --connections 8", 8), (ONE_CONNECTION, 1))
    }
    home = room / "home"
    found = in_turn(commands, 1, lambda: shutil.rmtree(home, ignore_errors=True))
    ours, theirs = found.values()
    return WORKS["fetch-slow"].row(f"{size} MB", ours, [theirs])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name:
        for row in rows(Bench(Path(name), 5, Theirs.at(Path(".venv-others")))):
            print(block(row), end="\n\n")
