"""What a model learns from: inputs, each read when asked for, and what it should say of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import dtypes
from zoo.errors import UnknownNameError, UsageError
from zoo_finetune import arrays, folders, streams, tables
from zoo_finetune.contents import Array, chosen, digest_of_arrays
from zoo_finetune.labelling import numbered

if TYPE_CHECKING:
    from zoo.specs import TensorSpec
    from zoo_finetune.gathered import Gathered
    from zoo_finetune.recipe import Recipe


@dataclass(frozen=True)
class Examples:
    """Inputs, read when asked for, and their labels.

    Attributes
    ----------
    names
        What each is called for people: a path relative to the folder, ``row 7``.
    labels
        Numbers of classes, int64 (n,), or targets, float32 (n,) or (n, k).
    classes
        Names by number; empty for targets, and where nobody names them.
    digest
        The sha256 over all that is learned from: names, labels, contents.
    paths
        A file for each example, else None.
    values
        Arrays by input name (``""`` for the only one), first axis = examples, else None. Some rows
        of a large memory-mapped array are `contents.Rows`, which stay on the disk.
    contents
        The digest of each file, or one for all arrays.
    broken
        What is wrong with single examples, by their place; `faults.check` deals with them.
    notes
        What was noticed and stops nothing.
    """

    names: Sequence[str]
    labels: np.ndarray
    classes: tuple[str, ...]
    digest: str
    paths: Sequence[Path] | None = None
    values: Mapping[str, Array] | None = None
    contents: Sequence[str] = ()
    broken: Mapping[int, str] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.names)

    def take(self, indices: np.ndarray) -> Examples:
        """Return the examples at `indices`, in that order; large arrays are not copied."""
        places = np.asarray(indices, np.int64)
        names = [self.names[place] for place in places]
        labels = self.labels[places]
        contents = self.contents
        if self.paths is not None:
            contents = [contents[place] for place in places]
        else:
            contents = [_sha256(*contents, places.astype("<i8").tobytes().hex())]
        values = self.values
        return Examples(
            names,
            labels,
            self.classes,
            _digest(names, labels, self.classes, contents),
            paths=None if self.paths is None else [self.paths[place] for place in places],
            values=values and {name: chosen(array, places) for name, array in values.items()},
            contents=contents,
            broken={
                new: self.broken[old]
                for new, old in enumerate(places.tolist())
                if old in self.broken
            },
            notes=self.notes,
        )


def read(
    data: Any,
    recipe: Recipe,
    spec: TensorSpec | Mapping[str, TensorSpec],
    classes: Sequence[str] | None = None,
) -> Examples:
    """Return what `data` holds; nothing is judged yet but whether it can be read.

    Parameters
    ----------
    data
        A folder of class folders; an ``.npz``; a CSV file; ``(x, y)``, where x is an array or a
        dict of them by input name; a dict of arrays with ``y``; a ``tf.data.Dataset`` of (x, y).
    spec
        The input of the net, or several by name. A net of text takes the bytes of files.
    classes
        Classes that have their numbers already: data to validate with takes them over.

    Raises
    ------
    DataError
        There is nothing to learn from in it, or it is not laid out as it must be.
    FormatError
        A file is damaged.
    UnknownNameError
        Nothing lies at the path.
    UsageError
        It is none of these.
    """
    gathered = _gathered(data, recipe, spec)
    labels = numbered(gathered, recipe, classes)
    values = gathered.values
    contents = gathered.contents
    if values is not None and not contents:  # a table of numbers
        values = {name: _formed(array, spec) for name, array in values.items()}
        contents = [digest_of_arrays(values)]
    return Examples(
        gathered.names,
        labels.numbers,
        labels.classes,
        _digest(gathered.names, labels.numbers, labels.classes, contents),
        gathered.paths,
        values,
        contents,
        {**labels.broken, **gathered.broken},
        gathered.notes,
    )


def is_text(spec: TensorSpec | Mapping[str, TensorSpec]) -> bool:
    """Tell whether the net takes strings: the bytes of files."""
    specs = spec.values() if isinstance(spec, Mapping) else [spec]
    return any(each.dtype is dtypes.STRING for each in specs)


def _gathered(data: Any, recipe: Recipe, spec: TensorSpec | Mapping[str, TensorSpec]) -> Gathered:
    if isinstance(data, str | os.PathLike):
        return _from_path(Path(data), recipe, spec)
    if hasattr(data, "element_spec"):
        return streams.from_dataset(data, spec)
    if isinstance(data, Mapping):
        return arrays.from_mapping(data)
    if isinstance(data, tuple | list) and len(data) == 2:
        return arrays.from_arrays(*data)
    raise arrays.unfit(data)


def _is_whole(spec: TensorSpec | Mapping[str, TensorSpec]) -> bool:
    specs = spec.values() if isinstance(spec, Mapping) else [spec]
    return all("int" in each.dtype.name for each in specs)


def _from_path(path: Path, recipe: Recipe, spec: TensorSpec | Mapping[str, TensorSpec]) -> Gathered:
    if path.is_dir():
        return folders.read(path, raw=is_text(spec))
    if not path.exists():
        raise UnknownNameError(
            f"there is no data {str(path)!r}", hint="a folder of class folders, an .npz or a .csv"
        )
    if path.is_file() and path.suffix.lower() in (".csv", ".tsv"):
        return tables.read(path, recipe, whole=_is_whole(spec))
    if path.is_file() and path.suffix.lower() == ".npz":
        return arrays.from_file(path)
    raise UsageError(
        f"{path} is no data to learn from",
        found=f"the suffix {path.suffix!r}" if path.is_file() else "neither file nor folder",
        hint="a folder of class folders, an .npz (x and y) or a .csv (path,label or numbers)",
    )


def _formed(array: Array, spec: TensorSpec | Mapping[str, TensorSpec]) -> Array:
    """Return the rows of a table in the form of the only input, where they are as many numbers."""
    shape = None if isinstance(spec, Mapping) else spec.shape
    if not shape or not isinstance(array, np.ndarray):
        return array
    form = [size for size in shape[1:] if size is not None]
    fits = len(form) == len(shape) - 1 and int(np.prod(form)) == array.shape[1]
    return array.reshape(-1, *form) if fits else array


def _digest(
    names: Sequence[str], labels: np.ndarray, classes: Sequence[str], contents: Sequence[str]
) -> str:
    plain = np.ascontiguousarray(labels)
    kind = f"{plain.dtype.newbyteorder('<').str} {plain.shape}"
    numbers = plain.astype(plain.dtype.newbyteorder("<")).tobytes().hex()
    return _sha256(*names, "", *classes, "", kind, numbers, *contents)


def _sha256(*parts: str) -> str:
    total = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        total.update(b"%d:" % len(data) + data)
    return total.hexdigest()
