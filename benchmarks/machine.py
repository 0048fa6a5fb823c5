"""On what it was measured: processor, cores, memory, kernel, and the versions of everything."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_OURS = ("zoo", "tensorflow", "keras", "numpy", "protobuf", "PyYAML")
_PROGRAMS = {"curl": ("curl", "--version"), "nginx": ("nginx", "-v")}


def machine() -> dict[str, Any]:
    """Return the machine: ``cpu``, ``cores``, ``memory_gb``, ``kernel``, and how busy it is."""
    return {
        "cpu": _line("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "cores": _cores(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 2),
    }


def _cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions(theirs: dict[str, str]) -> dict[str, str]:
    """Return the versions of what is compared, those in `theirs` among them."""
    found = {"python": platform.python_version()}
    for name in _OURS:
        try:
            found[name.lower()] = version(name)
        except PackageNotFoundError:
            continue
    return {**found, **_programs(), **theirs}


def _programs() -> dict[str, str]:
    found = {}
    for name, asked in _PROGRAMS.items():
        program = shutil.which(asked[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program:
            done = subprocess.run(
                [program, *asked[1:]], capture_output=True, text=True, check=False
            )
            number = re.search(r"\d+\.\d+[.\d]*", done.stdout + done.stderr)
            found[name] = number[0] if number else "?"
    return found


def _line(path: str, key: str) -> str:
    """Return what the file says after `key` and a colon; nothing where it does not."""
    try:
        text = Path(path).read_text()
    except OSError:
        return ""
    found = re.search(rf"^{key}\s*:\s*(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""
