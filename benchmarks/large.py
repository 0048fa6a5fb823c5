"""Files larger than memory: a checkpoint of 6 GB that takes no room, and what becomes of it."""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING

from benchmarks import synthetic
from benchmarks.bench import ZOO
from benchmarks.measure import once
from benchmarks.rows import Measured, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.bench import Bench

_LAYERS, _COLUMNS = 6, 1 << 28
_ROOM = 3 * _LAYERS * _COLUMNS * 4 // 2


def rows(bench: Bench) -> Iterator[Row]:
    """Measure what converting the checkpoint takes, and what refusing to freeze it does."""
    if shutil.disk_usage(bench.room).free < _ROOM:
        bench.missing["large"] = f"takes {_ROOM / 1e9:.0f} GB of disk for a moment"
        return
    prefix, target = bench.room / "large", bench.room / "large-target"
    synthetic.write(prefix, _LAYERS, _COLUMNS, hole=True)
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
