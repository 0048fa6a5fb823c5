"""The folder that TensorFlow Serving watches: a model's versions, each a folder called by a number.

A server loads a version when it sees its folder, and does not look at it again: a version must be
complete when it gets its name, and is never replaced.

Source: ``tensorflow_serving/sources/storage_path/file_system_storage_path_source.cc``.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from zoo import atomic
from zoo.errors import WriteError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NEXT = "next"
_MOST = (1 << 63) - 1

Version = int | str
"""The number of a version, or `NEXT` for the one after the highest."""


def version(value: object) -> Version:
    """Return a value that must be a version's number or ``next``; a format's option takes it.

    >>> version("next"), version("12"), version(3)
    ('next', 12, 3)
    """
    if value == NEXT:
        return NEXT
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise ValueError("a whole number, 0 or more, or next")
    return value


def place(folder: Path, wanted: Version) -> Path:
    """Return where the version `wanted` of the model that is served from `folder` goes.

    Raises
    ------
    WriteError
        That version is there.
    """
    there = _versions(folder)
    number = max(there, default=0) + 1 if isinstance(wanted, str) else wanted
    if number > _MOST:
        raise WriteError(f"there is no version after {_MOST}", found=str(there[_MOST]))
    if number in there:
        raise WriteError(
            f"version {number} is there",
            found=str(there[number]),
            hint="a server does not load a version again; `--version next` adds one",
        )
    return folder / str(number)


def publish(folder: Path, wanted: Version, write: Callable[[Path], None]) -> Path:
    """Write a version by `write`, which is given an empty folder; return where it is then.

    Of several processes that do this at once each gets a version of its own, or an error.

    Raises
    ------
    WriteError
        The version `wanted` is there, or `folder` cannot be written to.
    """
    return atomic.add(folder, write, functools.partial(place, folder, wanted))


def _versions(folder: Path) -> dict[int, Path]:
    """Return what in `folder` has the name of a version, ``00000123`` too, by its number."""
    inside = folder.iterdir() if folder.is_dir() else ()
    numbered = (path for path in inside if path.name.isascii() and path.name.isdecimal())
    return {int(path.name): path for path in numbered if int(path.name) <= _MOST}
