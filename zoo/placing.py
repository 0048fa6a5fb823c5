"""Where in what was fetched, or what lies at a path, the model is: an archive holds it somewhere.

An archive with one model is that model; of several one is named, ``member:`` in a registry and
``nets.tgz/inner/net.pb`` as a path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import detect
from zoo.errors import FormatError, UnknownNameError, ZooError, did_you_mean, some

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from zoo.entries import Weights
    from zoo.fetching import Fetched
    from zoo.formats import Format
    from zoo.store import Store


def placed(fetched: Fetched, weights: Weights, forms: Mapping[str, Format], store: Store) -> Path:
    """Return where the model is that was `fetched`.

    Parameters
    ----------
    weights
        What the registry says of it: its format, and the path of the `member` that is meant;
        without that an archive has exactly one model of the format.
    forms
        The installed formats, by name.
    store
        Where archives are unpacked.

    Raises
    ------
    FormatError
        A member is named of what is no archive; the archive is damaged or not to be unpacked, or
        holds no such model.
    UnknownNameError
        There is no such member.
    UsageError
        There are several models, and no member is named.
    """
    from zoo import archives
    from zoo.unpacked import unpacked

    path, member, form = fetched.path, weights.member, forms[weights.format]
    if path.is_dir():
        return path if member is None else _member(path, member)
    if not archives.recognises(path):
        if member is None:
            return path
        raise FormatError(
            "a file that is no archive has no members", found=f"member {member!r} of {path}"
        )
    if member is None and detect.recognises(form, path):
        return path  # a format of its own inside of a zip, as .keras is
    folder = unpacked(store.root, path, fetched.sha256, rehash=store.rehash)
    return _only(folder, form, forms) if member is None else _member(folder, member)


def inside(path: Path, root: Callable[[], Path]) -> Path:
    """Return `path`, or where it is unpacked if it leads into an archive.

    Parameters
    ----------
    root
        Returns the root of the store; asked where something is unpacked.
    """
    if path.exists():
        return path
    above = next((one for one in path.parents if one.is_file()), None)
    folder = None if above is None else _content(above, root)
    if above is None or folder is None:
        return path
    return _member(folder, path.relative_to(above).as_posix())


def found(
    path: Path, forms: Mapping[str, Format], root: Callable[[], Path]
) -> detect.Found[Format]:
    """Return the model at `path`, in an archive too, and the format that recognises it.

    Raises
    ------
    UnknownNameError
        Nothing lies there.
    FormatError
        No format recognises it; an archive is damaged or not to be unpacked.
    UsageError
        It is several models, or several formats recognise it.
    """
    path = inside(path, root)
    here = detect.find(path, forms)
    if here is not None:
        return here
    folder = _content(path, root) if path.is_file() else None
    if folder is None:
        raise detect.nothing_in(path)
    return detect.detect(folder, forms)


def _content(path: Path, root: Callable[[], Path]) -> Path | None:
    """Return the folder to which the archive at `path` is unpacked; None if it is no archive."""
    from zoo import archives
    from zoo.digests import file_digest
    from zoo.unpacked import unpacked

    return (
        unpacked(root(), path, file_digest(path.resolve())) if archives.recognises(path) else None
    )


def _only(folder: Path, form: Format, forms: Mapping[str, Format]) -> Path:
    """Return the one model of the format `form` in an unpacked archive.

    What only looks like one does not count, as the graph for evaluation beside a frozen graph.
    """
    inside = detect.models_of(form, folder, forms)
    if len(inside) > 1:
        inside = [found for found in inside if _opens(found)] or inside
    here = detect.one_of(folder, inside)
    if here is None:
        raise FormatError(
            f"the archive holds no model in the format {form.name}",
            found=some(_names(folder)) or "no files",
        )
    return here.path


def _opens(found: detect.Found[Format]) -> bool:
    try:
        found.form.looked_at(found.path, {})
    except ZooError:
        return False
    return True


def _member(folder: Path, member: str) -> Path:
    """Return the file, folder or prefix `member` in `folder`."""
    path = folder / member
    names = _names(folder)
    if not path.exists() and not any(name.startswith(f"{member}.") for name in names):
        raise UnknownNameError(
            f"the model has no member {member!r}",
            found=some(names) or "no files",
            hint=did_you_mean(member, names),
        )
    return path


def _names(folder: Path) -> list[str]:
    """Return the paths of the files in `folder`."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files)
