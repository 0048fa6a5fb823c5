"""Files larger than memory: a checkpoint of 6 GB that takes no room, and what becomes of it."""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING

from benchmarks.bench import ZOO
from benchmarks.measure import once
from benchmarks.rows import Measured, Row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.bench import Bench

_LAYERS, _ROWS, _COLUMNS = 6, 1 << 16, 1 << 12
_BYTES = _ROWS * _COLUMNS * 4
_ROOM = 3 * _LAYERS * _BYTES // 2


def build(prefix: Path) -> None:
    """Write a checkpoint of `_LAYERS` kernels of 1 GiB, all zeros, in a file that is a hole."""
    from zoo import bundle, dtypes, protos, table
    from zoo.checksums import crc32c, masked
    from zoo.mapped import CHUNK

    crc = 0
    for _ in range(_BYTES // CHUNK):
        crc = crc32c(bytes(CHUNK), crc)
    header = protos.BundleHeaderProto(num_shards=1)
    pairs = {b"": header.SerializeToString()}
    for layer in range(_LAYERS):
        entry = protos.BundleEntryProto(dtype=dtypes.named("float32").number, size=_BYTES)
        entry.offset, entry.crc32c = layer * _BYTES, masked(crc)
        for size in (_ROWS, _COLUMNS):
            entry.shape.dim.add(size=size)
        pairs[f"layer_{layer}/kernel".encode()] = entry.SerializeToString()
    bundle.index_path(prefix).write_bytes(table.write(sorted(pairs.items())))
    with bundle.data_path(prefix).open("wb") as file:
        file.truncate(_LAYERS * _BYTES)
    _write_graph(prefix.with_name(f"{prefix.name}.meta"))


def _write_graph(path: Path) -> None:
    from zoo import dtypes, protos
    from zoo.nodes import node, placeholder
    from zoo.variables import declare, handle

    kind, meta_graph = dtypes.named("float32"), protos.MetaGraphDef()
    nodes, shapes = [placeholder("x", kind, [None, _ROWS])], {}
    for layer in range(_LAYERS):
        name = f"layer_{layer}/kernel"
        shapes[name] = (_ROWS, _COLUMNS)
        nodes += [
            handle(name, kind, shapes[name]),
            node(f"{name}/read", "ReadVariableOp", [name], dtype=kind),
            node(f"y{layer}", "MatMul", ["x", f"{name}/read"], T=kind),
        ]
    meta_graph.graph_def.node.extend(nodes)
    declare(meta_graph, shapes, set(shapes))
    path.write_bytes(meta_graph.SerializeToString())


def rows(bench: Bench) -> Iterator[Row]:
    """Measure what converting the checkpoint takes, and what refusing to freeze it does."""
    if shutil.disk_usage(bench.room).free < _ROOM:
        bench.missing["large"] = f"takes {_ROOM / 1e9:.0f} GB of disk for a moment"
        return
    prefix, target = bench.room / "large", bench.room / "large-target"
    build(prefix)
    convert = [*ZOO, "convert", str(prefix)]
    for work, *options in (
        ("checkpoint to SavedModel", "--to", "saved_model"),
        ("the same in shards of 2 GB", "--to", "saved_model", "--shard-size", "2GB"),
        ("the same in half precision", "--to", "saved_model", "--dtype", "bfloat16"),
    ):
        run = once([*convert, str(target), *options])
        shutil.rmtree(target)
        yield _row(work, Measured("zoo convert", (run.seconds,), (run.megabytes,)))
    start = time.perf_counter()
    command = [*convert, f"{target}.pb", "--to", "frozen"]
    refused = subprocess.run(command, check=False, capture_output=True)
    seconds = time.perf_counter() - start
    work = f"to a frozen graph: refused with exit code {refused.returncode}"
    yield _row(work, Measured("zoo convert", (seconds,)))


def _row(work: str, ours: Measured) -> Row:
    return Row("large", work, f"{_LAYERS} GiB of weights, all zeros", ours)
