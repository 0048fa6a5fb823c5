"""Landlock: a process of Linux gives up what it may do with files, for good, and needs no rights.

Source: ``Documentation/userspace-api/landlock.rst`` and ``include/uapi/linux/landlock.h`` in the
Linux tree.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446
"""The numbers of its system calls, which all machines have alike."""
_ASK_VERSION, _BELOW_PATH = 1, 1
_NO_NEW_PRIVILEGES = 38
_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL = 1 << 13, 1 << 14, 1 << 15
_FIRST_RIGHTS = (1 << 13) - 1
"""What the first version can forbid: to run, write, read, list, remove and make files."""
_ADDED = {2: _REFER, 3: _TRUNCATE, 5: _IOCTL}
_OF_NETWORK = {4: 0b11}
"""To bind and to connect TCP."""
_OF_PROCESSES = {6: 0b11}
"""To reach other processes by abstract sockets and by signals."""


def version() -> int:
    """Return the version of Landlock that the system has, 0 where it has none."""
    if sys.platform != "linux":
        return 0
    asked = ctypes.c_size_t(0), ctypes.c_uint(_ASK_VERSION)
    found: int = _libc().syscall(ctypes.c_long(_CREATE), None, *asked)
    return max(found, 0)


def restrict(readable: Iterable[Path], devices: Iterable[Path] = ()) -> None:
    """Let this process, and those it starts, read what is at or below `readable` and no more.

    Nothing can be written, made, removed or run.  What is open stays open.  Paths that are not
    there are passed over.

    Parameters
    ----------
    devices
        Files that can be written too, such as ``/dev/null``.

    Raises
    ------
    OSError
        The system does not have Landlock, or refuses.
    """
    has = version()
    rights = _FIRST_RIGHTS | _sum(_ADDED, has)
    stated = struct.pack("=QQQ", rights, _sum(_OF_NETWORK, has), _sum(_OF_PROCESSES, has))
    rules = _called(_CREATE, stated, ctypes.c_size_t(_length(has)), ctypes.c_uint(0))
    try:
        for path in readable:
            _allow(rules, path, _READ_FILE | _READ_DIR)
        for path in devices:
            _allow(rules, path, rights & (_READ_FILE | _WRITE_FILE | _IOCTL))
        refuse_new_privileges()
        _called(_RESTRICT, ctypes.c_int(rules), ctypes.c_uint(0))
    finally:
        os.close(rules)


def refuse_new_privileges() -> None:
    """Have no program that this process starts be given more rights than the process has.

    Raises
    ------
    OSError
        The system refuses.
    """
    libc = _libc()
    if libc.prctl(_NO_NEW_PRIVILEGES, *map(ctypes.c_ulong, (1, 0, 0, 0))):
        _fail()


def _length(has: int) -> int:
    """Return how many bytes of its rules the version `has` knows."""
    return 24 if has >= min(_OF_PROCESSES) else 16 if has >= min(_OF_NETWORK) else 8


def _sum(rights: dict[int, int], has: int) -> int:
    return sum(right for since, right in rights.items() if has >= since)


def _allow(rules: int, path: Path, rights: int) -> None:
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            wanted = rights if path.is_dir() else rights & ~_READ_DIR
            rule = struct.pack("=Qi", wanted, place)
            _called(_ADD, ctypes.c_int(rules), ctypes.c_int(_BELOW_PATH), rule, ctypes.c_uint(0))
        finally:
            os.close(place)


def _called(number: int, *arguments: object) -> int:
    found: int = _libc().syscall(ctypes.c_long(number), *arguments)
    if found < 0:
        _fail()
    return found


def _fail() -> None:
    number = ctypes.get_errno()
    raise OSError(number, f"Landlock: {os.strerror(number)}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
