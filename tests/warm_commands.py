"""Commands run as a shell runs them, in processes that have imported TensorFlow already.

To import it takes seconds, which a page of twenty commands would spend twenty times. One process
imports it, does nothing with it, and is forked for each command; what a shell starts by the name of
a command is a client, which hands its arguments, folder, environment and streams over, and leaves
with the exit code that it is told.
"""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from select import select

COMMANDS = {
    "zoo": "zoo.cli:main",
    "saved_model_cli": "tensorflow.python.tools.saved_model_cli:main",
}
_CLIENT = """#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({place!r})
told = json.dumps([{name!r}, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(told).to_bytes(4, "big")], [0, 1, 2])
server.sendall(told)
code = server.recv(1)
sys.exit(code[0] if code else 139)
"""
_MOST = 1 << 20
"""Bytes that arguments and environment have at most."""


@contextmanager
def running(room):
    """Yield a folder of commands, for the front of PATH; `room` is an empty folder."""
    place, folder = str(Path(room) / "socket"), Path(room) / "bin"
    folder.mkdir()
    for name in COMMANDS:
        client = folder / name
        client.write_text(_CLIENT.format(python=sys.executable, place=place, name=name))
        client.chmod(0o755)
    ours, theirs = socket.socketpair()
    command = [sys.executable, __file__, place, str(theirs.fileno())]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=quiet)
    theirs.close()
    try:
        assert ours.recv(1), "the process for commands did not start"
        yield folder
    finally:
        ours.close()
        process.wait()


def _serve(place, parent):
    """Fork for each client that comes to the socket `place`, as long as `parent` is there."""
    for module in ("zoo.cli", "tensorflow", "keras", "sklearn.datasets", *_of_ours()):
        import_module(module)
    gc.freeze()  # else its collections would copy every page in each child
    server = socket.socket(socket.AF_UNIX)
    server.bind(place)
    server.listen(16)
    parent.send(b"1")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    while parent not in select([server, parent], [], [])[0]:
        client, _ = server.accept()
        if not os.fork():
            server.close()
            parent.close()
            _answer(client)
        client.close()


def _of_ours():
    """Return the names of all modules that a command may import of zoo and its plugins."""
    import zoo.commands
    import zoo_finetune

    for package in (zoo, zoo.commands, zoo_finetune):
        for module in iter_modules(package.__path__, package.__name__ + "."):
            if module.name not in ("zoo.__main__", "zoo.blank_plugin", "zoo.testing"):
                yield module.name


def _answer(client):
    """Do what the client asks for, and tell it the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, streams, _, _ = socket.recv_fds(client, 4, 3)
    length = int.from_bytes(head, "big")
    assert length < _MOST
    name, arguments, folder, environment = json.loads(_received(client, length))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    places = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [str(Path(sys.executable).parent), *filter(None, places)]  # as of a script
    code = _code(name, arguments)
    client.send(bytes([code]))
    os._exit(code)


def _received(client, length):
    data = b""
    while len(data) < length:
        data += client.recv(length - len(data))
    return data


def _code(name, arguments):
    """Run a command as its script would, and return the code that the script would leave with."""
    module, _, function = COMMANDS[name].partition(":")
    sys.argv = [name, *arguments]
    try:
        left = getattr(import_module(module), function)()
    except SystemExit as end:
        left = end.code
    except BaseException:  # noqa: BLE001  (as Python itself ends a script)
        sys.excepthook(*sys.exc_info())
        left = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return left if isinstance(left, int) else 0


if __name__ == "__main__":
    _serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
