"""A registry compiled into a database that answers at once, however many models there are.

It is kept under the digest of the registry's bytes and a checksum of its own, and can be lost or
spoilt without harm: what is not what was written is made anew.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from zoo import home
from zoo.checksums import crc32c
from zoo.digests import folder_digest
from zoo.names import NAME
from zoo.yaml_events import uncollected

Entries = Callable[[dict[str, Any]], Iterator[tuple[str, Any]]]
FACTS = ("serial", "expires")
"""What a registry may say of itself."""
POLICY = "policy"
"""What it may say of its models: what they may do when they run."""
_VERSION = 4
_CHUNK = 1 << 16
_AFTER_ALL = "\x7f"
"""What comes after every letter that a name may have."""
_SCHEMA = """
CREATE TABLE models (name TEXT, summary TEXT, tags TEXT, entry TEXT);
CREATE TABLE facts (key TEXT, value TEXT);
"""
_ROWS = "SELECT name, summary, tags FROM models"
_NAMES = "SELECT name FROM models"
_BEGINNING = " WHERE name >= ? AND name < ?"
_ORDER = " ORDER BY rowid"


class Shown(NamedTuple):
    """What a list says of a model: its tags, the default first, each with its digest if stated."""

    name: str
    summary: str
    tags: list[tuple[str, str | None]]


class Index:
    """The models of the registry whose bytes have this `digest`.

    Parameters
    ----------
    cache
        The folder of the cache.  If it cannot be written the index is made anew each time.
    entries
        Gives the models as the YAML has them, where the index has to be made; and once it is
        through, what the registry says of itself, in the mapping that it is given.
    """

    def __init__(self, digest: str, cache: Path, entries: Entries) -> None:
        self._room = cache / "registries"
        self._name = f"{digest}-{_VERSION}"
        self._entries = entries
        self._base = self._found() or self._made()
        weakref.finalize(self, self._base.close)
        self._turn = Lock()

    def rows(self, prefix: str = "") -> list[Shown]:
        """Return what a list says of the models whose names begin with `prefix`."""
        found = self._ask(*_beginning(_ROWS, prefix))
        return [Shown(name, summary, _read(tags)) for name, summary, tags in found]

    def names(self, prefix: str = "") -> list[str]:
        """Return the names that begin with `prefix`, in the order of the file."""
        return [name for (name,) in self._ask(*_beginning(_NAMES, prefix))]

    def entry(self, name: str) -> str | None:
        """Return the entry of `name` as the YAML has it, in JSON; None if there is none."""
        rows = self._ask("SELECT entry FROM models WHERE name = ?", name)
        return str(rows[0][0]) if rows else None

    def fact(self, key: str) -> str | None:
        """Return what the registry says under `key`, one of `FACTS`; `POLICY` comes as JSON."""
        answers = self._ask("SELECT value FROM facts WHERE key = ?", key)
        return str(answers[0][0]) if answers else None

    def _ask(self, query: str, *values: str) -> list[Any]:
        with self._turn:
            return self._base.execute(query, values).fetchall()

    def _found(self) -> sqlite3.Connection | None:
        """Return the index that was kept, if one was and every bit of it is as it was."""
        for kept in self._room.glob(f"{self._name}-*.sqlite"):
            with suppress(OSError, ValueError):
                if kept.name == f"{self._name}-{_checksum(kept)}.sqlite":
                    return _opened(kept)
        return None

    def _made(self) -> sqlite3.Connection:
        with uncollected():
            try:
                return _opened(_compile(self._entries, self._room, self._name))
            except (OSError, sqlite3.Error):  # no place for it costs time, nothing else
                base = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
                _fill(base, self._entries)
                return base


def _opened(path: Path) -> sqlite3.Connection:
    place = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    return sqlite3.connect(place, uri=True, check_same_thread=False)


def _checksum(path: Path) -> str:
    """Return the checksum of a file, in a hundredth of a second for a large one."""
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            checksum = crc32c(chunk, checksum)
    return f"{checksum:08x}"


def _beginning(query: str, prefix: str) -> tuple[str, ...]:
    if not prefix:
        return (query + _ORDER,)
    return query + _BEGINNING + _ORDER, prefix, prefix + _AFTER_ALL


def _compile(entries: Entries, room: Path, name: str) -> Path:
    """Write the index of `entries` into `room` and return its path, which begins with `name`."""
    home.made(room, room.parent)
    descriptor, draft = tempfile.mkstemp(dir=room, prefix=".", suffix=".sqlite")
    os.close(descriptor)
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as base:
            base.execute("PRAGMA journal_mode = OFF")  # a draft that is not finished is thrown away
            base.execute("PRAGMA synchronous = OFF")  # and a lost one is made anew
            _fill(base, entries)
        return Path(draft).replace(room / f"{name}-{_checksum(Path(draft))}.sqlite")
    finally:
        Path(draft).unlink(missing_ok=True)


def _fill(base: sqlite3.Connection, entries: Entries) -> None:
    said: dict[str, Any] = {}
    base.executescript(_SCHEMA)
    base.execute("BEGIN")
    base.executemany("INSERT INTO models VALUES (?, ?, ?, ?)", _stored(entries(said)))
    base.execute("CREATE UNIQUE INDEX names ON models (name)")
    facts = [(key, said[key]) for key in FACTS if key in said]
    facts += [(POLICY, json.dumps(said[POLICY]))] if POLICY in said else []
    base.executemany("INSERT INTO facts VALUES (?, ?)", facts)
    base.execute("COMMIT")


def _stored(entries: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    as_json = json.JSONEncoder(check_circular=False, ensure_ascii=False).encode
    for name, entry in entries:
        yield name, _summary(entry), _spelled(_tags(entry)), as_json(entry)


def _summary(entry: Any) -> str:
    summary = entry.get("summary") if isinstance(entry, dict) else None
    return summary if isinstance(summary, str) else ""


def _tags(entry: Any) -> list[tuple[str, str | None]]:
    weights = entry.get("weights") if isinstance(entry, dict) else None
    if not isinstance(weights, dict):
        return []
    return [(tag, _digest(pinned)) for tag, pinned in weights.items() if NAME.fullmatch(tag)]


def _spelled(tags: list[tuple[str, str | None]]) -> str:
    """Return tags and digests as text: JSON takes five times as long."""
    return "\n".join(f"{tag} {digest or ''}" for tag, digest in tags)


def _read(spelled: str) -> list[tuple[str, str | None]]:
    """Return the tags and digests that `_spelled` made text of."""
    pairs = (line.split(" ") for line in spelled.split("\n") if line)
    return [(tag, digest or None) for tag, digest in pairs]


def _digest(pinned: Any) -> str | None:
    """Return the digest that an entry not yet validated pins its weights to, if it does."""
    if not isinstance(pinned, dict):
        return None
    try:
        files = [(f["path"], int(f["size"]), f["sha256"]) for f in pinned.get("files") or ()]
        digest = folder_digest(files) if files else pinned.get("sha256")
    except (KeyError, TypeError, ValueError):
        return None
    return digest if isinstance(digest, str) and digest.isalnum() else None
