"""The index of a bundle: what it says there is, by key, and nothing that cannot be.

Source: ``tensorflow/core/util/tensor_bundle/tensor_bundle.cc``.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from zoo import budget, protos, table, wire
from zoo.errors import FormatError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HEADER_KEY = b""
_BIG_ENDIAN, _VERSION = 1, 1
_ENTRY = 2048
"""Bytes that an entry takes in memory with all that is told of it."""


def read(path: Path) -> tuple[protos.BundleHeaderProto, dict[bytes, protos.BundleEntryProto]]:
    """Return the header of the index at `path`, and its entries by key.

    Raises
    ------
    FormatError
        It is damaged, or its entries overlap.
    LimitError
        It would take far more memory than it is long.
    UnsupportedError
        It was written for another kind of machine, or for a newer TensorFlow.
    """
    from google.protobuf.message import DecodeError

    try:
        pairs = _pairs(path)
        header = protos.BundleHeaderProto.FromString(pairs.pop(HEADER_KEY))
        parse = protos.BundleEntryProto.FromString
        entries = {key: parse(value) for key, value in pairs.items()}
    except OSError as error:
        raise FormatError(f"{path} cannot be read", found=str(error.strerror)) from error
    except wire.Damaged as error:
        raise FormatError(f"{path} is damaged, or no checkpoint", found=str(error)) from error
    except KeyError as error:
        raise FormatError(f"{path} is no checkpoint", found="a table without a header") from error
    except DecodeError as error:
        raise FormatError(f"{path} is damaged", found=f"an entry: {error}") from error
    _refuse_others(path, header)
    _refuse_overlaps(path, entries)
    return header, entries


def _refuse_others(path: Path, header: protos.BundleHeaderProto) -> None:
    """Refuse an index that another machine or another release wrote for readers of its own."""
    if header.endianness == _BIG_ENDIAN:
        raise UnsupportedError(f"{path} was written on a big-endian machine")
    if header.version.min_consumer > _VERSION:
        raise UnsupportedError(
            f"{path} was written for a newer TensorFlow",
            found=f"version {header.version.min_consumer} is needed, where {_VERSION} is known",
        )
    if header.version.producer < 0:
        raise FormatError(
            f"{path} is damaged", found=f"written by version {header.version.producer}"
        )
    if _VERSION in header.version.bad_consumers:
        raise UnsupportedError(
            f"{path} is not for readers of version {_VERSION}, as TensorFlow and zoo are",
            found="its header says that they would read it wrongly",
        )


def _pairs(path: Path) -> dict[bytes, bytes]:
    """Return the keys and values of the index, of which there are no more than it has bytes for."""
    data = path.read_bytes()
    pairs: dict[bytes, bytes] = {}
    weight, most = 0, budget.most(len(data))
    for key, value in table.entries(data):
        weight += _ENTRY + len(key) + len(value)
        if weight > most:
            raise budget.beyond(weight, len(data), f"{path}, once it is read,")
        pairs[key] = value
    return pairs


def _refuse_overlaps(path: Path, entries: Mapping[bytes, protos.BundleEntryProto]) -> None:
    """Refuse entries that share bytes, which no writer makes: a few would be many tensors."""
    for key, entry in entries.items():
        if entry.offset < 0 or entry.size < 0:
            raise wrong(path, f"{key!r} has the offset {entry.offset}, size {entry.size}")
    places = sorted(
        (entry.shard_id, entry.offset, entry.size, key)
        for key, entry in entries.items()
        if not entry.slices and entry.size
    )
    for (shard, offset, size, key), (following, start, _, other) in itertools.pairwise(places):
        if shard == following and offset + size > start:
            raise wrong(path, f"{key!r} and {other!r} overlap at offset {start}")


def wrong(path: Path, found: str) -> FormatError:
    """Return the error for an index that says what cannot be."""
    return FormatError(f"{path} is damaged", found=found, hint="fetch or copy the file again")
