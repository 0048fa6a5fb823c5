"""The content-addressed store: a file is kept under the digest of its bytes, or not at all.

``sha256/ab/abcd...`` holds one file.  ``folders/<digest>`` holds a model of several files, made
of files of the store and published by one rename.  A name in the store never points to bytes that
do not hash to it: what was changed since is found, set aside, and fetched anew.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
import stat
import warnings
from typing import TYPE_CHECKING

from zoo import disk, folders, home, leases, quarantine, rooms, usage
from zoo.addresses import shown
from zoo.digests import file_digest, folder_digest
from zoo.errors import AccessError, DiskError, IntegrityError
from zoo.kept import Kept, Part, Pin
from zoo.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Kept", "Part", "Pin", "Store"]


class Store:
    """The store below the folder `root`, which is made when something is first put into it.

    What it hands out is leased until the process ends: nobody who keeps to `zoo.leases` deletes it.

    Parameters
    ----------
    rehash
        Whether the bytes of what is found are read and hashed, and not only those of what was
        changed since that was done.
    """

    def __init__(self, root: Path, *, rehash: bool = False) -> None:
        self.root = root
        self.rehash = rehash

    def find(self, pin: Pin) -> Kept | None:
        """Return the file that `pin` means, if it is here, sound, and pinned by its sha256.

        A file that is not sound is set aside.
        """
        if pin.sha256 is None:
            return None
        path = self.path(pin.sha256)
        leases.hold(self.root, pin.sha256, path)
        if not self._is_sound(path, pin.sha256):
            return None
        usage.touch(self.root, pin.sha256)
        size = path.lstat().st_size
        return Kept(path, pin.sha256, size) if pin.size in (None, size) else None

    def has(self, digest: str) -> bool:
        """Tell whether a file or a folder of this digest is here."""
        return self.path(digest).is_file() or self._folder(digest).is_dir()

    def put(self, chunks: Iterable[bytes], pin: Pin, source: str) -> Kept:
        """Take in the bytes of `chunks` if they are those that `pin` means.

        Nothing of them is kept otherwise, and no more is read than was pinned.

        Raises
        ------
        IntegrityError
            They are not; `source` is named as where they came from.
        DiskError
            The disk is full.
        """
        with rooms.room(self.root / "drafts", self.root) as room:
            home.mark(self.root)
            draft = room / "bytes"
            found, size = _write(draft, chunks, pin, source)
            return self.take(draft, found, size, pin, source)

    def take(self, draft: Path, found: Mapping[str, str], size: int, pin: Pin, source: str) -> Kept:
        """Make the file `draft`, which lies below the root, part of the store.

        Parameters
        ----------
        found, size
            Its digests by algorithm, sha256 and all that are pinned, and its length in bytes.

        Raises
        ------
        IntegrityError
            It is not what `pin` means; the draft is left where it is.
        """
        _refuse_other(found, size, pin, source)
        path = self.path(found["sha256"])
        leases.hold(self.root, found["sha256"], path)
        home.made(path.parent, self.root)
        draft.chmod(home.readable(self.root))
        disk.sync(draft)
        _move(draft, path)
        disk.sync_folder(path.parent)
        known = (("", usage.stamp(path)),)
        usage.note(self.root, path.name, source=shown(source), stamps=known)
        return Kept(path, found["sha256"], size)

    def folder(self, parts: Sequence[Part]) -> tuple[Path, str]:
        """Return a folder with `parts` in it, and its digest; made if it is not here yet."""
        digest = folder_digest((p.path, p.kept.size, p.kept.sha256) for p in parts)
        path = self._folder(digest)
        leases.hold(self.root, digest, path)
        if not folders.is_whole(self.root, path, parts, rehash=self.rehash):
            folders.publish(self.root, path, parts)
        usage.touch(self.root, digest)
        return path, digest

    def path(self, sha256: str) -> Path:
        """Return where the file with this digest is, if it is here."""
        return self.root / "sha256" / sha256[:2] / sha256

    def _is_sound(self, path: Path, sha256: str) -> bool:
        """Tell whether the file at `path` is there and is what it is called by; else it goes.

        Its bytes are read if it was changed since they were read last, or nobody knows.
        """
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                return False
            known = (("", usage.stamp(path)),)
            if not self.rehash and usage.of(self.root, sha256).stamps == known:
                return True
            sound = file_digest(path) == sha256
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno != errno.EIO:
                hint = "set ZOO_HOME to a store that you may read"
                raise AccessError(
                    f"{path} cannot be read", found=error.strerror or "", hint=hint
                ) from error
            sound = False
        if sound:
            usage.note(self.root, sha256, stamps=known)
        else:
            aside = quarantine.set_aside(self.root, path)
            where = f"it is in {aside} now" if aside else "it cannot be moved away"
            warnings.warn(f"{path} is damaged: {where}", stacklevel=2)
        return sound

    def _folder(self, digest: str) -> Path:
        return self.root / "folders" / digest


def _move(draft: Path, path: Path) -> None:
    """Rename `draft` to `path`, by way of a copy where a part of the cache is on another disk."""
    try:
        draft.replace(path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        folder = path.parent.parent
        with rooms.room(folder / "drafts", folder) as room:
            near = room / path.name
            shutil.copy(draft, near)
            disk.sync(near)
            if file_digest(near) != path.name:
                raise DiskError(f"{path} could not be written", found="other bytes") from error
            near.replace(path)


def _write(
    draft: Path, chunks: Iterable[bytes], pin: Pin, source: str
) -> tuple[dict[str, str], int]:
    """Write `chunks` to `draft`, no more of them than pinned; return their digests and length."""
    digests = {name: hashlib.new(name, usedforsecurity=False) for name in pin.algorithms}
    size = 0
    with Stream(draft) as file:
        for chunk in chunks:
            size += len(chunk)
            if pin.size is not None and size > pin.size:
                raise _differs(source, f"more than {pin.size} bytes", pin)
            for digest in digests.values():
                digest.update(chunk)
            file.write(chunk)
    return {name: digest.hexdigest() for name, digest in digests.items()}, size


def _refuse_other(found: Mapping[str, str], size: int, pin: Pin, source: str) -> None:
    """Raise `IntegrityError` unless these digests and this length are the pinned ones."""
    wanted = dict(pin.digests)
    if pin.size not in (None, size) or any(found[name] != wanted[name] for name in wanted):
        shown = ", ".join(f"{name} {found[name][:16]}..." for name in wanted)
        raise _differs(source, f"{size} bytes, {shown}", pin)


def _differs(source: str, found: str, pin: Pin) -> IntegrityError:
    pinned = ", ".join(f"{name} {digest[:16]}..." for name, digest in pin.digests)
    size = "" if pin.size is None else f"{pin.size} bytes, "
    return IntegrityError(
        f"{source} is not the file that was pinned",
        found=found,
        hint=f"the registry says {size}{pinned}; nothing was kept",
    )
