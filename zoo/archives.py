"""Tar and zip archives: what one has in it, told by its contents and never by its name."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from zoo import compressed, tar_members, zip_members
from zoo.errors import FormatError, ZooError
from zoo.members import FOLDER, Member

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST = 10_000
"""Members that are listed."""
_MOST_UNPACKED = 4 << 30
"""Bytes that a compressed archive may have when it is unpacked to be listed."""


def recognises(path: Path) -> bool:
    """Tell whether the file at `path` is an archive that can be listed; never raises."""
    try:
        with path.open("rb") as file:
            start = file.read(tar_members.BLOCK)
            if zip_members.recognises(start):
                return not is_arrays(path)
            file.seek(0)
            block = _unpacked(file, start, tar_members.BLOCK).read(tar_members.BLOCK)
            return tar_members.recognises(block)
    except (OSError, ZooError):
        return False


@contextmanager
def opened(path: Path, most: int) -> Iterator[Iterator[Member]]:
    """Yield the members of the archive at `path`, in their order, while the block lasts.

    Parameters
    ----------
    most
        Bytes that a compressed tar archive may unpack to, headers included.

    Raises
    ------
    FormatError
        It is damaged, could be read in two ways, or unpacks to more.
    """
    try:
        with path.open("rb") as file:
            start = file.read(tar_members.BLOCK)
            file.seek(0)
            if zip_members.recognises(start):
                yield zip_members.members(file)
            else:
                yield tar_members.members(_unpacked(file, start, most))
    except FormatError as error:
        raise FormatError(f"{path}: {error.problem}", found=error.found, hint=error.hint) from error


def members(path: Path) -> list[Member]:
    """Return the files in the archive at `path`, at most `MOST`, sorted by name.

    Raises
    ------
    FormatError
        It is damaged, could be read in two ways, or is much larger than a model when unpacked.
    """
    found = []
    with opened(path, _MOST_UNPACKED) as inside:
        for member in inside:
            if member.kind != FOLDER:
                found.append(member)
            if len(found) >= MOST:
                break
    return sorted(found, key=lambda member: member.name)


def is_arrays(path: Path) -> bool:
    """Tell whether the zip archive at `path` is how NumPy saves several arrays."""
    try:
        names = [member.name for member in members(path)]
    except (OSError, FormatError):
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def models_in(names: list[str]) -> list[str]:
    """Return what among the files `names` looks like models, by the names these have."""
    found = set()
    for name in names:
        path = PurePosixPath(name)
        if path.name in ("saved_model.pb", "saved_model.pbtxt"):
            found.add(f"{path.parent} (SavedModel)")
        elif path.suffix == ".index" and path.parent.name != "variables":
            found.add(f"{path.with_suffix('')} (checkpoint)")
        elif path.suffix in (".pb", ".pbtxt") and path.name not in _BESIDE:
            found.add(f"{path} (graph)")
        elif path.suffix in (".h5", ".hdf5", ".keras"):
            found.add(f"{path} (Keras)")
    return sorted(found)


_BESIDE = {"fingerprint.pb", "keras_metadata.pb", "tfhub_module.pb"}


def _unpacked(file: BinaryIO, start: bytes, most: int) -> compressed.Unpacked:
    decoder = compressed.decoder_of(start)
    return compressed.Unpacked(file, decoder, most)
