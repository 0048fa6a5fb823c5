"""A network of its own for a process, with nobody in it, where Linux lets users have one.

Source: ``man 7 user_namespaces`` and ``man 7 network_namespaces``.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

_NEW_USERS, _NEW_NETWORK, _NEW_QUEUES = 0x10000000, 0x40000000, 0x08000000


def leave_network() -> bool:
    """Take this process, which has one thread, out of the network; return whether that is so.

    What it may do to files does not grow by it: it keeps its user and group.
    """
    if sys.platform != "linux":
        return False
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_USERS | _NEW_NETWORK | _NEW_QUEUES):
        return False
    here = Path("/proc/self")
    with suppress(OSError):  # without it the process has no name, and else what it had
        (here / "setgroups").write_text("deny")
        (here / "uid_map").write_text(f"{user} {user} 1")
        (here / "gid_map").write_text(f"{group} {group} 1")
    return True
