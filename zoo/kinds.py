"""What is no model that can be loaded, and can be looked at all the same.

Archives, and a data file without its index: each is recognised by its contents, and described in
the same document as a model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import archives, bundle, joining
from zoo.describe import describe, nothing
from zoo.errors import counted
from zoo.file_types import file_type

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


_DATA = re.compile(r"(.+)\.data-(\d{5})-of-(\d{5})")


@dataclass(frozen=True)
class Kind:
    """A kind of file that can be looked at, but not loaded.

    Attributes
    ----------
    name
        What ``zoo inspect`` calls it.
    recognises
        Tells whether a path is of this kind; never raises.
    facts
        Returns the document of ``zoo inspect --json`` for a path, and a pattern for tensors that
        are listed besides.
    """

    name: str
    recognises: Callable[[Path], bool]
    facts: Callable[[Path, str | None], dict[str, Any]]

    def files_at(self, path: Path) -> list[Path]:
        """Return the files of which it consists: itself."""
        return [path]


def unknown(path: Path) -> dict[str, Any]:
    """Return the document of a file that is none of ours: what it is instead."""
    found = file_type(path)
    document = nothing("unknown", path)
    return document | {"what": found.what, "notes": [found.hint] if found.hint else []}


def graph_alone(path: Path, tensors: str | None = None) -> dict[str, Any] | None:
    """Return the document of a graph without the values of its variables, None for all else."""
    alone = joining.graph_alone(path)
    if alone is None:
        return None
    model, kind = alone
    what = "a graph, not frozen" if kind == "graph" else "a MetaGraphDef without its weights"
    return describe(model, kind, path, (), tensors) | {"what": what}


def _is_data(path: Path) -> bool:
    named = _DATA.fullmatch(path.name)
    return (
        named is not None
        and path.is_file()
        and not bundle.index_path(path.with_name(named[1])).exists()
    )


def _data(path: Path, _: str | None) -> dict[str, Any]:
    named = _DATA.fullmatch(path.name)
    name, number, count = named.groups() if named else (path.name, "0", "1")
    what = f"data file {int(number) + 1} of {int(count)} of the checkpoint {name!r}: values alone"
    missing = f"{name}.index is not here, which has their names and shapes"
    return nothing("checkpoint", path) | {"what": what, "notes": [missing]}


def _archive(path: Path, _: str | None) -> dict[str, Any]:
    found = archives.members(path)
    models = archives.models_in([member.name for member in found])
    bad = [f"{member.name!r}, which {member.fault}" for member in found if member.fault]
    notes = [f"it holds {model}" for model in models[:20]]
    notes += [f"it is not unpacked: it has {one}" for one in bad[:20]]
    what = f"{file_type(path).what} of {counted(len(found), 'file')}, listed and not unpacked"
    files = [{"name": member.name, "bytes": member.size} for member in found]
    return nothing("archive", path) | {"what": what, "notes": notes, "files": files}


KINDS = (
    Kind("checkpoint", _is_data, _data),
    Kind("archive", archives.recognises, _archive),
)
"""All kinds, in the order in which they are looked for."""
