"""Which process made something in the cache, and whether it still lives.

A lock says so too, but on some file systems locks are granted to everyone, which nobody can notice.
So what belongs to a process is called by what tells it from all others: the machine, its boot, the
namespace of process numbers (containers have their own), the number, and when it started.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path

_NAME = re.compile(r"(\w+)-(\w+)-(\w+)-(\d+)-(\d+)-[0-9a-f]{8}")
_STALE = 86_400.0
"""Seconds after which what belongs to a process of another machine is taken for left behind."""


def name() -> str:
    """Return a name that nothing else has, and that says that it is this process's."""
    return "-".join([*_here(), *_process(os.getpid()), secrets.token_hex(4)])


def process(path: Path) -> str:
    """Return whose `path` is, for people."""
    found = _NAME.search(path.name)
    if found is None:
        return "a process"
    elsewhere = "" if found.groups()[:3] == _here() else " of another machine or container"
    return f"process {found[4]}{elsewhere}"


def lives(path: Path) -> bool:
    """Tell whether the process that `path` is named after may still live.

    Of a process elsewhere, and of what has no such name, only the age of `path` tells: a day.
    """
    found = _NAME.search(path.name)
    if found is not None:
        machine, boot, space, number, start = found.groups()
        here = _here()
        if (machine, boot, space) == here:
            return _process(int(number)) == (number, start)
        if machine == here[0] and boot != here[1]:
            return False  # this machine, before it was started anew
    with suppress(OSError):
        return time.time() - path.lstat().st_mtime < _STALE
    return False


@functools.cache
def _here() -> tuple[str, str, str]:
    """Return this machine, its boot, and its namespace of process numbers."""
    machine = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    boot = space = "0"
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().partition("-")[0]
        space = str(Path("/proc/self/ns/pid").stat().st_ino)
    return machine, boot, space


def _process(number: int) -> tuple[str, str]:
    """Return the process `number` with its start, in ticks since boot; no start if it is dead."""
    try:
        facts = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return str(number), _without_proc(number)
    return str(number), "0" if facts[0] in "ZX" else facts[19]


def _without_proc(number: int) -> str:
    """Return a start for the process `number` of a system that does not tell one."""
    if Path("/proc/self/stat").exists():
        return ""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(number, 0)
        return "1"
    return ""
