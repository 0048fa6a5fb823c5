"""Values as people type them on a command line: ``-i NAME=VALUE``.

A VALUE is a JSON literal (``13``, ``[[1, 2], [3, 4]]``), an array file (``@x.npy``,
``@x.npz#key``), the bytes of any file for an input of text, or a photo, which is prepared as the
registry says.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import dtypes, images
from zoo.errors import InputError, UnknownNameError, UsageError, did_you_mean, some

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from zoo.entries import Preprocessing
    from zoo.model import Model
    from zoo.specs import TensorSpec


def split(argument: str) -> tuple[str, str]:
    """Return the name and the value of an `argument` ``NAME=VALUE``.

    >>> split("w1:0=[1, 2]")
    ('w1:0', '[1, 2]')

    Raises
    ------
    UsageError
        There is no ``=`` in it.
    """
    name, equals, value = argument.partition("=")
    if not equals or not name:
        raise UsageError(
            f"{argument!r} is no input", hint="write NAME=VALUE, as in -i w1=13 or -i x=@x.npy"
        )
    return name, value


def feeds(
    model: Model,
    arguments: Iterable[str],
    key: str | None = None,
    preprocessing: Preprocessing | None = None,
) -> dict[str, Any]:
    """Return the values of `arguments` by name, each read as its input of `model` wants it.

    Parameters
    ----------
    key
        The signature whose inputs are meant.

    Raises
    ------
    UsageError
        A name is given twice, or an argument is none.
    InputError, UnknownNameError
        As `parsed` has them.
    """
    from zoo import specs

    chosen = model.signature(key)
    found: dict[str, Any] = {}
    for argument in arguments:
        name, value = split(argument)
        if name in found:
            raise UsageError(f"the input {name!r} is given twice")
        spec = chosen.inputs.get(name) or specs.spec_of(model.graph, name)
        found[name] = parsed(value, spec, preprocessing)
    return found


def with_absolute_file(argument: str) -> tuple[str, Path | None]:
    """Return `argument` with the whole path of the file that it names, and that path.

    Raises
    ------
    UnknownNameError
        There is no such file.
    """
    name, value = split(argument)
    if not value.startswith("@"):
        return argument, None
    path, mark, inner = value[1:].partition("#")
    file = _file(path).absolute()
    return f"{name}=@{file}{mark}{inner}", file


def parsed(value: str, spec: TensorSpec, preprocessing: Preprocessing | None = None) -> Any:
    """Return what `value` means for an input of `spec`.

    Parameters
    ----------
    preprocessing
        How a photo is prepared; without it a photo is refused.

    Raises
    ------
    InputError
        The text is no JSON, or the file is no array.
    UnknownNameError
        There is no such file, or no such array in it.
    """
    if value.startswith("@"):
        return _from_file(value[1:], spec, preprocessing)
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        if spec.dtype is dtypes.STRING:
            return value
        raise InputError(
            f"the value for {spec.tensor!r} is no JSON",
            found=f"{value!r}: {error.msg}",
            hint="numbers, lists of numbers, true and false; or @file",
        ) from error


def _from_file(name: str, spec: TensorSpec, preprocessing: Preprocessing | None) -> Any:
    path, _, key = name.partition("#")
    file = _file(path)
    if file.suffix.lower() in (".npy", ".npz"):
        return _array(file, key)
    if spec.dtype is dtypes.STRING:
        return file.read_bytes()
    if file.suffix.lower() in images.SUFFIXES:
        return images.prepared(file, preprocessing, spec)
    raise InputError(
        f"{path} is neither an array nor a photo",
        found=f"the suffix {file.suffix!r}",
        hint=f"zoo reads .npy, .npz, {', '.join(images.SUFFIXES)}",
    )


def _file(path: str) -> Path:
    if not Path(path).is_file():
        raise UnknownNameError(f"there is no file {path!r}")
    return Path(path)


def _array(file: Path, key: str) -> np.ndarray:
    """Return the array in a ``.npy`` or a ``.npz``; objects in it are never unpickled."""
    import numpy as np

    try:
        with file.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            return loaded if isinstance(loaded, np.ndarray) else _member(loaded, file, key)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{file} is no array file", found=str(error)) from error


def _member(archive: Any, file: Path, key: str) -> np.ndarray:
    """Return the array `key` of the archive `file`, its only one if no key is given."""
    if key not in archive.files and (key or len(archive.files) != 1):
        raise UnknownNameError(
            f"{file} has no array {key!r}" if key else f"{file} has several arrays",
            found=some(archive.files),
            hint=did_you_mean(key, archive.files, f"name one, as in @{file}#key"),
        )
    array: np.ndarray = archive[key or archive.files[0]]
    return array
