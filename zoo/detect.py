"""What lies at a path: which format it is in, and which model a folder means."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from zoo.errors import FormatError, UnknownNameError, UsageError, ZooError, nearest, some
from zoo.file_types import file_type
from zoo.tiered import tiers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_DEEPEST = 3
_MOST = 2000


class Recogniser(Protocol):
    """What tells by a path's contents whether it is one of its own."""

    @property
    def name(self) -> str:
        """Return what users call it."""

    @property
    def recognises(self) -> Callable[[Path], bool]:
        """Return what tells."""

    def files_at(self, path: Path) -> list[Path]:
        """Return the files of which what lies at `path` consists."""


R = TypeVar("R", bound=Recogniser)


@dataclass(frozen=True)
class Found(Generic[R]):
    """A model that lies somewhere, and the format that recognises it."""

    form: R
    path: Path


def detect(path: Path, forms: Mapping[str, R]) -> Found[R]:
    """Return the model at `path`; a folder that holds exactly one model is that model.

    Raises
    ------
    UnknownNameError
        Nothing lies there.
    FormatError
        No format recognises it.
    UsageError
        It is several models, or several formats recognise it.
    """
    found = find(path, forms)
    if found is None:
        raise nothing_in(path)
    return found


def find(path: Path, forms: Mapping[str, R]) -> Found[R] | None:
    """Return the model at `path`, None where no format recognises one.

    Raises
    ------
    UnknownNameError
        Nothing lies there.
    UsageError
        It is several models, or several formats recognise it.
    """
    if not _can_be(path):
        raise UnknownNameError("no path looks like this", found=str(path)[:100])
    here = _recognised(path, forms)
    if here is not None or path.is_file():
        return here
    if not path.exists():
        raise _nothing(path)
    if not path.is_dir():
        raise FormatError(f"{path} is neither a file nor a folder")
    return one_of(path, list(_models(path, forms, _DEEPEST)))


def models_of(form: R, folder: Path, forms: Mapping[str, R]) -> list[Found[R]]:
    """Return the models of one format in `folder`, which may hold others.

    All `forms` are asked, since a part of a model can look like one of another format: the
    variables of a SavedModel are a checkpoint.
    """
    if recognises(form, folder):
        return [Found(form, folder)]
    inside = _models(folder, forms, _DEEPEST)
    return [found for found in inside if found.form.name == form.name]


def one_of(folder: Path, inside: list[Found[R]]) -> Found[R] | None:
    """Return the one of the models `inside` of `folder`, None if there is none.

    Raises
    ------
    UsageError
        There are several.
    """
    inside = _latest_version(folder, inside)
    if len(inside) > 1:
        raise UsageError(
            f"{folder} holds several models",
            found=some(str(found.path.relative_to(folder)) for found in inside),
            hint="name one of them",
        )
    return inside[0] if inside else None


def nothing_in(path: Path) -> FormatError:
    """Return the error for a file or folder in which no format recognises a model."""
    if path.is_file():
        seen = file_type(path)
        return FormatError(
            f"{path} is no model that an installed format reads", found=seen.what, hint=seen.hint
        )
    return FormatError(
        f"{path} holds no model that an installed format reads",
        found=some(sorted(child.name for child in path.iterdir())) or "an empty folder",
    )


def size_of(path: Path) -> int:
    """Return the bytes of what lies at `path`: a file, a folder, or all files of a prefix."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    if path.is_file():
        return path.stat().st_size
    parts = (file for file in path.parent.iterdir() if file.name.startswith(f"{path.name}."))
    return sum(file.stat().st_size for file in parts if file.is_file())


def recognises(form: Recogniser, path: Path) -> bool:
    """Tell whether `form` recognises `path`; one that fails at it costs a warning, not the work."""
    try:
        return form.recognises(path)
    except Exception as error:  # noqa: BLE001  (a stranger's format may raise anything)
        warnings.warn(f"the format {form.name} failed on {path}: {error!r}", stacklevel=2)
        return False


def is_something(path: Path, forms: Mapping[str, Recogniser]) -> bool:
    """Tell whether a file or folder lies at `path`, or files of which it is the prefix.

    Formats are asked tier by tier, and only where a file has a name that begins like `path`.
    """
    if path.exists():
        return True
    folder = path.parent.iterdir() if path.parent.is_dir() else ()
    near = any(file.name.startswith(path.name) for file in folder)
    asked = (form for tier in tiers(forms) for form in tier.values()) if near else ()
    return any(recognises(form, path) for form in asked)


def _recognised(path: Path, forms: Mapping[str, R]) -> Found[R] | None:
    if path.exists() and not (path.is_file() or path.is_dir()):
        return None  # a pipe or a device: opening it may wait for ever
    for tier in tiers(forms):
        found = [form for form in tier.values() if recognises(form, path)]
        if len(found) > 1:
            raise UsageError(
                f"several formats recognise {path}",
                found=some(form.name for form in found),
                hint="choose one with --format",
            )
        if found:
            return Found(found[0], _called(path, found[0]))
    return None


def _called(path: Path, form: Recogniser) -> Path:
    """Return the path by which the model is called that the file `path` belongs to.

    A model of several files is called by what their names share, its prefix.
    """
    prefix = path.with_suffix("")
    shared = path.is_file() and not prefix.exists() and recognises(form, prefix)
    return prefix if shared else path


def _models(folder: Path, forms: Mapping[str, R], depth: int) -> Iterator[Found[R]]:
    """Yield the models inside `folder`, each once, not looking inside of a model."""
    seen: set[Path] = set()
    for child in sorted(folder.iterdir())[:_MOST]:
        if child.name.startswith("."):
            continue
        found = _recognised(child, forms)
        if found is None and child.is_dir() and depth > 1:
            yield from _models(child, forms, depth - 1)
        elif found is not None and not seen.intersection(parts := found.form.files_at(found.path)):
            seen.update(parts)
            yield found


def _can_be(path: Path) -> bool:
    """Tell whether the system takes `path` at all: it may be too long, or have a NUL in it."""
    try:
        path.exists()
    except OSError:
        return False
    return "\0" not in str(path)


def _latest_version(folder: Path, found: list[Found[R]]) -> list[Found[R]]:
    """Return the highest of `found` where they are versions, ``name/1`` and ``name/2``.

    Source: https://www.tensorflow.org/tfx/serving/serving_config, which serves the highest too.
    """
    versions = {int(f.path.name): f for f in found if f.path.name.isdecimal()}
    numbered = len(versions) == len(found) and all(f.path.parent == folder for f in found)
    return [versions[max(versions)]] if versions and numbered else found


def _nothing(path: Path) -> ZooError:
    siblings = [child.name for child in path.parent.iterdir()] if path.parent.is_dir() else []
    parts = sorted(name for name in siblings if name.startswith(f"{path.name}."))
    if len(parts) > 1:
        return FormatError(
            f"{path} is a prefix of files that no installed format reads",
            found=some(parts),
            hint="one of them is missing or damaged: fetch or copy them again",
        )
    near = nearest(path.name, siblings)
    missing = "" if path.parent.is_dir() else f"no folder {path.parent}"
    return UnknownNameError(
        f"nothing lies at {path}",
        found=missing or some(sorted(siblings)) or "an empty folder",
        hint=f"did you mean {path.parent / near[0]}?" if near else "",
    )
