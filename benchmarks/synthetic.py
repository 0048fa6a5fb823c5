"""A checkpoint of any size, written without TensorFlow: so many tensors of so many numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PIECE = 8 << 20
"""Bytes that are written again and again: they are random, so that nothing squeezes them."""


def write(prefix: Path, tensors: int, columns: int, *, hole: bool = False) -> None:
    """Write the checkpoint `prefix` with a graph that multiplies by one tensor after the other.

    The tensors are float32 of shape (1, `columns`), and all of them alike.
    With `hole` all numbers are zeros in a file that takes no room on the disk.
    """
    from zoo import bundle, dtypes, protos, table
    from zoo.checksums import masked

    prefix.parent.mkdir(parents=True, exist_ok=True)
    size, data = columns * 4, bundle.data_path(prefix)
    crc = masked(_written(data, tensors, size, hole=hole))
    kind = dtypes.named("float32").number
    header = protos.BundleHeaderProto(num_shards=1)
    pairs = {b"": header.SerializeToString()}
    for place, name in enumerate(_names(tensors)):
        entry = protos.BundleEntryProto(dtype=kind, offset=place * size, size=size, crc32c=crc)
        for side in (1, columns):
            entry.shape.dim.add(size=side)
        pairs[name.encode()] = entry.SerializeToString()
    bundle.index_path(prefix).write_bytes(table.write(sorted(pairs.items())))
    _write_graph(prefix.with_name(f"{prefix.name}.meta"), tensors, columns)


def _names(tensors: int) -> Iterator[str]:
    return (f"layer_{n}/kernel" for n in range(tensors))


def _written(path: Path, tensors: int, size: int, *, hole: bool) -> int:
    """Write the same `size` bytes for each tensor, and return their CRC-32C."""
    import random

    from zoo.checksums import crc32c

    piece = bytes(_PIECE) if hole else random.Random(0).randbytes(_PIECE)  # noqa: S311
    sizes = [min(_PIECE, size - start) for start in range(0, size, _PIECE)]
    crc = 0
    for length in sizes:
        crc = crc32c(piece[:length], crc)
    with path.open("wb") as file:
        if hole:
            file.truncate(tensors * size)
            return crc
        for _ in range(tensors):
            file.writelines(piece[:length] for length in sizes)
    return crc


def _write_graph(path: Path, tensors: int, columns: int) -> None:
    from zoo import dtypes, protos
    from zoo.nodes import node, placeholder
    from zoo.variables import declare, handle

    kind, meta_graph = dtypes.named("float32"), protos.MetaGraphDef()
    nodes, shapes, last = [placeholder("x", kind, [None, 1])], {}, "x"
    for name in _names(tensors):
        shapes[name] = (1, columns)
        nodes += [
            handle(name, kind, shapes[name]),
            node(f"{name}/read", "ReadVariableOp", [name], dtype=kind),
            node(f"{name}/Mul", "Mul", [last, f"{name}/read"], T=kind),
        ]
        last = f"{name}/Mul"
    nodes.append(node("y", "Identity", [last], T=kind))
    meta_graph.graph_def.node.extend(nodes)
    declare(meta_graph, shapes, set(shapes))
    path.write_bytes(meta_graph.SerializeToString())
