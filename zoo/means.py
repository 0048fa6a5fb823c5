"""What this system has to lock a process in, and what a locked-in process needs all the same."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import bubblewrap, landlock
from zoo.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

BEST = "auto"
_SYSTEM = (  # of /proc what tells of the machine and of the process itself
    "/usr", "/bin", "/lib", "/lib32", "/lib64", "/nix/store",
    "/etc/ld.so.cache", "/etc/localtime", "/sys/devices/system", "/dev/urandom", "/dev/random",
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm",
)  # fmt: skip
_SETTINGS = (
    "TF_CPP_", "TF_ENABLE_", "TF_NUM_", "TF_XLA_", "TF_USE_", "TF_DETERMINISTIC", "TF_DISABLE_",
    "KERAS_BACKEND", "OMP_", "MKL_", "LANG", "LC_", "ZOO_PLUGIN", "LD_LIBRARY_PATH",
)  # fmt: skip
"""Beginnings of the settings that are handed on; all others, which may be secret, are not."""

_THERE: dict[str, Callable[[], bool]] = {
    "bwrap": bubblewrap.works,
    "landlock": lambda: landlock.version() > 0,
    "rlimit": lambda: os.name == "posix",
}
"""From the best to the least: whether this system has it."""
MEANS = (BEST, *_THERE)


def there() -> bool:
    """Tell whether this system has any of them."""
    return any(has() for has in reversed(_THERE.values()))


def chosen(wanted: str) -> str:
    """Return one of `MEANS` that this system has: the one that is `wanted`, or the best.

    Raises
    ------
    UnsupportedError
        It does not have what is wanted, or nothing at all.
    """
    there = [name for name, has in _THERE.items() if wanted in (name, BEST) and has()]
    if not there:
        missing = "a model cannot be isolated" if wanted == BEST else f"{wanted} does not work here"
        hint = "--isolation auto takes what there is; --no-isolated, if you trust the model"
        raise UnsupportedError(missing, found=sys.platform, hint=hint)
    return there[0]


def readable() -> list[Path]:
    """Return what Python and its libraries read: the system's libraries, and the path of Python."""
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    python = [*_modules(), sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    found = [Path(place) for place in (*libraries, *python) if place]
    ends = [path.resolve() for path in found]  # not of the system's: /proc/self is another there
    added = [path for path in dict.fromkeys([*found, *ends]) if not _is_above_home(path)]
    return [*map(Path, _SYSTEM), *added]


def _modules() -> list[str]:
    """Return where Python looks for modules, without the folder one stands in if zoo is elsewhere.

    ``python -m zoo`` puts that first, whatever else lies in it.
    """
    here, ours = Path.cwd(), Path(__file__).parents[1]
    return [path for path in sys.path if path and (Path(path) != here or here == ours)]


def _is_above_home(path: Path) -> bool:
    """Tell whether the home of the user lies at or below `path`."""
    return Path.home().is_relative_to(path) or Path.home().resolve().is_relative_to(path)


def environment() -> dict[str, str]:
    """Return the variables with which a locked-in process starts: none that is not needed."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(_SETTINGS)}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(_modules()),
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": os.devnull,  # below which nobody makes a folder, not even who may do all
        "KERAS_HOME": os.devnull,
        "CUDA_VISIBLE_DEVICES": "-1",
        "MALLOC_ARENA_MAX": "4",
    }
