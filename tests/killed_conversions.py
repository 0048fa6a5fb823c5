"""Convert a model again and again, each time in a process that is killed a step later.

``python killed_conversions.py WAY SOURCE FORM BEFORE FOLDER`` makes a folder in FOLDER for each
kill, called by the step's number, with what BEFORE holds in it, and converts SOURCE to ``m`` in
there.  It prints how each process ended: -9 for the signal, 0 where it was through before.

A process is forked off for each kill, so that nothing has to be imported again.  What a step is
says WAY:

``calls``
    A call of a function by which Python changes files.
``changes``
    A system call that changes files, or waits for the disk, or ends the process.
``all``
    A system call, whatever it does.
"""

import ctypes
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from zoo.cli import run

ANYBODY_MAY_TRACE = 0x59616D61
CHANGING = ("open", "mkdir", "rename", "replace", "unlink", "fsync", "write", "rmdir", "symlink")
CHANGE = re.compile(
    r"(mkdir|rename|unlink|rmdir|link|symlink|write|pwrite|fsync|fdatasync|ftruncate|f?chmod|utime"
    r"|fallocate|copy_file_range|sendfile|exit)\w*\(|open\w*\(.*(O_CREAT|O_TRUNC)"
)


def forked(work):
    """Return a child that does `work` once a byte is written to the pipe that comes with it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(ANYBODY_MAY_TRACE, ctypes.c_ulong(-1), 0, 0, 0)
        os.read(reader, 1)
        os._exit(work())
    os.close(reader)
    return child, writer


def ended(child, go):
    """Let `child` begin; return its exit code, negative for a signal."""
    os.write(go, b"g")
    os.close(go)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def traced(work, *options):
    """Return how a child ends that does `work` under strace with these `options`."""
    child, go = forked(work)
    command = ["strace", *options, "-p", str(child)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        said = tracer.stderr.readline()
        if "attached" not in said:
            os.kill(child, signal.SIGKILL)
            sys.exit(said)
        return ended(child, go)


def system_calls(work, log, way):
    """Return the system calls of `work`, each by its name and how often that was called by then."""
    counts, calls = Counter(), []
    traced(work, "-o", str(log))
    for line in log.read_text().splitlines():
        if found := re.match(r"(\w+)\(", line):
            counts[found[1]] += 1
            if way == "all" or CHANGE.match(line):
                calls.append((found[1], counts[found[1]]))
    return calls


def at_system_call(work, call):
    """Kill a child before a system call; return how it ends."""
    name, number = call
    return traced(work, "-o", os.devnull, "-e", f"inject={name}:signal=KILL:when={number}")


def counted(real, steps, last):
    """Return the function `real`, which takes one of `steps`, and ends the process at the last."""

    def call(*arguments, **named):
        if next(steps) == last:
            os._exit(99)
        return real(*arguments, **named)

    return call


def doomed(names, last):
    """Have this process end at call number `last` of the functions of `os` that are called `names`.

    Nothing is tidied up in it, as after ``kill -9``.
    """
    steps = itertools.count(1)
    for name in names:
        setattr(os, name, counted(getattr(os, name), steps, last))


def at_call(work, step):
    """End a child at call number `step` of what changes files; return how it ends."""

    def watched():
        doomed(CHANGING, step)
        return work()

    return ended(*forked(watched))


def main(way, source, form, before, folder):
    """Do all of it; return how each process ended."""
    folder, ends = Path(folder), {}

    def converted(step):
        room = folder / str(step)
        if before:
            shutil.copytree(before, room, symlinks=True)
        command = ["convert", source, str(room / "m"), "--to", form, "--force", "-q"]
        return lambda: run(command)

    converted("warm")()
    if way == "calls":
        while 0 not in ends.values():
            step = len(ends) + 1
            ends[step] = at_call(converted(step), step)
    else:
        calls = system_calls(converted("whole"), folder / "log", way)
        ends = {i: at_system_call(converted(i), call) for i, call in enumerate(calls)}
    for name in ("warm", "whole"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "log").unlink(missing_ok=True)
    return ends


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])))
