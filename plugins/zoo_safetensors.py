"""Safetensors: one file, a header in JSON with a place for each array, and the arrays behind it.

The graph lies in the header's metadata, as base64.  Of the safetensors of others it is attached:
from a file beside of the same name, by an architecture, by ``--graph``.

Source: https://github.com/huggingface/safetensors, ``README.md`` and ``safetensors/src/tensor.rs``.
"""

from __future__ import annotations

import base64
import itertools
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo import atomic, carried, dtypes
from zoo.errors import FormatError, UnsupportedError, some
from zoo.formats import Option, Saved, flag
from zoo.hookspecs import hookimpl
from zoo.mapped import MappedFile
from zoo.npy import sizes
from zoo.streams import Stream
from zoo.tensors import FileTensor, afford

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from zoo.dtypes import DType
    from zoo.formats import Format
    from zoo.model import Model
    from zoo.tensors import Tensor

zoo_api = 1

_DTYPES = {
    "BOOL": "bool", "F4": "", "F6_E2M3": "", "F6_E3M2": "", "U8": "uint8", "I8": "int8",
    "F8_E5M2": "float8_e5m2", "F8_E4M3": "float8_e4m3fn", "F8_E8M0": "",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz", "I16": "int16",
    "U16": "uint16", "F16": "float16", "BF16": "bfloat16", "I32": "int32", "U32": "uint32",
    "F32": "float32", "C64": "complex64", "F64": "float64", "I64": "int64", "U64": "uint64",
}  # fmt: skip
"""All dtypes in the order of the source, with TensorFlow's name for those that it has."""
_CODES = {name: code for code, name in _DTYPES.items() if name}
_RANKS = {code: rank for rank, code in enumerate(_DTYPES)}
_BITS = {1: "U8", 2: "U16", 4: "U32"}
"""As what a value of so many bytes is stored whose dtype safetensors lacks."""
_MOST_HEADER = 100_000_000
_METADATA, _OURS, _OTHER_DTYPES = "__metadata__", "zoo.", "dtypes"
_OPTIONS = (
    Option("write_meta_graph", "whether the graph is written too (true)", save=True, kind=flag),
)


@hookimpl
def zoo_formats() -> Iterable[Format]:
    """Offer the ``safetensors`` format."""
    summary = "one .safetensors file: weights, and the graph in it, beside it or attached"
    return [
        carried.weights_format(
            "safetensors", summary, recognises, read, save, options=_OPTIONS, leaves=leaves
        )
    ]


class _Header(NamedTuple):
    """What the header says: where the arrays begin, each one's facts, and metadata."""

    start: int
    arrays: dict[str, Any]
    metadata: dict[str, str]


def recognises(path: Path) -> bool:
    """Tell whether the file at `path` begins with the length of a header, and one in JSON."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError:
        return False
    return start[8:] == b"{" and 2 <= int.from_bytes(start[:8], "little") <= _MOST_HEADER


def read(path: Path) -> Model:
    """Return what is in the file at `path` itself; its weights stay there.

    Raises
    ------
    FormatError
        The file is damaged.
    UnsupportedError
        TensorFlow has no such dtype.
    """
    file = MappedFile(path)
    header = _header(file)
    ours = {n.removeprefix(_OURS): t for n, t in header.metadata.items() if n.startswith(_OURS)}
    try:
        parts = {name: base64.b64decode(text, validate=True) for name, text in ours.items()}
        tensors = _tensors(file, header, json.loads(parts.get(_OTHER_DTYPES, b"{}")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(file, error) from error
    return carried.rebuilt(parts, tensors, path)


def save(model: Model, path: Path, *, write_meta_graph: bool = True) -> Saved:
    """Write `model` as a file that the package ``safetensors`` reads.

    Parameters
    ----------
    write_meta_graph
        Whether the graph is written too, into the metadata of the file.

    Raises
    ------
    UnsupportedError
        A weight is text, or of complex128; the graph is too large for a header; or the outputs
        need a file.
    """
    model, notes = carried.without_files(model, "a safetensors file")
    tensors = {name: model.weights.tensor(name) for name in model.weights}
    afford(tensors.values(), "what is written")
    codes = {name: _code(name, one.dtype) for name, one in tensors.items()}
    order = sorted(tensors, key=lambda name: (-_RANKS[codes[name]], name))
    parts = carried.parts(model) if write_meta_graph else {}
    others = {n: t.dtype.name for n, t in tensors.items() if t.dtype.name not in _CODES}
    if others:
        parts[_OTHER_DTYPES] = json.dumps(others, sort_keys=True).encode()
    metadata = {f"{_OURS}{name}": base64.b64encode(parts[name]).decode() for name in sorted(parts)}
    head = _head(tensors, codes, order, metadata)
    with atomic.replacing(path) as draft, Stream(draft) as file:
        file.write(head)
        file.writelines(itertools.chain.from_iterable(tensors[name].chunks() for name in order))
    return Saved(path, notes)


def leaves(path: Path) -> list[str]:
    """Return a sentence on the metadata that others wrote into the file at `path`."""
    others = [name for name in _header(MappedFile(path)).metadata if not name.startswith(_OURS)]
    return [f"left out metadata of the file: {some(sorted(others))}"] if others else []


def _header(file: MappedFile) -> _Header:
    length = int.from_bytes(file.read(0, 8), "little")
    if length > _MOST_HEADER:
        raise FormatError(f"{file.path} is no safetensors file", found=f"a header of {length} B")
    try:
        found = json.loads(
            file.read(8, length).decode(), object_pairs_hook=_once, parse_constant=_no_number
        )
        metadata = found.pop(_METADATA, None) or {}
        if not all(isinstance(text, str) for text in metadata.values()):
            raise ValueError("metadata that is no text")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(file, error) from error
    return _Header(8 + length, found, metadata)


def _tensors(file: MappedFile, header: _Header, stated: Mapping[str, str]) -> dict[str, Tensor]:
    """Return the arrays by name; they must fill the file, without gaps or overlaps."""
    tensors: dict[str, Tensor] = {}
    end = 0
    for name, facts in sorted(header.arrays.items(), key=lambda one: one[1]["data_offsets"]):
        name.encode()  # half of a letter is no name
        start, last = facts["data_offsets"]
        dtype = _dtype(name, facts["dtype"], stated.get(name))
        shape = sizes(facts["shape"], dtype.itemsize)
        tensors[name] = one = FileTensor(file, header.start + end, dtype, shape, name)
        if (start, last) != (end, end + one.nbytes):
            raise ValueError(f"{name!r} lies from {start} to {last}, where {end} is the beginning")
        end = last
    if header.start + end != file.size:
        raise ValueError(f"{file.size - header.start - end} bytes belong to no array")
    return tensors


def _dtype(name: str, code: str, stated: str | None) -> DType:
    if not _DTYPES[code]:
        raise UnsupportedError(f"TensorFlow has no dtype for {code}", found=f"the array {name!r}")
    plain = dtypes.named(_DTYPES[code])
    if stated is None:
        return plain
    if _BITS.get(plain.itemsize) != code or dtypes.named(stated).itemsize != plain.itemsize:
        raise ValueError(f"{name!r} is {code}, and no {stated}")
    return dtypes.named(stated)


def _code(name: str, dtype: DType) -> str:
    """Return as what values of `dtype` are stored: as themselves, or as their bits."""
    code = _CODES.get(dtype.name) or _BITS.get(dtype.itemsize)
    if code is None or name == _METADATA:
        what = f"the dtype {dtype}" if code is None else "a weight of that name"
        raise UnsupportedError(f"safetensors has no room for {what}", found=f"the weight {name!r}")
    return code


def _head(
    tensors: Mapping[str, Tensor],
    codes: Mapping[str, str],
    order: Iterable[str],
    metadata: Mapping[str, str],
) -> bytes:
    """Return the header with its length, padded so that the arrays begin at a multiple of 8."""
    header: dict[str, Any] = {_METADATA: metadata} if metadata else {}
    end = 0
    for name in order:
        start, end = end, end + tensors[name].nbytes
        shape = list(tensors[name].shape)
        header[name] = {"dtype": codes[name], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > _MOST_HEADER:
        raise UnsupportedError(
            "the graph and the names of the weights are too large for a safetensors file",
            found=f"{len(text)} bytes, where a header has at most {_MOST_HEADER}",
            hint="a checkpoint or a SavedModel has room for them; or write_meta_graph=false",
        )
    return len(text).to_bytes(8, "little") + text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("two values under one key")
    return found


def _no_number(word: str) -> None:
    raise ValueError(f"{word}, which is no JSON")


def _damaged(file: MappedFile, error: Exception) -> FormatError:
    return FormatError(f"{file.path} has a damaged header", found=str(error)[:300])
