"""A folder with a folder for each class, in which the examples lie, one file each."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from zoo.errors import DataError, counted, some
from zoo.images import SUFFIXES
from zoo_finetune.contents import look
from zoo_finetune.gathered import Gathered, in_order, order, readable, words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_NO_FOLDERS_OF_PEOPLE = {"__MACOSX", "__pycache__", "@eaDir", "lost+found"}
_SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}
_LAYOUT = "a folder for each class, as in DATA/cat/1.jpg and DATA/dog/1.jpg"


def read(root: Path, *, raw: bool = False) -> Gathered:
    """Return what lies in the class folders of `root`, at any depth, sorted by name.

    Names are relative to `root`. Hidden files and files of another kind are left out and said;
    links are followed, round a loop once, and never to `root` itself.

    Parameters
    ----------
    raw
        The net takes the bytes of files: the commonest suffix is taken, whatever it is.

    Raises
    ------
    DataError
        There are no class folders, or nothing in them.
    """
    within = {name: list(_files(root / name, root)) for name in in_order(_folders(root))}
    beside = [each.name for each in root.iterdir() if each.is_file() and not _hidden(each.name)]
    every = [f"{folder}/{name}" for folder, names in within.items() for name in names]
    suffixes = _commonest(every) if raw else SUFFIXES
    taken = sorted((n for n in every if _suffix(n) in suffixes and not _hidden(n)), key=order)
    _refuse(root, within, [n for n in beside if _suffix(n) in suffixes], taken)
    looked = look([root / name for name in taken])
    labels = [_class_of(name) for name in taken]
    return Gathered(
        [readable(name) for name in taken],
        words(labels),
        [each.digest for each in looked],
        paths=[root / name for name in taken],
        classes=tuple(in_order({readable(name) for name in within})),
        broken={place: each.failure for place, each in enumerate(looked) if each.failure},
        notes=[
            *_left_out(every, set(taken), raw),
            *_without_class([name for name in beside if _suffix(name) in suffixes]),
            *copies([readable(name) for name in taken], labels, [each.digest for each in looked]),
        ],
    )


def copies(names: Sequence[str], labels: Sequence[object], digests: Sequence[str]) -> list[str]:
    """Return what is to be said of files with the same bytes: in two classes, or in one."""
    alike: dict[str, list[int]] = defaultdict(list)
    for place, digest in enumerate(digests):
        if digest:
            alike[digest].append(place)
    groups = [group for group in alike.values() if len(group) > 1]
    across = [group for group in groups if len({labels[place] for place in group}) > 1]
    within = sum(len(group) - 1 for group in groups if group not in across)
    notes = []
    if across:
        told = some((" = ".join(names[place] for place in group) for group in across), 4)
        notes.append(f"the same bytes are in two classes: {told}")
    if within:
        notes.append(
            f"{counted(within, 'file')} in a class are copies of others there; a copy may be"
            " validated with that was trained on"
        )
    return notes


def _folders(root: Path) -> Iterator[str]:
    for each in root.iterdir():
        if each.is_dir() and not _hidden(each.name) and each.name not in _NO_FOLDERS_OF_PEOPLE:
            yield each.name


def _files(folder: Path, root: Path) -> Iterator[str]:
    """Yield the files in `folder` at any depth, relative to it, with slashes.

    A link up to `root` is not followed: what else lies there is of other classes.
    """
    seen = {_identity(root)}
    for here, folders, files in os.walk(folder, onerror=_raise, followlinks=True):
        identity = _identity(Path(here))
        if identity in seen:
            folders.clear()
            continue
        seen.add(identity)
        folders[:] = in_order(set(folders) - _NO_FOLDERS_OF_PEOPLE)
        inner = Path(here).relative_to(folder)
        yield from ((inner / name).as_posix() for name in files)


def _identity(folder: Path) -> tuple[int, int]:
    facts = folder.stat()
    return facts.st_dev, facts.st_ino


def _raise(error: OSError) -> None:
    raise error


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name).parts)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _class_of(name: str) -> str:
    return readable(PurePosixPath(name).parts[0])


def _commonest(names: Sequence[str]) -> Collection[str]:
    counts = Counter(_suffix(name) for name in names if not _hidden(name))
    return {max(sorted(counts), key=lambda suffix: counts[suffix])} if counts else ()


def _refuse(
    root: Path, within: Mapping[str, Sequence[str]], beside: Sequence[str], taken: Sequence[str]
) -> None:
    """Raise what says how the folder should look, where it does not look like that."""
    if not within and beside:
        found = f"{counted(len(beside), 'file')} and no folder: {some(in_order(beside), 4)}"
        raise DataError(
            f"{root} has no classes", found=found, hint=f"{_LAYOUT}; or a CSV file of path,label"
        )
    if not taken:
        suffixes = {_suffix(name) or "no suffix" for names in within.values() for name in names}
        found = f"files of {some(sorted(suffixes))}" if suffixes else "no files"
        hint = f"{_LAYOUT}; pictures are {', '.join(SUFFIXES)}"
        raise DataError(f"{root} holds nothing to learn from", found=found, hint=hint)
    if {name.lower() for name in within} <= _SPLITS:
        raise DataError(
            f"the folders of {root} are parts of the data, not classes",
            found=some(within),
            hint=f"give {root / next(iter(within))}, and the one to validate with as --validation",
        )
    _refuse_wrapped(root, taken)


def _refuse_wrapped(root: Path, taken: Sequence[str]) -> None:
    """Refuse a folder whose one folder has the classes in it, as archives unpack."""
    parts = [PurePosixPath(name).parts for name in taken]
    inner = {each[1] for each in parts if len(each) > 2}
    if len({each[0] for each in parts}) == 1 and len(inner) > 1 and min(map(len, parts)) > 2:
        raise DataError(
            f"{root} has a single class",
            found=f"{parts[0][0]!r}, with folders {some(in_order(inner))}",
            hint=f"if these are the classes, give {root / parts[0][0]}",
        )


def _left_out(every: Sequence[str], taken: Collection[str], raw: bool) -> Iterator[str]:
    hidden = sum(_hidden(name) for name in every)
    if hidden:
        are = "is" if hidden == 1 else "are"
        yield f"{counted(hidden, 'hidden file')} {are} left out"
    others = Counter(_suffix(n) or "no suffix" for n in every if n not in taken and not _hidden(n))
    if others:
        told = some(f"{suffix} ({others[suffix]:,})" for suffix in sorted(others))
        kind = "other files" if raw else "files that are no pictures"
        yield f"{kind} are left out: {told}"


def _without_class(beside: Sequence[str]) -> Iterator[str]:
    if beside:
        told = some((readable(name) for name in in_order(beside)), 4)
        yield f"what lies beside the class folders has no class and is left out: {told}"
