"""Arrays to learn from: an ``.npz``, or what Python hands over, a ``tf.data.Dataset`` too.

An ``.npz`` is a zip of ``.npy`` files. One that was written as it is (``np.savez``) is mapped in
its place, which ``np.load`` does not do; one that was compressed is unpacked to a temporary file.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from zoo.errors import DataError, FormatError, InputError, UsageError, some
from zoo_finetune.contents import Array, digest_of_arrays, look, mapped, spill, temporary
from zoo_finetune.gathered import LABELS, Gathered, order, readable, rows

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHUNK = 8 << 20
_LOCAL_HEADER = 30
"""Bytes before the name of a file in a zip (APPNOTE.TXT, 4.3.7)."""


def from_file(path: Path) -> Gathered:
    """Return the arrays of the ``.npz`` at `path`: one of labels (``y``), the others inputs.

    A single input is called ``""``, several by their names. Nothing is unpickled, and nothing is
    held in memory; each array is read once for its checksum and digest.

    Raises
    ------
    DataError
        It has no labels, or arrays of unequal length.
    FormatError
        It is no ``.npz``, or is damaged, or holds Python objects.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            read = {info.filename.removesuffix(".npy"): _member(file, archive, info)
                    for info in members}  # fmt: skip
    except (*_DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.filename:  # it cannot be opened
            raise
        raise FormatError(f"{path} is no .npz, or damaged", found=str(error)) from error
    arrays = {name: array for name, (array, _) in read.items()}
    digest = _combined({name: digest for name, (_, digest) in read.items()})
    return from_mapping(arrays, str(path), digest)


_DAMAGE = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, struct.error, RuntimeError,
           NotImplementedError, SyntaxError)  # fmt: skip


def _combined(digests: Mapping[str, str]) -> str:
    lines = (f"{name}\0{digest}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _member(
    file: IO[bytes], archive: zipfile.ZipFile, info: zipfile.ZipInfo
) -> tuple[np.ndarray, str]:
    """Return one array, still on the disk, and the sha256 of its file; its checksum is checked."""
    if info.compress_type == zipfile.ZIP_STORED:
        digest = _streamed(archive, info, None)
        return _npy(file, _start(file, info), info), digest
    with temporary() as unpacked:
        digest = _streamed(archive, info, unpacked)
        unpacked.flush()
        return _npy(unpacked, 0, info), digest


def _streamed(archive: zipfile.ZipFile, info: zipfile.ZipInfo, into: IO[bytes] | None) -> str:
    """Return the sha256 of a member, whose bytes go `into` a file if there is one."""
    digest = hashlib.sha256()
    with archive.open(info) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            if into is not None:
                spill(into, chunk)
    return digest.hexdigest()


def _start(file: IO[bytes], info: zipfile.ZipInfo) -> int:
    """Return where the bytes of a stored member begin."""
    file.seek(info.header_offset)
    name, extra = struct.unpack("<HH", file.read(_LOCAL_HEADER)[26:])
    return info.header_offset + _LOCAL_HEADER + int(name) + int(extra)


def _npy(file: IO[bytes], start: int, info: zipfile.ZipInfo) -> np.ndarray:
    """Return the array of the ``.npy`` at `start`, mapped (numpy.lib.format, versions 1 and 2)."""
    file.seek(start)
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"{info.filename} is of version {version}")
    shape, fortran, dtype = readers[version](file)
    if dtype.hasobject:
        raise ValueError(f"{info.filename} holds Python objects, which are not unpickled")
    size, offset = int(np.prod(shape, dtype=object)) * dtype.itemsize, file.tell()
    if size > info.file_size - (offset - start):
        raise ValueError(f"{info.filename} is shorter than its shape {shape}")
    return mapped(file, dtype, shape, offset, fortran)


def from_mapping(arrays: Mapping[str, Any], whose: str = "the data", digest: str = "") -> Gathered:
    """Return `arrays` by name, one of which is the labels.

    Raises
    ------
    DataError
        None is, or there is none beside it, or they are of unequal length.
    """
    key = next((name for name in ("y", *LABELS) if name in arrays), None)
    if key is None or len(arrays) < 2:
        raise DataError(
            f"{whose} has no labels" if key is None else f"{whose} has nothing but labels",
            found=some(arrays) or "no arrays",
            hint="an array x (or one for each input, by its name) and an array y",
        )
    inputs = {name: array for name, array in arrays.items() if name != key}
    return from_arrays(inputs, arrays[key], digest)


def from_arrays(x: Any, y: Any, digest: str = "") -> Gathered:
    """Return the inputs `x`, one array or several by name, and their labels `y`.

    An `x` of paths (``pathlib.Path``) is files to read, in the order of their names.

    Raises
    ------
    DataError
        They are of unequal length, or no arrays.
    """
    labels = _array(y, "y")
    if isinstance(x, list | tuple) and x and all(isinstance(item, Path) for item in x):
        return _from_paths(x, labels)
    given = x if isinstance(x, Mapping) else {"": x}
    if not given:
        raise InputError("there are no inputs", found="an empty dict")
    inputs = {name: _array(array, name or "x") for name, array in given.items()}
    _same_length({**{name or "x": array for name, array in inputs.items()}, "y": labels})
    values = {"": next(iter(inputs.values()))} if len(inputs) == 1 else inputs
    contents = [digest or digest_of_arrays(values)]
    return Gathered(rows(len(labels)), np.asarray(labels), contents, values=values)


def _array(value: Any, name: str) -> Array:
    """Return `value` as an array; bytes stay bytes, also those that end with zeros."""
    texts = isinstance(value, list | tuple) and value and isinstance(value[0], str | bytes)
    try:
        array = np.array(value, dtype=object) if texts else np.asanyarray(value)
    except (ValueError, TypeError) as error:
        raise InputError(f"{name} is no array", found=str(error)) from error
    if array.ndim == 0:
        raise DataError(f"{name} is a single value", found=f"{array.dtype} ()")
    return array


def _same_length(arrays: Mapping[str, Array]) -> None:
    if len({len(array) for array in arrays.values()}) > 1:
        raise DataError(
            "the arrays are of unequal length",
            found=some(f"{name} {array.shape}" for name, array in arrays.items()),
            hint="the first axis counts the examples, in all of them",
        )


def _from_paths(paths: Sequence[Path], labels: Array) -> Gathered:
    if len(paths) != len(labels):
        raise DataError(
            "there are not as many labels as paths", found=f"{len(labels)}, {len(paths)}"
        )
    places = sorted(range(len(paths)), key=lambda place: order(paths[place].as_posix()))
    chosen = [paths[place] for place in places]
    looked = look(chosen)
    return Gathered(
        [readable(path.as_posix()) for path in chosen],
        np.asarray(labels)[places],
        [each.digest for each in looked],
        paths=chosen,
        broken={place: each.failure for place, each in enumerate(looked) if each.failure},
    )


def unfit(data: Any) -> UsageError:
    """Return the error for `data` that nothing can be learned from."""
    return UsageError(
        "this is no data to learn from",
        found=type(data).__name__,
        hint="a path, (x, y), a dict of arrays with y, or a tf.data.Dataset of (x, y)",
    )
