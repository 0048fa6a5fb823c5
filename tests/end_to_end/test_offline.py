"""Offline means that no socket is opened: the commands run where opening one ends the process."""

import hashlib
import os
import subprocess
import sys

import pytest

_SITE = """
import os, socket, sys

def forbidden(*arguments, **named):
    os.write(2, b"a socket was opened\\n")
    os._exit(99)

class Forbidden(socket.socket):
    __init__ = connect = connect_ex = bind = sendto = forbidden

socket.socket = socket.SocketType = Forbidden
for name in ("create_connection", "getaddrinfo", "gethostbyname", "socketpair", "create_server"):
    setattr(socket, name, forbidden)
"""


@pytest.fixture
def zoo(tmp_path):
    """Return how ``zoo`` ends and what it says, in a process that may not open a socket."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_SITE)
    paths = [str(site), os.environ.get("PYTHONPATH", "")]

    def called(*arguments, **variables):
        """Run ``zoo`` with these arguments and environment variables."""
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **variables}
        command = [sys.executable, "-m", "zoo", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path)
        return done.returncode, done.stdout + done.stderr

    return called


def remote(folder, name="net", digest="1" * 64):
    """Write a registry whose only model is on a server, and return its path."""
    path = folder / f"{name}.yaml"
    path.write_text(
        f"version: 1\nmodels:\n  {name}:\n    summary: s\n    weights:\n      a:\n"
        f"        format: frozen\n        urls: ['https://127.0.0.1:9/{name}.pb']\n"
        f"        sha256: {digest}\n        size: 5\n"
    )
    return path


def test_n29_without_it_a_socket_is_opened(zoo, tmp_path):
    """The trap works: a fetch that is not offline walks into it."""
    assert zoo("fetch", "net", "--registry", remote(tmp_path)) == (99, "a socket was opened\n")


@pytest.mark.parametrize("variable", [{}, {"ZOO_OFFLINE": "1"}])
def test_n29_no_command_opens_a_socket(zoo, tmp_path, variable):
    """Listing, showing, fetching, inspecting, converting, locking: by option and by environment."""
    path, flag = remote(tmp_path), [] if variable else ["--offline"]

    assert zoo("list", "--registry", path, **variable)[0] == 0
    assert zoo("info", "net", "--registry", path, **variable)[0] == 0
    assert zoo("lock", "net", "toy-adder", "--registry", path, *flag, **variable)[0] == 0
    assert zoo("fetch", "toy-adder", *flag, **variable)[0] == 0
    assert zoo("convert", "toy-adder", "a.pb", "--to", "frozen", *flag, **variable)[0] == 0
    for command in (
        ("fetch", "net"),
        ("inspect", "net"),
        ("convert", "net", "out", "--to", "frozen"),
        ("diff", "net", "toy-adder"),
    ):
        code, said = zoo(*command, "--registry", path, *flag, **variable)
        assert code == 69, said
        assert f"net:a: https://127.0.0.1:9/net.pb (5 bytes, sha256 {'1' * 64})" in said
    code, said = zoo("sync", *flag, **variable)
    assert code == 69
    assert "1 file is not on this machine" in said
    assert "toy-adder" not in said


def test_n29_a_registry_and_a_bare_url_are_not_asked_for_either(zoo):
    """What was never read cannot be had; the error says which it is."""
    url = "https://127.0.0.1:9/r.yaml"
    code, said = zoo("list", "--registry", url, ZOO_OFFLINE="1")
    assert (code, "the registry https://127.0.0.1:9/r.yaml is not on this machine" in said) == (
        69,
        True,
    )
    code, said = zoo("fetch", f"https://127.0.0.1:9/x.pb#sha256={'2' * 64}", "--offline")
    assert code == 69
    assert "x.pb: https://127.0.0.1:9/x.pb" in said
    code, said = zoo("inspect", "https://127.0.0.1:9/x.pb", "--offline", "--trust-first")
    assert code == 69


def test_n29_what_is_here_works_offline(zoo, tmp_path, home):
    """A model of a server that was fetched before runs without it."""
    data = b"12345"
    digest = hashlib.sha256(data).hexdigest()
    place = home / "sha256" / digest[:2] / digest
    place.parent.mkdir(parents=True)
    place.write_bytes(data)

    code, said = zoo("fetch", "net", "--registry", remote(tmp_path, digest=digest), "--offline")

    assert (code, str(place) in said) == (0, True)
