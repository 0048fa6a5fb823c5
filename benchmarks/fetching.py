"""A fetch beside what one would do otherwise: curl and sha256sum, pooch; one connection and eight.

``python -m benchmarks.fetching [RUNS]`` starts nginx on a loopback port; without nginx there is
nothing to measure.  pooch is measured where it is installed, or where ``POOCH_PYTHON`` names a
Python that has it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import in_turn, show

_MEGABYTE = 1 << 20
_SIZE = 512
"""Megabytes of the file."""
_REGISTRY = """version: 1
models:
  net:
    summary: random bytes
    weights:
      bytes: {{format: frozen, urls: ["{url}"], sha256: {sha}, size: {size}}}
"""
_POOCH = "import sys, pooch; pooch.retrieve(sys.argv[1], 'sha256:' + sys.argv[2], path=sys.argv[3])"


def measure(runs: int) -> None:
    """Measure everything, each command `runs` times, and print the medians."""
    from tests import nginx_server

    if reason := nginx_server.why_not():
        print(f"\nfetching: not measured, {reason}")
        return
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name:
        room = Path(name)
        sha = _made(room / "files" / "net")
        with nginx_server.running(room, rate="20m") as url:
            _loopback(room, url, sha, runs)
            _slow(room, url, sha)


def _made(path: Path) -> str:
    """Write the file, and return its sha256."""
    path.parent.mkdir()
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(_SIZE):
            chunk = os.urandom(_MEGABYTE)
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _fetch(room: Path, url: str, sha: str, connections: int = 1) -> list[str]:
    registry = room / f"{hashlib.sha256(url.encode()).hexdigest()[:8]}.yaml"
    registry.write_text(_REGISTRY.format(url=url, sha=sha, size=_SIZE * _MEGABYTE))
    command = [sys.executable, "-m", "zoo", "fetch", "net", "--registry", str(registry), "-q"]
    return [*command, "--connections", str(connections)]


def _loopback(room: Path, url: str, sha: str, runs: int) -> None:
    """Measure a server that is as fast as the machine."""
    os.environ["ZOO_HOME"] = str(room / "home")
    target = room / "target"

    def clear() -> None:
        """Remove what was fetched, and have nobody wait for the bytes of another."""
        for folder in (room / "home", target):
            shutil.rmtree(folder, ignore_errors=True)
        target.mkdir()
        os.sync()

    file = f"{url}/net"
    by_curl = f"curl -sf -o {target}/net {file} && sha256sum {target}/net"
    commands = {
        "zoo fetch": _fetch(room, file, sha),
        "curl, then sha256sum": ["sh", "-c", by_curl],
        "curl, then sha256sum, then sync": ["sh", "-c", f"{by_curl} && sync {target}/net"],
    }
    if python := _with_pooch():
        commands["pooch.retrieve"] = [python, "-c", _POOCH, file, sha, str(target)]
    show(f"{_SIZE} MB from nginx on loopback", in_turn(commands, runs, clear))
    subprocess.run(commands["zoo fetch"], check=True, capture_output=True)
    again = in_turn({"zoo fetch": commands["zoo fetch"]}, runs, lambda: None)
    show("the same, in the store already", again)
    clear()


def _slow(room: Path, url: str, sha: str) -> None:
    """Measure a server that gives 20 MB/s to each connection, once."""
    commands = {
        f"zoo fetch --connections {count}": _fetch(room, f"{url}/slow/net", sha, count)
        for count in (8, 1)
    }
    home = room / "home"
    show(
        f"{_SIZE} MB at 20 MB/s for each connection",
        in_turn(commands, 1, lambda: shutil.rmtree(home, ignore_errors=True)),
    )


def _with_pooch() -> str | None:
    """Return a Python that has pooch."""
    if importlib.util.find_spec("pooch") is not None:
        return sys.executable
    return os.environ.get("POOCH_PYTHON")


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
