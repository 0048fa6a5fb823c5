"""What is in the cache: each model and other thing, with its size, its last use, its source."""

from __future__ import annotations

import fnmatch
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import home, leases, usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MODEL, FEATURES, PARTIAL, REGISTRY, DAMAGED = "model", "features", "partial", "registry", "damaged"
KINDS = (MODEL, FEATURES, PARTIAL, REGISTRY, DAMAGED)
FOLDERS, UNPACKED = "folders", "unpacked"
PINNED = "pinned"
LOCKFILE = Path("zoo.lock")
_PLACES = {FEATURES: "features", PARTIAL: "partial", REGISTRY: "registries", DAMAGED: "corrupt"}
_SHORTEST = 8
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Item:
    """One thing in the cache.

    Attributes
    ----------
    key
        Its digest, or what else it is kept under.
    kind
        One of `KINDS`.
    paths
        The files and folders of which it consists, in the order in which they are deleted.
    size
        Bytes, over all files; files that are there under two names count once.
    used
        When it was used last, seconds since 1970.
    source, names
        Where it came from, and what it was called by who used it.
    users
        The processes that use it, for people.
    pinned
        Whether it stays whatever is pruned.
    """

    key: str
    kind: str
    paths: tuple[Path, ...]
    size: int
    used: float
    source: str
    names: tuple[str, ...]
    users: tuple[str, ...]
    pinned: bool

    @property
    def name(self) -> str:
        """What people call it: by its names, else by its source or its digest."""
        called = ", ".join(self.names) or self.source.rpartition("/")[2].rpartition(":")[2]
        return called or self.key[:16]

    def is_called(self, name: str) -> bool:
        """Tell whether `name` means this: a glob of names, tags or not, or 8 digits of a digest."""
        called = {*self.names, *(one.partition(":")[0] for one in self.names)}
        if len(name) >= _SHORTEST and self.key.startswith(name):
            return True
        return any(fnmatch.fnmatchcase(one, name) for one in called)


def items(root: Path) -> list[Item]:
    """Return what is in the cache `root`, the models first, the least recently used first."""
    users, kept = leases.in_use(root), pins(root)
    found = [*_models(root), *_others(root)]
    made = [_item(root, kind, key, paths, users, kept) for kind, key, paths in found]
    return sorted(made, key=lambda item: (KINDS.index(item.kind), item.used, item.key))


def total(found: Iterable[Item]) -> int:
    """Return the bytes of all that was `found`, a file that is in two of them counted once."""
    return _size(path for item in found for path in item.paths)


def pins(root: Path) -> set[str]:
    """Return the digests that stay: pinned in the cache `root`, or in ``./zoo.lock``."""
    pinned = {path.name for path in _inside(root / PINNED)}
    with suppress(OSError):
        pinned |= {*_DIGEST.findall(LOCKFILE.read_text(errors="replace"))}
    return pinned


def pin(root: Path, key: str, *, pinned: bool) -> None:
    """Have what is called `key` stay in the cache `root` whatever is pruned, or let it go."""
    path = root / PINNED / key
    if pinned:
        home.made(path.parent, root)
        path.touch()
    else:
        path.unlink(missing_ok=True)


def _models(root: Path) -> Iterator[tuple[str, str, list[Path]]]:
    """Yield each model: a folder with the files that only it consists of, else a file."""
    files = {
        path.name: path
        for near in _inside(root / "sha256")
        for path in _inside(near)
        if _DIGEST.fullmatch(path.name)
    }
    folders = [path for path in _inside(root / FOLDERS) if _DIGEST.fullmatch(path.name)]
    parts: set[str] = set()
    for folder in folders:
        own = [part for part in usage.of(root, folder.name).parts if part in files]
        yield MODEL, folder.name, [folder, *(files[p] for p in own if p not in parts)]
        parts |= {*own}
    unpacked = {path.name: path for path in _inside(root / UNPACKED)}
    for key in {**files, **unpacked}:
        if key not in parts or key in unpacked:
            yield MODEL, key, [place[key] for place in (unpacked, files) if key in place]


def _others(root: Path) -> Iterator[tuple[str, str, list[Path]]]:
    """Yield what else is kept: a partial download and what is known of it are one."""
    for kind, folder in _PLACES.items():
        gathered: dict[str, list[Path]] = {}
        for path in _inside(root / folder):
            key = path.name if kind == DAMAGED else path.name.partition(".")[0]
            gathered.setdefault(key, []).append(path)
        for key, paths in gathered.items():
            yield kind, key, sorted(paths)


def _item(
    root: Path,
    kind: str,
    key: str,
    paths: list[Path],
    users: Mapping[str, list[str]],
    kept: set[str],
) -> Item:
    record = usage.of(root, key)
    used = record.used or max((_changed(path) for path in paths), default=0.0)
    size, busy = _size(paths), tuple(users.get(key, ()))
    return Item(key, kind, tuple(paths), size, used, record.source, record.names, busy, key in kept)


def _inside(folder: Path) -> list[Path]:
    """Return what is in `folder`, but for what is hidden; nothing if it is not there."""
    with suppress(OSError):
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return []


def _changed(path: Path) -> float:
    with suppress(OSError):
        facts = path.lstat()
        return max(facts.st_mtime, 0.0 if path.is_dir() else facts.st_atime)
    return 0.0


def _size(paths: Iterable[Path]) -> int:
    found: dict[tuple[int, int], int] = {}
    for path in paths:
        for facts in _facts(path):
            found[facts.st_dev, facts.st_ino] = facts.st_size
    return sum(found.values())


def _facts(path: Path) -> Iterator[os.stat_result]:
    """Yield the facts of the file at `path`, or of each below that folder."""
    with suppress(OSError):  # others may delete it meanwhile
        if path.is_symlink() or not path.is_dir():
            yield path.lstat()
            return
        for folder, _, names in os.walk(path):
            for name in names:
                yield Path(folder, name).lstat()
