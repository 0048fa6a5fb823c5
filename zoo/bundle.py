"""Tensor bundles: the ``.index`` and ``.data-*`` files that hold a checkpoint's weights.

The index is a table from a tensor's key to its dtype, shape, place in a data file and checksum; the
data files are the values, one after the other.  Checkpoints and the ``variables/`` folder of a
SavedModel are bundles.

Source: ``tensorflow/core/util/tensor_bundle/tensor_bundle.cc``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo import bundle_index, dtypes, ordered_code, protos, stored_strings, table
from zoo.checksums import crc32c, masked, unmasked
from zoo.disk import written
from zoo.errors import FormatError
from zoo.mapped import MappedFile
from zoo.parts import JoinedTensor, extents_of
from zoo.streams import Stream
from zoo.tensor_protos import shape_of
from zoo.tensors import FileTensor, MissingTensor, Shape, Tensor, afford

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from zoo.dtypes import DType
    from zoo.ordered_code import Extents

_DATA = re.compile(r"\.data-\d{5}-of-\d{5}")


def index_path(prefix: Path) -> Path:
    """Return the path of the index of the bundle called `prefix`."""
    return prefix.with_name(f"{prefix.name}.index")


def data_path(prefix: Path, shard: int = 0, shards: int = 1) -> Path:
    """Return the path of one data file of the bundle called `prefix`."""
    return prefix.with_name(f"{prefix.name}.data-{shard:05}-of-{shards:05}")


def is_data_suffix(text: str) -> bool:
    """Tell whether `text` is what follows the prefix in the name of a data file."""
    return _DATA.fullmatch(text) is not None


def recognises(prefix: Path) -> bool:
    """Tell whether a bundle's index lies at `prefix`; never raises."""
    try:
        with index_path(prefix).open("rb") as file:
            file.seek(-8, 2)
            return table.recognises(file.read(8))
    except OSError:
        return False


def read(prefix: Path, *, whole: bool = True) -> dict[str, Tensor]:
    """Return the tensors of the bundle at `prefix` by key, none of them read yet.

    Partitioned variables come as one tensor, joined from their slices.

    Parameters
    ----------
    whole
        Whether every data file must be there.  Without one, its tensors are known, but for their
        values.

    Raises
    ------
    FormatError
        The index is missing or damaged, or a data file is missing or shorter than promised.  A
        damaged value is found when it is read.
    """
    path = index_path(prefix)
    header, entries = bundle_index.read(path)
    used = {entry.shard_id for entry in entries.values() if not entry.slices}
    wrong = [number for number in used if not 0 <= number < header.num_shards]
    if wrong:
        raise bundle_index.wrong(path, f"data file {wrong[0]} of {header.num_shards}")
    shards = {i: MappedFile(data_path(prefix, i, header.num_shards)) for i in sorted(used)}
    if whole:
        _check_shards(path, [*shards.values()])
    missing = {number for number, shard in shards.items() if not shard.path.is_file()}
    stored = _Stored(path, shards, missing, entries)
    return {_text(path, key): stored.tensor(key) for key in entries if not stored.is_slice(key)}


def _text(path: Path, key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise bundle_index.wrong(path, f"the key {key!r} is no text") from error


@dataclass(frozen=True)
class _Stored:
    """An index and the data files it speaks of."""

    path: Path
    shards: Mapping[int, MappedFile]
    missing: set[int]
    entries: Mapping[bytes, protos.BundleEntryProto]
    slices: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        for key, entry in ((k, e) for k, e in self.entries.items() if e.slices):
            self.slices.update(ordered_code.slice_key(key, extents) for extents in _extents(entry))

    def is_slice(self, key: bytes) -> bool:
        """Tell whether `key` is that of a part of a partitioned variable."""
        return key in self.slices

    def tensor(self, key: bytes) -> Tensor:
        """Return the tensor under `key`, its values still in the file."""
        entry = self.entries[key]
        dtype, shape = dtypes.dtype(entry.dtype), shape_of(entry.shape)
        if entry.slices:
            return self._joined(key, dtype, shape)
        file, label = self.shards[entry.shard_id], key.decode(errors="replace")
        if entry.shard_id in self.missing:
            return MissingTensor(dtype, shape, f"{file.path.name} is not there")
        crc = unmasked(entry.crc32c)
        if dtype is dtypes.STRING:
            return stored_strings.StringsTensor(file, entry.offset, entry.size, shape, label, crc)
        tensor = FileTensor(file, entry.offset, dtype, shape, label, crc)
        if tensor.nbytes != entry.size:
            raise bundle_index.wrong(
                self.path, f"{key!r}: {dtype} {list(shape)} in {entry.size} bytes"
            )
        return tensor

    def _joined(self, key: bytes, dtype: DType, shape: Shape) -> Tensor:
        parts: list[tuple[Extents, Tensor]] = []
        for extents in _extents(self.entries[key]):
            name = ordered_code.slice_key(key, extents)
            if name not in self.entries or self.entries[name].slices:
                raise bundle_index.wrong(self.path, f"a slice of {key!r} is missing")
            parts.append((extents, self.tensor(name)))
        joined = JoinedTensor(dtype, shape, parts)
        fault = joined.fault()
        if fault:
            raise bundle_index.wrong(self.path, f"the slices of {key!r}: {fault}")
        return joined


def _extents(entry: protos.BundleEntryProto) -> list[Extents]:
    return [extents_of(part) for part in entry.slices]


def _check_shards(path: Path, shards: list[MappedFile]) -> None:
    missing = [shard.path.name for shard in shards if not shard.path.is_file()]
    if missing:
        raise FormatError(
            f"{path} speaks of data files that are not there",
            found=f"no {', '.join(missing[:3])}" + (" and more" if len(missing) > 3 else ""),
            hint="copy every file of the checkpoint: .index and each .data-*",
        )


def write(prefix: Path, tensors: Mapping[str, Tensor], shard_size: int | None = None) -> list[Path]:
    """Write `tensors` as a bundle; return its data files, the index comes last.

    In one data file the bytes are those that TensorFlow's Saver writes for the same keys and
    values; values that all lie in one data file keep their order in it, so that a copy is one.
    Tensors stream from where they lie; no more than `zoo.mapped.CHUNK` bytes of one are held at a
    time.

    Parameters
    ----------
    shard_size
        Bytes that a data file has at most, in the order of the keys; one tensor that is larger has
        a file of its own.  Without it there is one file.
    """
    afford(tensors.values(), "what is written")
    shards = [_in_order(tensors)] if shard_size is None else _shards(tensors, shard_size)
    paths = [data_path(prefix, number, len(shards)) for number in range(len(shards))]
    with written(paths[0]):
        pairs = {bundle_index.HEADER_KEY: _header(len(shards))}
        for number, keys in enumerate(shards):
            with Stream(paths[number]) as file:
                for key in keys:
                    entry = _append(file, tensors[key])
                    entry.shard_id = number
                    pairs[key.encode()] = entry.SerializeToString()
        index_path(prefix).write_bytes(table.write(sorted(pairs.items())))
    return paths


def _shards(tensors: Mapping[str, Tensor], most: int) -> list[list[str]]:
    """Return the keys of `tensors` in runs whose values take at most `most` bytes each."""
    shards: list[list[str]] = [[]]
    room = most
    for key in sorted(tensors, key=str.encode):
        size = _stored_size(tensors[key])
        if size > room and shards[-1]:
            shards.append([])
            room = most
        shards[-1].append(key)
        room -= size
    return shards


def _stored_size(tensor: Tensor) -> int:
    """Return how many bytes `tensor` takes in a data file."""
    if tensor.dtype is dtypes.STRING and not isinstance(tensor, stored_strings.StringsTensor):
        return stored_strings.stored_size(tensor.read().reshape(-1).tolist())
    return tensor.nbytes


def _in_order(tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the keys of `tensors` in the order in which their values are written."""
    keys = sorted(tensors, key=str.encode)
    places = [
        (tensor.file, tensor.offset)
        for tensor in tensors.values()
        if isinstance(tensor, stored_strings.StringsTensor)
        or (isinstance(tensor, FileTensor) and tensor.crc is not None)
    ]
    if len(places) < len(keys) or len({id(file) for file, _ in places}) != 1:
        return keys
    offsets = dict(zip(tensors, (offset for _, offset in places), strict=True))
    return sorted(keys, key=lambda key: offsets[key])


def _header(shards: int) -> bytes:
    header = protos.BundleHeaderProto(num_shards=shards)
    header.version.producer = 1
    encoded: bytes = header.SerializeToString()
    return encoded


def _append(file: Stream, tensor: Tensor) -> protos.BundleEntryProto:
    entry = protos.BundleEntryProto(dtype=tensor.dtype.number, offset=file.tell())
    entry.shape.SetInParent()
    for size in tensor.shape:
        entry.shape.dim.add(size=size)
    crc = 0
    if tensor.dtype is dtypes.STRING:
        crc = stored_strings.append(file, tensor.read().reshape(-1).tolist())
    else:
        for piece in tensor.chunks():
            file.write(piece)
            crc = crc32c(piece, crc)
    entry.size = file.tell() - entry.offset
    entry.crc32c = masked(crc)
    return entry
