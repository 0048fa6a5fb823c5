"""Read again what is in the cache, and set aside what is not what it is called by."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import inventory, leases, quarantine, usage
from zoo.digests import file_digest, folder_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zoo.inventory import Item

SOUND, DAMAGED, UNKNOWN = "sound", "damaged", "unknown"


@dataclass(frozen=True)
class Checked:
    """What became of a thing in the cache whose bytes were read.

    Attributes
    ----------
    item
        The thing.
    state
        `SOUND`; `DAMAGED`, and then it was set aside; `UNKNOWN` where nothing says what its bytes
        should be.
    aside
        Where the damaged files of it are now.
    """

    item: Item
    state: str
    aside: tuple[Path, ...] = ()


class Rehashing:
    """Reads the things in the cache `root`; a file that has two names is read once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[tuple[int, int], str] = {}

    def all(self, items: Iterable[Item]) -> Iterator[Checked]:
        """Yield what became of each of `items`.

        Compiled registries go: they are made again in no time, and nothing says what their bytes
        should be.
        """
        for item in items:
            if item.kind == inventory.REGISTRY:
                for path in item.paths:
                    if path.suffix == ".sqlite":
                        path.unlink(missing_ok=True)
            elif item.kind in (inventory.MODEL, inventory.FEATURES):
                leases.hold(self._root, item.key, item.paths[0])
                yield self._checked(item)

    def _checked(self, item: Item) -> Checked:
        states = {path: self._state(path, item) for path in item.paths}
        bad = [path for path, state in states.items() if state == DAMAGED]
        moved = (quarantine.set_aside(self._root, path) for path in bad)
        aside = tuple(path for path in moved if path is not None)
        return Checked(item, _worst(states.values()), aside)

    def _state(self, path: Path, item: Item) -> str:
        wanted = path.name
        if item.kind == inventory.FEATURES:
            wanted = usage.of(self._root, item.key).sha256
        try:
            if path.parent.name == inventory.UNPACKED:
                return SOUND if self._is_as_unpacked(path) else DAMAGED
            found = self._folder(path) if path.is_dir() else self._file(path)
        except FileNotFoundError:
            return SOUND  # it was deleted meanwhile, by who may
        except OSError as error:
            if error.errno not in (errno.EIO, errno.ELOOP):
                raise
            found = ""
        if not wanted:
            return UNKNOWN
        return SOUND if found == wanted else DAMAGED

    def _is_as_unpacked(self, place: Path) -> bool:
        """Tell whether an archive's folder has what was in the archive: its manifest says that."""
        try:
            stated = json.loads((place / "manifest").read_bytes())
            listed = folder_digest((path, int(size), sha) for path, size, sha in stated["files"])
            return bool(listed == stated["digest"] == self._folder(place / "files"))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return False

    def _folder(self, folder: Path) -> str:
        """Return the digest of the model of several files that is in `folder`."""
        files = (Path(at, name) for at, _, names in os.walk(folder) for name in names)
        return folder_digest(
            (path.relative_to(folder).as_posix(), path.lstat().st_size, self._file(path))
            for path in files
        )

    def _file(self, path: Path) -> str:
        facts = path.lstat()
        inode = facts.st_dev, facts.st_ino
        if inode not in self._known:
            self._known[inode] = file_digest(path)
        return self._known[inode]


def _worst(states: Iterable[str]) -> str:
    found = {*states}
    return next((state for state in (DAMAGED, UNKNOWN) if state in found), SOUND)
