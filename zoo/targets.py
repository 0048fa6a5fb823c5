"""Where a conversion may write: over nothing, unless asked; never among the files of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import detect, plugins
from zoo.errors import WriteError
from zoo.tiered import tiers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from zoo.formats import Format
    from zoo.loaded import Loaded


def refuse_taken(loaded: Loaded, form: Format, dest: Path, target: Path, *, force: bool) -> None:
    """Check that a model in the format `form` may be written to `target`.

    Parameters
    ----------
    dest
        What the user named, of which the format made `target`: the same, or a folder of it.
    force
        Whether what is at `target` may be replaced: a file, or a model in the format `form`.

    Raises
    ------
    WriteError
        There is something at `target`; or a model that consists of several files, in another
        format, at one of both.  Its files would stay, and nobody could tell which model is meant.
    """
    if not force and (target.is_file() or form.recognises(target)):
        raise WriteError(f"{target} exists", hint="--force replaces it; or choose another name")
    for path in {dest: None, target: None}:
        if found := _others(loaded, form, path):
            raise WriteError(
                f"{path} is a model in another format",
                found=" and ".join(found),
                hint="choose another name, or remove it first",
            )


def _others(loaded: Loaded, form: Format, path: Path) -> list[str]:
    """Return the formats besides `form` of which `path` is a folder, or the prefix of files."""
    if path.exists() and not path.is_dir():
        return []
    known = plugins.formats(loaded)
    for tier in tiers(known):
        others = [other for name, other in tier.items() if name != form.name]
        if found := [other.name for other in others if detect.recognises(other, path)]:
            return found
        if not any(_is_unknown(part, tier) for part in _parts(path)):
            break  # nobody's plugin need be imported to know that no model of its own is there
    return []


def _parts(path: Path) -> list[Path]:
    """Return what lies in the folder `path`, or has a name that begins like it."""
    if path.is_dir():
        return [*path.iterdir()]
    near = path.parent.iterdir() if path.parent.is_dir() else ()
    return [part for part in near if part.name.startswith(f"{path.name}.")]


def _is_unknown(part: Path, forms: Mapping[str, Format]) -> bool:
    return not any(detect.recognises(form, part) for form in forms.values())
