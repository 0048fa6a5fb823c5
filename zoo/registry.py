"""Registries of models: YAML files that people edit, compiled into an index that is fast to ask.

A file is parsed once for its contents, whatever its name; what is asked later is answered by those
contents, also if the file changes meanwhile.  An entry is validated when it is used.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from zoo.errors import RegistryError
from zoo.names import NAME, NAME_RULE
from zoo.registry_index import FACTS, POLICY, Index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zoo.entries import Entry
    from zoo.sources import Others
    from zoo.yaml_events import Mapping

VERSION = 1
_KEYS = ("version", "models", POLICY, *FACTS)
_LOOKS, _QUIET = 50, 0.02
"""Looks at a file that changes meanwhile; seconds without a write after which it is whole."""


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
    """One registry.

    Parameters
    ----------
    path
        The YAML file.
    cache
        The folder for its index.
    url
        Where `data`, its bytes, came from over the network; `path` is not read then.

    Attributes
    ----------
    place
        What errors and lists call it: the path, or the URL.
    from_network
        Whether a server gave it, which may then name no files of this machine.
    private
        Whether that server is one that only some network reaches.
    """

    def __init__(self, path: Path, cache: Path, *, url: str = "", data: bytes = b"") -> None:
        self.path = path
        self.place: Path | str = url or path
        self.from_network = bool(url)
        self.private = False
        self._contents = data if url else _snapshot(path)
        digest = hashlib.sha256(self._contents).hexdigest()
        self._index = Index(digest, cache, partial(_entries, str(self.place), self._contents))

    @property
    def base(self) -> Path:
        """The folder to which paths in it are relative."""
        return self.path.absolute().parent

    def rows(self, prefix: str = "") -> Iterator[Row]:
        """Yield what a list says of each model whose name begins with `prefix`, in their order."""
        for name, summary, tags in self._index.rows(prefix):
            yield Row(name, summary, tuple((tag, digest) for tag, digest in tags))

    def names(self, prefix: str = "") -> list[str]:
        """Return the names of all models that begin with `prefix`."""
        return self._index.names(prefix)

    def fact(self, key: str) -> str | None:
        """Return what the registry says of itself under `key`: ``serial``, ``expires``."""
        return self._index.fact(key)

    @property
    def allowed(self) -> frozenset[str]:
        """The levels at which it says that its models may run; who asks knows if that counts."""
        return frozenset(json.loads(self._index.fact(POLICY) or "{}").get("allow", ()))

    def __contains__(self, name: str) -> bool:
        return self._index.entry(name) is not None

    def raw(self, name: str) -> str:
        """Return the entry of `name` as canonical JSON, to compare it with another registry's."""
        return self._index.entry(name) or ""

    def entry(self, name: str) -> Entry:
        """Return the entry of `name`, validated.

        Raises
        ------
        RegistryError
            The entry is wrong.
        """
        from zoo.entries import Entry
        from zoo.entry_values import Given

        found = self._faults(name)
        if found:
            raise found[0]
        return Entry.checked(self._stored(name), Given(self.from_network))

    def faults(self, others: Others | None = None) -> list[RegistryError]:
        """Return everything that is wrong with any entry.

        Parameters
        ----------
        others
            What opens URLs besides zoo itself: an address of another scheme is a fault then.
        """
        return [fault for name in self.names() for fault in self._faults(name, others)]

    def remarks(self) -> list[str]:
        """Return what could be better with sound entries: licences that SPDX does not know."""
        from zoo import licences

        stored = ((name, self._stored(name)) for name in self.names())
        told = (
            (name, licences.remark(entry.get("license")))
            for name, entry in stored
            if isinstance(entry, dict) and (entry.get("weights") or entry.get("license"))
        )
        return [f"{name}: {remark}" for name, remark in told if remark]

    def _faults(self, name: str, others: Others | None = None) -> list[RegistryError]:
        """Return what is wrong with an entry; its lines are looked for only if something is."""
        from zoo.entries import faults
        from zoo.entry_values import Given

        stored, place = self._stored(name), str(self.place)
        given = Given(self.from_network, others)
        if not faults(stored, place, {}, 0, given):
            return []
        return faults(stored, place, *self._lines(name), given)

    def _stored(self, name: str) -> Any:
        stored = json.loads(self.raw(name))
        return _beside(stored, str(self.place)) if self.from_network else stored

    def _lines(self, name: str) -> tuple[dict[tuple[str, ...], int], int]:
        from zoo.yaml_events import lines_of

        models, lines = self._parsed
        return dict(lines_of(models[name])), lines[name]

    @cached_property
    def _parsed(self) -> tuple[Mapping, dict[str, int]]:
        """The models as the YAML has them, and the line of each: the index knows no lines."""
        models = _document(str(self.place), self._contents)["models"]
        return models, models.lines


def _snapshot(path: Path) -> bytes:
    """Return the bytes of the file at `path` as they are at one moment.

    Somebody may be writing it, and an editor may do so in place.
    """
    try:
        for _ in range(_LOOKS):
            before, data = path.stat(), path.read_bytes()
            if 0 <= time.time() - before.st_mtime < _QUIET:
                time.sleep(_QUIET)
            after = path.stat()
            if before.st_mtime_ns == after.st_mtime_ns and len(data) == after.st_size:
                break
    except OSError as error:
        raise RegistryError(f"{path} cannot be read", found=error.strerror or "") from error
    return data


def _entries(place: str, data: bytes, facts: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the models of the registry `place`, whose bytes are `data`, as its YAML has them.

    Parameters
    ----------
    facts
        Gets what the registry says of itself.
    """
    from zoo import yaml_events

    try:
        for keys, value in yaml_events.parts(data, place, "models"):
            if len(keys) == 1:
                facts[keys[0]] = value
            elif NAME.fullmatch(keys[1]):
                yield keys[1], value
            else:
                raise RegistryError(f"{place}: {keys[1][:130]!r} is no name for a model")
        _check(facts, place)
    except RegistryError:
        _document(place, data)  # says it with its line
        raise


def _document(place: str, data: bytes) -> Mapping:
    """Return the registry `place`, whose bytes are `data`, as its YAML has it."""
    from zoo import yaml_events

    document = yaml_events.read(data, place)
    _check(document, place, document.lines)
    models = document.get("models") or yaml_events.Mapping(1)
    for name, line in zip(models, models.places, strict=True):
        if not NAME.fullmatch(name):
            raise RegistryError(
                f"{place}:{line}: {name[:130]!r} is no name for a model",
                hint=NAME_RULE,
            )
    return document


def _check(document: dict[str, Any], place: str, lines: dict[str, int] | None = None) -> None:
    """Raise `RegistryError` if what a registry says of itself is wrong."""
    lines = lines or {}
    version = document.get("version")
    if version != str(VERSION):
        raise RegistryError(
            f"{place}:{lines.get('version', 1)}: the version must be {VERSION}",
            found="no version" if version is None else f"version: {version}",
            hint="a newer registry needs a newer zoo"
            if version
            else f"begin with version: {VERSION}",
        )
    for key in document:
        if key not in _KEYS and not key.startswith("x-"):
            raise RegistryError(f"{place}:{lines.get(key, 1)}: nobody reads {key!r}")
    for key in FACTS:
        _check_fact(key, document.get(key), f"{place}:{lines.get(key, 1)}")
    if POLICY in document:
        _check_policy(document[POLICY], f"{place}:{lines.get(POLICY, 1)}")
    if not isinstance(document.get("models") or {}, dict):
        raise RegistryError(f"{place}:{lines.get('models', 1)}: models must be a mapping")


def _check_fact(key: str, value: Any, where: str) -> None:
    from zoo import expiry

    if value is not None and not expiry.is_fact(key, value):
        raise RegistryError(f"{where}: {key} must be {expiry.RULES[key]}", found=str(value)[:40])


def _check_policy(value: Any, where: str) -> None:
    from pydantic import ValidationError

    from zoo.entries import Policy

    try:
        Policy.model_validate(value)
    except ValidationError as error:
        wrong = error.errors()[0]
        path = ".".join(map(str, (POLICY, *wrong["loc"])))
        found = repr(wrong["input"])[:60]
        raise RegistryError(f"{where}: {path} {wrong['msg']}", found=found) from error


def _beside(value: Any, url: str) -> Any:
    """Return `value`, of a registry at `url`, with absolute addresses for what lies beside it."""
    if isinstance(value, list):
        return [_beside(inner, url) for inner in value]
    if not isinstance(value, dict):
        return value
    resolved = {key: _beside(inner, url) for key, inner in value.items()}
    if isinstance(resolved.get("urls"), list):
        resolved["urls"] = [_absolute(one, url) for one in resolved["urls"]]
    if "card" in resolved:
        resolved["card"] = _absolute(resolved["card"], url)
    return resolved


def _absolute(address: Any, url: str) -> Any:
    """Return ``file:models/net.pb`` as an address beside `url`; others as they are."""
    path = str(address).removeprefix("file:")
    if path == address or path.startswith("/") or ".." in path.split("/"):
        return address
    return urljoin(url, path)
