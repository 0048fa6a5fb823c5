"""Contents without holding them: digests of files, and arrays that stay on the disk.

An array that was memory-mapped is never copied as a whole: a choice of its rows (`Rows`) reads them
when they are asked for.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from zoo.errors import DiskError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SMALL = 64 << 20
"""Bytes that may be copied into memory without a thought."""
_CHUNK = 8 << 20


class Rows:
    """Some rows of an array that lies on the disk, in some order, each read when asked for.

    It has what an array is read by (`shape`, `dtype`, `len`, an index, a slice or an array of
    places); ``np.asarray`` reads all of it.
    """

    def __init__(self, array: np.ndarray, places: np.ndarray) -> None:
        self.array, self.places = array, places
        self.dtype = array.dtype
        self.shape = (len(places), *array.shape[1:])
        self.ndim = array.ndim
        self.nbytes = len(places) * array[:1].nbytes

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: Any) -> Any:
        found = self.array[self.places[key]]
        return np.asarray(found) if isinstance(found, np.ndarray) else found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole: np.ndarray = np.asarray(self.array[self.places])
        return whole if dtype is None else whole.astype(dtype, copy=False)


Array = np.ndarray | Rows


def chosen(array: Array, places: np.ndarray) -> Array:
    """Return the rows of `array` at `places`; those of a large file stay on the disk."""
    if isinstance(array, Rows):
        return Rows(array.array, array.places[places])
    large = array.nbytes > SMALL and _is_mapped(array)
    return Rows(array, places) if large else np.asarray(array[places])


def _is_mapped(array: np.ndarray) -> bool:
    owner: Any = array
    while isinstance(owner, np.ndarray):
        if isinstance(owner, np.memmap):
            return True
        owner = owner.base
    return False


def blocks(array: Array) -> Iterator[tuple[int, np.ndarray]]:
    """Yield some rows of `array` at a time (8 MB), each with the number of the first."""
    each = max(_CHUNK * len(array) // max(array.nbytes, 1), 1)
    for start in range(0, len(array), each):
        yield start, np.asarray(array[start : start + each])


def digest_of_arrays(values: Mapping[str, Array]) -> str:
    """Return one sha256 over names, dtypes, shapes and values."""
    total = hashlib.sha256()
    for name in sorted(values):
        array = values[name]
        total.update(f"{name}\0{array.dtype.str}\0{array.shape}\n".encode())
        for _, block in blocks(array):
            if block.dtype.hasobject:
                for item in block.reshape(-1):
                    whole = item if isinstance(item, bytes) else str(item).encode()
                    total.update(b"%d:" % len(whole) + whole)
            else:
                total.update(np.ascontiguousarray(block).reshape(-1).view(np.uint8).data)
    return total.hexdigest()


@dataclass(frozen=True)
class Looked:
    """The sha256 of a file, or why it cannot be read."""

    digest: str
    failure: str = ""


def look(paths: Sequence[Path]) -> list[Looked]:
    """Read each file once, some at a time, and return what each is."""
    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as threads:
        return list(threads.map(_look, paths))


def _look(path: Path) -> Looked:
    try:
        if path.exists() and not path.is_file():
            return Looked("", "it is no file")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return Looked(digest, "" if file.tell() else "it is empty")
    except FileNotFoundError:
        gone = "a link that leads nowhere" if path.is_symlink() else "there is no such file"
        return Looked("", gone)
    except (OSError, ValueError) as error:
        return Looked("", (getattr(error, "strerror", None) or str(error)).lower())


def storable(values: np.ndarray) -> np.ndarray:
    """Return `values` as a ``.npy`` can say what they are: those of bfloat16 as float32."""
    return values.astype(np.float32) if values.dtype.kind == "V" else values


class Spool:
    """Rows that are written to the disk as they come, and are an array when all are there.

    Parameters
    ----------
    shape
        The shape of one row.
    """

    def __init__(self, dtype: np.dtype, shape: Sequence[int]) -> None:
        self._dtype, self._shape, self._count = dtype, tuple(shape), 0
        self._file = temporary()
        weakref.finalize(self, self._file.close)

    def add(self, block: np.ndarray) -> None:
        """Add the rows of `block`, shape (n, *shape)."""
        spill(self._file, np.ascontiguousarray(block, self._dtype).tobytes())
        self._count += len(block)

    def array(self) -> np.ndarray:
        """Return all rows, shape (n, *shape): memory-mapped, the file gone when the array is."""
        with self._file:
            self._file.flush()
            return mapped(self._file, self._dtype, (self._count, *self._shape))


def temporary() -> IO[bytes]:
    """Return a file that nobody else sees, and that is gone with what was mapped from it."""
    return tempfile.TemporaryFile(prefix="zoo-")


def spill(file: IO[bytes], data: bytes) -> None:
    """Write `data` to a temporary file.

    Raises
    ------
    DiskError
        There is no room for it.
    """
    try:
        file.write(data)
    except OSError as error:
        raise DiskError(
            "a temporary file cannot be written",
            found=f"{error.strerror}, in {tempfile.gettempdir()}",
            hint="TMPDIR names another folder",
        ) from error


def mapped(
    file: IO[bytes], dtype: np.dtype, shape: tuple[int, ...], offset: int = 0, fortran: bool = False
) -> np.ndarray:
    """Return the array that lies in `file` at `offset` bytes, unread; `file` may be closed then."""
    if 0 in shape:
        return np.empty(shape, dtype)
    return np.memmap(file, dtype, "r", offset, shape, "F" if fortran else "C")
