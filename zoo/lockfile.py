"""``zoo.lock``: the models of a project, each pinned to the bytes it had when it was locked.

JSON, sorted, a line for each fact, so that two branches of a project merge.  `docs/lock.md` has the
form.  What a lock pins is refused if it is something else now, whoever says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import atomic, paths
from zoo.digests import folder_digest
from zoo.errors import RegistryError
from zoo.names import Reference, reference
from zoo.store import Pin

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION = 1
NAME = "zoo.lock"
_LARGEST = 256 << 20
"""Bytes that a lock has at most: as many as a registry."""
_HEXADECIMAL = set("0123456789abcdef")
_OTHERS = ("md5", "sha384")


@dataclass(frozen=True)
class LockedFile:
    """A file of a locked model: its addresses in order, its pin, its path in a model of several."""

    urls: tuple[str, ...]
    sha256: str
    size: int
    path: str = ""

    @property
    def pin(self) -> Pin:
        """What its bytes must be."""
        return Pin((("sha256", self.sha256),), self.size)


@dataclass(frozen=True)
class Locked:
    """A model that a lock pins.

    Attributes
    ----------
    name
        Its name, and the tag of its weights.
    default
        Whether the tag was the default one: the name alone then means it.
    format
        The format it is in.
    files
        Its files; one without a path, or those of a model of several.
    member
        The path of the model inside of them, if it is not all of them.
    stated
        The digests besides sha256 that upstream stated: one of them changes where the model is
        published again.
    """

    name: Reference
    default: bool
    format: str
    files: tuple[LockedFile, ...]
    member: str | None = None
    stated: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        others = tuple(sorted(pair for pair in self.stated if pair[0] != "sha256"))
        object.__setattr__(self, "stated", others)

    @property
    def sha256(self) -> str:
        """The digest of its file, or of all its files."""
        if self.files[0].path:
            return folder_digest((file.path, file.size, file.sha256) for file in self.files)
        return self.files[0].sha256

    @property
    def size(self) -> int:
        """Its length in bytes, over all files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Lock:
    """A lock file, read.

    Attributes
    ----------
    path
        Where it lies; relative ``file:`` addresses in it are relative to that folder.
    models
        What it pins, sorted by name and tag.
    """

    path: Path
    models: tuple[Locked, ...] = ()

    def find(self, name: Reference) -> Locked | None:
        """Return what is pinned as `name`; a name without a tag means the one that was default."""
        for locked in self.models:
            is_meant = locked.default if name.tag is None else locked.name.tag == name.tag
            if locked.name.name == name.name and is_meant:
                return locked
        return None

    def with_models(self, new: Iterable[Locked]) -> Lock:
        """Return this lock with `new` pins in the place of those of the same names and tags."""
        models = {locked.name: locked for locked in self.models}
        for locked in new:
            if locked.default:  # there is one default, and it was another
                others = {n: replace(m, default=False) for n, m in models.items()}
                models |= {n: m for n, m in others.items() if n.name == locked.name.name}
            models[locked.name] = locked
        order = sorted(models, key=lambda name: (name.name, name.tag or ""))
        return Lock(self.path, tuple(models[name] for name in order))


def here(path: Path = Path(NAME)) -> Lock | None:
    """Return the lock at `path`, by default that of the folder one stands in; None without one.

    Raises
    ------
    RegistryError
        It is there, and no lock, or that of a newer zoo.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise RegistryError(f"{path} is not sound", found=f"{path.stat().st_size} bytes")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(f"{path} cannot be read", found=str(error)) from error
    return parse(text, path)


def parse(text: str, path: Path) -> Lock:
    """Return the lock that `text`, the contents of `path`, spells.

    Raises
    ------
    RegistryError
        It is no lock, or that of a newer zoo.
    """
    try:
        document = json.loads(text, object_pairs_hook=_once)
        version = document["version"]
        if version == VERSION:
            models = tuple(_locked(key, value) for key, value in document["models"].items())
            return Lock(path).with_models(models)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        detail = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise RegistryError(
            f"{path} is not sound", found=detail[:200], hint="zoo lock writes such files"
        ) from error
    raise RegistryError(
        f"{path} has another form", found=f"version {version}", hint=f"zoo reads version {VERSION}"
    )


def write(lock: Lock) -> None:
    """Write `lock` to its path: a process that dies on the way leaves the old one or the new."""
    models = {str(locked.name): _facts(locked) for locked in lock.models}
    text = json.dumps({"version": VERSION, "models": models}, indent=2, ensure_ascii=False)
    with atomic.replacing(lock.path) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object that `pairs` make; a key that stands twice is an error."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _facts(locked: Locked) -> dict[str, Any]:
    """Return what the file says of `locked`."""
    facts: dict[str, Any] = {"default": True} if locked.default else {}
    facts |= {"format": locked.format, "sha256": locked.sha256, "size": locked.size}
    facts |= dict(locked.stated)
    if locked.member is not None:
        facts["member"] = locked.member
    if not locked.files[0].path:
        return {**facts, "urls": list(locked.files[0].urls)}
    files = [
        {"path": file.path, "sha256": file.sha256, "size": file.size, "urls": list(file.urls)}
        for file in locked.files
    ]
    return {**facts, "files": files}


def _locked(key: str, value: dict[str, Any]) -> Locked:
    """Return the pin that stands under `key`.

    Raises
    ------
    ValueError
        It says what no pin says.
    """
    name = reference(key)
    if name is None or name.tag is None:
        raise ValueError(f"{key!r} is no name with a tag")
    files = [_file(one, one["path"]) for one in value.get("files", ())] or [_file(value, "")]
    member, form = value.get("member"), value["format"]
    if not isinstance(form, str) or not (member is None or not paths.fault(member)):
        raise ValueError(f"{key} has a format or a member that is none")
    stated = tuple((kind, str(value[kind])) for kind in _OTHERS if kind in value)
    locked = Locked(name, value.get("default") is True, form, tuple(files), member, stated)
    if (locked.sha256, locked.size) != (value["sha256"], value["size"]):
        raise ValueError(f"the files of {key} do not add up to its sha256 and size")
    return locked


def _file(value: dict[str, Any], path: str) -> LockedFile:
    sha256, size, urls = value["sha256"], value["size"], value["urls"]
    if len(sha256) != 64 or set(sha256) - _HEXADECIMAL:
        raise ValueError(f"{sha256!r} is no sha256"[:80])
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError(f"{size!r} is no size"[:80])
    if not urls or not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise ValueError("urls must be a list of addresses")
    if path and paths.fault(path):
        raise ValueError(f"{path!r} {paths.fault(path)}"[:200])
    return LockedFile(tuple(urls), sha256, size, path)
