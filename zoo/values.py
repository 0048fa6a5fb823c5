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
    import numpy as np

    from zoo.entries import Preprocessing
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
    file = Path(path)
    if not file.is_file():
        raise UnknownNameError(f"there is no file {path!r}")
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
