"""Registries of models: YAML files that people edit, compiled into an index that is fast to ask.

A file is parsed once for its contents, whatever its name; the index is kept under the file's
digest. An entry is validated when it is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.digests import folder_digest
from zoo.errors import RegistryError
from zoo.names import NAME, NAME_RULE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.entries import Entry

VERSION = 1
_INDEX_VERSION = 1


@dataclass(frozen=True)
class Row:
    """What a list says of a model, without its entry being validated.

    Attributes
    ----------
    name, summary
        As the registry has them.
    tags
        The tags of its weights, the default first, each with the digest it is pinned to if stated.
    """

    name: str
    summary: str
    tags: tuple[tuple[str, str | None], ...]


class Registry:
    """One registry file.

    Parameters
    ----------
    path
        The YAML file.
    cache
        The folder for its index.  If it cannot be written the index is made anew each time.
    """

    def __init__(self, path: Path, cache: Path) -> None:
        self.path = path
        self._index = _opened(path, cache)

    def rows(self) -> Iterator[Row]:
        """Yield what a list says of each model, in the order of the file."""
        for name, summary, tags in self._index.execute("SELECT name, summary, tags FROM models"):
            yield Row(name, summary, tuple((tag, digest) for tag, digest in json.loads(tags)))

    def names(self) -> list[str]:
        """Return the names of all models."""
        return [name for (name,) in self._index.execute("SELECT name FROM models")]

    def __contains__(self, name: str) -> bool:
        return self._found(name) is not None

    def raw(self, name: str) -> str:
        """Return the entry of `name` as canonical JSON, to compare it with another registry's."""
        found = self._found(name)
        return found[0] if found else ""

    def entry(self, name: str) -> Entry:
        """Return the entry of `name`, validated.

        Raises
        ------
        RegistryError
            The entry is wrong.
        """
        from zoo.entries import validated

        return validated(*self._parts(name))

    def faults(self) -> list[RegistryError]:
        """Return everything that is wrong with any entry."""
        from zoo.entries import faults

        return [fault for name in self.names() for fault in faults(*self._parts(name))]

    def _found(self, name: str) -> tuple[str, str, int] | None:
        query = "SELECT entry, lines, line FROM models WHERE name = ?"
        row: tuple[str, str, int] | None = self._index.execute(query, (name,)).fetchone()
        return row

    def _parts(self, name: str) -> tuple[Any, str, dict[tuple[str, ...], int], int]:
        found = self._found(name)
        assert found is not None  # noqa: S101  (callers ask for names that are there)
        entry, lines, line = found
        return json.loads(entry), str(self.path), {tuple(p): n for p, n in json.loads(lines)}, line


def _opened(path: Path, cache: Path) -> sqlite3.Connection:
    """Return the index of the registry at `path`, compiled if it is not in the cache."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RegistryError(f"{path} cannot be read", found=error.strerror or "") from error
    digest = hashlib.sha256(data).hexdigest()
    kept = cache / "registries" / f"{digest}-{_INDEX_VERSION}.sqlite"
    if kept.is_file():
        index = sqlite3.connect(f"{kept.absolute().as_uri()}?mode=ro", uri=True)
        if _is_sound(index):
            return index
        index.close()
    models = _models(path, data)
    try:
        _compile(models, kept)
        return sqlite3.connect(f"{kept.absolute().as_uri()}?mode=ro", uri=True)
    except (OSError, sqlite3.Error):  # a cache that cannot be written costs time, nothing else
        index = sqlite3.connect(":memory:")
        _fill(index, models)
        return index


def _is_sound(index: sqlite3.Connection) -> bool:
    try:
        index.execute("SELECT name, summary, tags, entry, lines, line FROM models LIMIT 1")
    except sqlite3.DatabaseError:
        return False
    return True


def _models(path: Path, data: bytes) -> Any:
    """Return the models of the registry at `path`, whose bytes are `data`, as its YAML has them."""
    from zoo import yaml_events

    document = yaml_events.read(data, str(path))
    version = document.get("version")
    if version != str(VERSION):
        raise RegistryError(
            f"{path}:{document.lines.get('version', 1)}: the version must be {VERSION}",
            found="no version" if version is None else f"version: {version}",
            hint="a newer registry needs a newer zoo"
            if version
            else f"begin with version: {VERSION}",
        )
    for key in document:
        if key not in ("version", "models") and not key.startswith("x-"):
            raise RegistryError(f"{path}:{document.lines[key]}: nobody reads {key!r}")
    models = document.get("models")
    if models is None:
        models = yaml_events.Mapping(1)
    if not isinstance(models, yaml_events.Mapping):
        raise RegistryError(f"{path}:{document.lines['models']}: models must be a mapping")
    for name in models:
        if not NAME.fullmatch(name):
            raise RegistryError(
                f"{path}:{models.lines[name]}: {name!r} is no name for a model",
                hint=NAME_RULE,
            )
    return models


def _compile(models: Any, kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=kept.parent, prefix=".", suffix=".sqlite")
    os.close(descriptor)
    try:
        with closing(sqlite3.connect(draft)) as index:
            _fill(index, models)
        Path(draft).replace(kept)
    finally:
        Path(draft).unlink(missing_ok=True)


def _fill(index: sqlite3.Connection, models: Any) -> None:
    from zoo.yaml_events import lines_of

    index.execute(
        "CREATE TABLE models (name TEXT PRIMARY KEY, summary TEXT, tags TEXT, entry TEXT,"
        " lines TEXT, line INTEGER)"
    )
    index.executemany(
        "INSERT INTO models VALUES (?, ?, ?, ?, ?, ?)",
        (
            (
                name,
                _summary(entry),
                json.dumps(_tags(entry)),
                json.dumps(entry, sort_keys=False),
                json.dumps([[list(p), line] for p, line in lines_of(entry)]),
                models.lines[name],
            )
            for name, entry in models.items()
        ),
    )
    index.commit()


def _summary(entry: Any) -> str:
    summary = entry.get("summary") if isinstance(entry, dict) else None
    return summary if isinstance(summary, str) else ""


def _tags(entry: Any) -> list[tuple[str, str | None]]:
    weights = entry.get("weights") if isinstance(entry, dict) else None
    if not isinstance(weights, dict):
        return []
    return [(tag, _digest(pinned)) for tag, pinned in weights.items()]


def _digest(pinned: Any) -> str | None:
    """Return the digest that an entry not yet validated pins its weights to, if it does."""
    if not isinstance(pinned, dict):
        return None
    try:
        files = [(f["path"], int(f["size"]), f["sha256"]) for f in pinned.get("files") or ()]
    except (KeyError, TypeError, ValueError):
        return None
    digest = folder_digest(files) if files else pinned.get("sha256")
    return digest if isinstance(digest, str) else None
