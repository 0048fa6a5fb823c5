"""Give a model on this machine a name in a registry, and take names out again."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import atomic, disk, drafts, home, names, registry_edit, sources
from zoo.entries import validated
from zoo.errors import BusyError, RegistryError, UnknownNameError, UsageError
from zoo.names import NAME_RULE
from zoo.store import Pin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zoo.library import Library
    from zoo.opened import Opened

DEFAULT_TAG = "local"
_PATIENCE = 10.0
"""Seconds to wait for another process that edits the same registry."""


@dataclass(frozen=True)
class Registered:
    """A model that has a name now.

    Attributes
    ----------
    name
        Its name and tag.
    registry
        The file that has the entry.
    opened
        The model.
    bytes
        Its size.
    linked
        Whether it stays where it is; else a copy is in the store.
    """

    name: names.Reference
    registry: Path
    opened: Opened
    bytes: int
    linked: bool


def add(
    library: Library,
    path: Path,
    name: str,
    *,
    registry: Path | None = None,
    link: bool = False,
    force: bool = False,
    facts: dict[str, Any] | None = None,
) -> Registered:
    """Register the model at `path` as `name`, with or without a tag.

    Its files are copied into the store, where they cannot change; with `link` they stay where they
    are, and may.

    Parameters
    ----------
    registry
        The file to write the entry to; the user's own by default.
    force
        Whether an entry of that name and tag is replaced; one that has no other tags is replaced
        with all that it says if there are `facts`.
    facts
        Other keys of the entry: ``summary``, ``license``, ``inputs``, ``outputs``...

    Raises
    ------
    UsageError
        `name` is no name, or taken; or `facts` are given for a name that has an entry.
    BusyError
        Another process is editing the registry.
    """
    wanted = _wanted(name)
    opened = library.open(path.absolute())
    assert opened.path is not None  # noqa: S101  (a path was opened)
    files = library.files(opened)
    weights = _link(opened) if link else _kept(library, opened, files)
    target = registry or home.own_registry()
    with _edited(target) as text:
        new = _with_weights(text[0], str(target), wanted, weights, opened, facts or {}, force)
        validated(_models(new, str(target))[wanted.name], str(target), {}, 1)
        text[0] = new
    size = sum(file.stat().st_size for file in files)
    return Registered(wanted, target, opened, size, link)


def remove(name: str, registry: Path | None = None) -> tuple[names.Reference, Path]:
    """Take `name` out of a registry, or the weights of one tag; return it, and the file.

    The files themselves stay in the store.

    Raises
    ------
    UnknownNameError
        The registry has no such entry.
    """
    wanted, target = _wanted(name, tag=None), registry or home.own_registry()
    if not target.is_file():
        raise UnknownNameError(f"{name!r} is not yours to remove", found=f"no registry {target}")
    with _edited(target) as text:
        path = _path_to(wanted, text[0], str(target))
        text[0] = registry_edit.without_entry(text[0], str(target), path)
    return wanted, target


def _path_to(wanted: names.Reference, text: str, place: str) -> list[str]:
    """Return the keys that lead to what goes with `wanted`: an entry, or one of its tags.

    An entry that would have neither weights nor an architecture left goes as a whole.
    """
    entry = _models(text, place).get(wanted.name)
    tags = entry.get("weights") if isinstance(entry, dict) else None
    only = tags and list(tags) == [wanted.tag] and "architecture" not in entry
    return [wanted.name] if wanted.tag is None or only else [wanted.name, "weights", wanted.tag]


def _models(text: str, place: str) -> Any:
    from zoo import yaml_events

    return yaml_events.parse(text, place).get("models") or {}


def _wanted(name: str, tag: str | None = DEFAULT_TAG) -> names.Reference:
    found = names.reference(name)
    if found is None:
        raise UsageError(f"{name!r} is no name", hint=NAME_RULE)
    return names.Reference(found.name, found.tag or tag)


def _link(opened: Opened) -> dict[str, Any]:
    return {"format": opened.format, "link": str(opened.path)}


def _kept(library: Library, opened: Opened, files: list[Path]) -> dict[str, Any]:
    """Put `files` into the store and return what a registry says of them."""
    folder = os.path.commonpath([file.parent for file in files])
    entries = []
    for file in files:
        chunks = sources.opened(file.as_uri(), file.parent)
        kept = library.store.put(chunks, Pin(()), str(file))
        pinned = {"urls": [file.as_uri()], "sha256": kept.sha256, "size": kept.size}
        entries.append({"path": file.relative_to(folder).as_posix(), **pinned})
    if len(files) == 1 and files[0] == opened.path:
        del entries[0]["path"]
        return {"format": opened.format, **entries[0]}
    return {"format": opened.format, "files": entries}


def _with_weights(
    text: str,
    place: str,
    wanted: names.Reference,
    weights: dict[str, Any],
    opened: Opened,
    facts: dict[str, Any],
    force: bool,
) -> str:
    """Return the registry `text` with `weights` under a new name, or a new tag of one it has."""
    entry = _models(text, place).get(wanted.name)
    tags = entry.get("weights") if isinstance(entry, dict) else None
    alone = force and list(tags or ()) == [wanted.tag] and "architecture" not in entry
    if tags and facts and not alone:
        raise UsageError(
            f"{wanted.name} has an entry already, which a further tag does not change",
            found=", ".join(facts),
            hint="leave these out, or edit the registry by hand",
        )
    if alone and facts:
        text, tags = registry_edit.without_entry(text, place, [wanted.name]), None
    elif force and tags and wanted.tag in tags:
        text = registry_edit.without_entry(text, place, [wanted.name, "weights", str(wanted.tag)])
    if entry is not None and tags:
        path = [wanted.name, "weights", str(wanted.tag)]
        return registry_edit.with_entry(text, place, path, weights)
    new = {"summary": _summary(opened), **facts, "weights": {str(wanted.tag): weights}}
    return registry_edit.with_entry(text, place, [wanted.name], new)


def _summary(opened: Opened) -> str:
    weights = opened.model.weights
    count = sum(weights.tensor(name).size for name in weights)
    return f"a {opened.format} model with {count:,} parameters"


@contextmanager
def _edited(path: Path) -> Iterator[list[str]]:
    """Yield the text of the registry at `path`, in a list, and write back what is in it then.

    One process at a time; whoever reads meanwhile finds the old file or the new one.
    """
    path = path.resolve()
    with disk.written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with drafts.alone(path.parent, _PATIENCE):
        before = _text(path) if path.is_file() else None
        text = [registry_edit.EMPTY if before is None else before]
        yield text
        if before != (_text(path) if path.is_file() else None):  # an editor has no such lock
            raise BusyError(f"{path} was changed by somebody else", hint="try again")
        _write(path, text[0])


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise RegistryError(f"{path}: the file is not UTF-8", found=error.reason) from error


def _write(path: Path, text: str) -> None:
    with atomic.replacing(path) as draft:
        draft.write_bytes(text.encode())
