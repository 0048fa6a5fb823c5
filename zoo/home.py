"""Where zoo keeps things: fetched models and compiled registries, and the user's own registry."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from zoo import owners
from zoo.errors import AccessError

_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Models fetched by zoo; safe to delete.\n"
_PRIVATE = 0o700
_READABLE, _WRITABLE = 0o444, 0o666


def cache() -> Path:
    """Return the folder for what can be fetched or computed again.

    ``$ZOO_HOME``, else ``$XDG_CACHE_HOME/zoo``, else the platform's place.  The environment is
    read at each call.

    Raises
    ------
    AccessError
        It lies where anybody may make folders, and somebody else made it.
    """
    folder = _cache()
    _refuse_planted(folder)
    return folder


def _cache() -> Path:
    home = os.environ.get("ZOO_HOME")
    if home:
        return Path(home).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "zoo"
    import platformdirs

    return platformdirs.user_cache_path("zoo")


def own_registry() -> Path:
    """Return the path of the user's own registry, whether it is there or not."""
    home = os.environ.get("ZOO_HOME")
    if home:
        return Path(home).expanduser() / "registry.yaml"
    base = os.environ.get("XDG_CONFIG_HOME")
    if base:
        return Path(base) / "zoo" / "registry.yaml"
    import platformdirs

    return platformdirs.user_config_path("zoo") / "registry.yaml"


def is_ours(path: Path) -> bool:
    """Tell whether nobody but this user and the administrator can write the file at `path`.

    Raises
    ------
    FileNotFoundError
        There is none.
    """
    found = path.stat()
    own_group = found.st_gid == found.st_uid  # where each user has a group of one's own
    others = stat.S_IWOTH if own_group else stat.S_IWGRP | stat.S_IWOTH
    return not found.st_mode & others and found.st_uid in (0, os.geteuid())


def mark(folder: Path) -> None:
    """Mark `folder` as a cache, which back-ups leave out, if it is not marked yet."""
    tag = folder / "CACHEDIR.TAG"
    if not tag.exists():
        draft = folder / f".{owners.name()}"
        try:
            draft.write_text(_TAG, encoding="utf-8")
            draft.chmod(readable(folder))
            draft.replace(tag)
        finally:
            draft.unlink(missing_ok=True)


def made(folder: Path, root: Path) -> Path:
    """Return `folder`, which is the cache `root` or lies in it, made if it is not there.

    A new root is its owner's alone.  What is made in one that is there has its permissions, so that
    a root that a group may write to stays of use to the group whatever each one's umask is.
    """
    if not root.is_dir():
        root.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            root.mkdir(_PRIVATE)
    missing = []
    while folder != root and not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        with suppress(FileExistsError):
            new.mkdir()
            new.chmod(stat.S_IMODE(root.stat().st_mode))
    return missing[0] if missing else folder


def readable(root: Path) -> int:
    """Return the permissions of a file in the cache `root`: who may look into it may read."""
    return root.stat().st_mode & _READABLE


def writable(root: Path) -> int:
    """Return the permissions of a file in the cache `root` to which all write who may use that."""
    return root.stat().st_mode & _WRITABLE


def _refuse_planted(folder: Path) -> None:
    """Refuse a cache that somebody else put where anybody can, as into ``/tmp``."""
    try:
        owner, around = folder.lstat().st_uid, folder.parent.stat()
    except OSError:
        return
    public = around.st_mode & stat.S_IWOTH and around.st_mode & stat.S_ISVTX
    if public and owner not in (0, os.geteuid()):
        raise AccessError(
            f"{folder} is not trusted as a cache",
            found=f"a folder of another user (number {owner}) in a place where anybody makes them",
            hint="set ZOO_HOME to a folder of yours",
        )
