"""Checkpoints as TensorFlow wrote them until 2016: ``model.ckpt``, or that in several shards.

Each file is a table by itself: under the empty key what there is, under the key of each slice its
values.  They are read, and never written any more.

Source: ``tensorflow/core/util/saved_tensor_slice.proto``, ``tensor_slice_writer.cc`` and
``tensor_slice_reader.cc``.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from zoo import budget, dtypes, ordered_code, protos, table, weighing, wire
from zoo.errors import FormatError
from zoo.mapped import MappedFile
from zoo.parts import JoinedTensor, extents_of
from zoo.tensor_protos import from_proto, shape_of
from zoo.tensors import LazyTensor

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from zoo.ordered_code import Extents
    from zoo.tensors import Shape, Tensor

_SHARD = re.compile(r"-\d{5}-of-(\d{5})")


def files(prefix: Path) -> list[Path]:
    """Return the files of the checkpoint `prefix`: itself, or its shards, if there are any."""
    if prefix.is_file():
        return [prefix]
    if not prefix.parent.is_dir():
        return []
    return sorted(
        path
        for path in prefix.parent.iterdir()
        if path.name.startswith(prefix.name) and _SHARD.fullmatch(path.name[len(prefix.name) :])
    )


def recognises(prefix: Path) -> bool:
    """Tell whether the files of `prefix` end as tables do; never raises."""
    try:
        found = files(prefix)
        return bool(found) and all(table.recognises(_tail(path)) for path in found)
    except OSError:
        return False


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-8, 2)
        return file.read(8)


def read(prefix: Path) -> dict[str, Tensor]:
    """Return the tensors of the checkpoint at `prefix` by key, none of them read yet.

    Raises
    ------
    FormatError
        A file is damaged, or all or one of them missing.  Damaged values are found when they are
        read.
    """
    paths = files(prefix)
    if not paths:
        raise FormatError(f"there is no checkpoint {prefix}")
    _check_shards(prefix, paths)
    parts: dict[str, list[tuple[Extents, Tensor]]] = {}
    wholes: dict[str, Any] = {}
    claimed = held = 0
    for path in paths:
        file = MappedFile(path)
        held += file.size
        for stored in _contents(file).tensor:
            wholes[stored.name] = stored
            for piece in stored.slice:
                part = _part(file, stored, extents_of(piece))
                parts.setdefault(stored.name, []).append((extents_of(piece), part))
                claimed += part.nbytes
    budget.refuse(claimed, held, f"{prefix}, once it is read,")
    return {name: _joined(prefix, wholes[name], found) for name, found in parts.items()}


def _check_shards(prefix: Path, paths: list[Path]) -> None:
    promised = _SHARD.fullmatch(paths[0].name[len(prefix.name) :]) if paths else None
    if promised is not None and len(paths) != int(promised[1]):
        raise FormatError(
            f"{prefix} is not whole", found=f"{len(paths)} of {int(promised[1])} files"
        )


def _contents(file: MappedFile) -> Any:
    """Return what `file` says there is in it."""
    from google.protobuf.message import DecodeError

    try:
        data: Any = file.view()
        stored = table.value(data, b"")
        if stored is not None:
            weighing.refuse_swollen(stored, "SavedTensorSlices", file.path, file.size)
            return protos.SavedTensorSlices.FromString(stored).meta
    except (wire.Damaged, DecodeError) as error:
        raise FormatError(f"{file.path} is damaged, or no checkpoint", found=str(error)) from error
    raise FormatError(f"{file.path} is no checkpoint", found="a table without contents")


def _part(file: MappedFile, stored: Any, extents: Extents) -> Tensor:
    """Return one slice, which stays in `file` until it is read."""
    whole, dtype = shape_of(stored.shape), dtypes.dtype(stored.type)
    if len(extents) != len(whole):
        raise FormatError(f"{file.path} is damaged", found=f"a slice of {stored.name!r}")
    shape = tuple(
        size if extent is None else extent[1] for extent, size in zip(extents, whole, strict=True)
    )
    key = ordered_code.slice_key(stored.name.encode(), extents)
    return LazyTensor(dtype, shape, partial(_values, file, stored.name, key, stored.type, shape))


def _values(file: MappedFile, name: str, key: bytes, dtype: int, shape: Shape) -> np.ndarray:
    from google.protobuf.message import DecodeError

    try:
        data: Any = file.view()
        held = table.value(data, key)
        if held is None:
            raise FormatError(f"{file.path} is damaged", found=f"no values of {name!r}")
        proto = protos.SavedTensorSlices.FromString(held).data.data
    except (wire.Damaged, DecodeError) as error:
        raise FormatError(f"{file.path} is damaged", found=f"{name!r}: {error}") from error
    proto.dtype = dtype
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return from_proto(proto).read()


def _joined(prefix: Path, stored: Any, parts: list[tuple[Extents, Tensor]]) -> Tensor:
    shape, dtype = shape_of(stored.shape), dtypes.dtype(stored.type)
    if len(parts) == 1 and parts[0][1].shape == shape:
        return parts[0][1]
    joined = JoinedTensor(dtype, shape, parts)
    fault = joined.fault()
    if fault:
        raise FormatError(f"{prefix} is damaged", found=f"the slices of {stored.name!r}: {fault}")
    return joined
