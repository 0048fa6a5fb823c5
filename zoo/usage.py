"""What the cache remembers of each thing in it: when it was used, where it came from, its names.

A record is a small file beside the things, and its time is that of the last use.  None of it is
needed: what has no record is looked at more closely, and gets one.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from zoo import home, owners

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "used"

Stamp = tuple[int, int]
"""Bytes and time of change (nanoseconds) of a file that was found sound."""


@dataclass(frozen=True)
class Record:
    """What is known of one thing in the cache.

    Attributes
    ----------
    source
        Where it came from.
    names
        What it was called when it was used.
    stamps
        The files of which it consists as they were when their bytes were last checked, by their
        paths in it; a single file is called ``""``.
    parts
        The digests of the files of a folder.
    sha256
        Of the bytes, where the thing is not called by that.
    used
        When it was used last, seconds since 1970; 0 if that is not known.
    """

    source: str = ""
    names: tuple[str, ...] = ()
    stamps: tuple[tuple[str, Stamp], ...] = ()
    parts: tuple[str, ...] = ()
    sha256: str = ""
    used: float = 0.0


def of(root: Path, key: str) -> Record:
    """Return the record of `key` in the cache `root`, an empty one if there is none."""
    path = root / FOLDER / key
    try:
        return _read(json.loads(path.read_bytes()), path.stat().st_mtime)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Record()


def note(root: Path, key: str, **known: Any) -> Record:
    """Change what is known of `key`, which is used now; return its record.

    Where the cache may only be read nothing is changed.
    """
    record = replace(of(root, key), **known)
    facts = {name: value for name, value in asdict(record).items() if value and name != "used"}
    with suppress(OSError):
        path = home.made(root / FOLDER, root) / key
        draft = path.with_name(f".{owners.name()}")
        try:
            draft.write_text(json.dumps(facts))
            draft.chmod(home.writable(root))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    return record


def touch(root: Path, key: str) -> None:
    """Note that `key` is used now."""
    with suppress(OSError):
        os.utime(root / FOLDER / key)


def forget(root: Path, key: str) -> None:
    """Delete the record of `key`."""
    with suppress(OSError):
        (root / FOLDER / key).unlink()


def called(root: Path, key: str, name: str) -> None:
    """Note that `key` was used by this `name`."""
    record = of(root, key)
    if name not in record.names:
        note(root, key, names=(*record.names, name))


def stamp(path: Path) -> Stamp:
    """Return the stamp of the file at `path`."""
    facts = path.lstat()
    return facts.st_size, facts.st_mtime_ns


def _read(facts: Any, used: float) -> Record:
    return Record(
        source=str(facts.get("source", "")),
        names=tuple(map(str, facts.get("names", ()))),
        stamps=tuple((str(path), (int(s), int(t))) for path, (s, t) in facts.get("stamps", ())),
        parts=tuple(map(str, facts.get("parts", ()))),
        sha256=str(facts.get("sha256", "")),
        used=used,
    )
