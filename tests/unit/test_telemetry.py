"""S8: zoo talks to nobody but the servers whose addresses it was given."""

import socket
import subprocess

import pytest

from zoo.cli import run


@pytest.fixture
def silence(monkeypatch):
    """Note every name that is looked up, every connection and every program that is started."""
    asked = []

    def note(*arguments, **_):
        asked.append(arguments)
        raise OSError("nothing may be asked")

    monkeypatch.setattr(socket, "getaddrinfo", note)
    monkeypatch.setattr(socket.socket, "connect", note)
    monkeypatch.setattr(socket.socket, "connect_ex", note)
    monkeypatch.setattr(socket.socket, "sendto", note)
    monkeypatch.setattr(subprocess, "Popen", note)
    return asked


@pytest.mark.parametrize("command", ["--help", "--version", "list", "info toy-adder", "formats"])
def test_s8_nobody_is_told_what_is_done(command, silence):
    """There is no telemetry, no check for updates, no report of a failure."""
    assert run(command.split()) == 0
    assert silence == []


def test_s8_nor_what_was_done_to_a_model(silence, tmp_path):
    """Neither work nor a failure leaves the machine."""
    out = str(tmp_path / "adder.pb")

    assert run(["convert", "toy-adder", out, "--to", "frozen", "-q"]) == 0
    assert run(["inspect", out]) == 0
    assert run(["inspect", str(tmp_path / "nothing.pb")]) == 66
    assert silence == []
