"""What a process may take: memory, time, files; and what is there to be taken."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

_GROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_STACK = 8 << 20
"""Bytes of address space that each thread takes for its stack."""
_SPARE = 512 << 20
"""Bytes of address space that are reserved beside what is used."""
_SIZES = Path("/proc/self/statm")


def usual_memory() -> int:
    """Return half of the bytes of memory that this process could have: 4 GiB where none can say."""
    found = []
    with suppress(OSError, ValueError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(OSError, ValueError):
        found.append(int(_GROUP_LIMIT.read_text()))
    return min(found, default=8 << 30) // 2


def limit_memory(count: int) -> bool:
    """Let this process take `count` bytes of memory beside what it has now, and no more.

    What is limited is its address space, so that what it only reserves counts as well; stacks of
    threads come on top.  Returns whether it is so.
    """
    threads = 2 * (os.cpu_count() or 1)
    return _lower("RLIMIT_AS", _taken() + count + threads * _STACK + _SPARE)


def limit_files() -> bool:
    """Let this process write no byte to a file, and leave no image of itself when it crashes."""
    return _lower("RLIMIT_CORE", 0) and _lower("RLIMIT_FSIZE", 0)


def be_first_to_go() -> None:
    """Have the system end this process before others where memory is short."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def end_with(parent: int) -> None:
    """Have this process killed as soon as the process `parent`, which started it, is no more."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _lower(name: str, value: int) -> bool:
    """Lower the limit `name` of this process to `value`, for good."""
    if os.name != "posix":
        return False
    import resource

    which: Any = getattr(resource, name, None)
    if which is None:
        return False
    top = resource.getrlimit(which)[1]
    value = value if top == resource.RLIM_INFINITY else min(value, top)
    try:
        resource.setrlimit(which, (value, value))
    except (OSError, ValueError):
        return False
    return True


def _taken() -> int:
    """Return the bytes of address space that this process has, 0 where nobody says."""
    try:
        return int(_SIZES.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
