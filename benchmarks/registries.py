"""A registry of 100,000 models: the first question, those that follow, and PyYAML's own loader."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from benchmarks.measure import in_turn, show

if TYPE_CHECKING:
    from pathlib import Path

_MODELS = 100_000
_ENTRY = """  net-{n}:
    summary: A net of number {n}
    architecture: vgg16
    weights:
      imagenet:
        format: checkpoint
        urls: ["https://models.example.org/net-{n}.tar.gz"]
        sha256: {n:064x}
        size: {n}
    inputs: {{images: "images:0"}}
    outputs: {{probabilities: "prob:0"}}
    license: Apache-2.0
"""


def write(path: Path) -> None:
    """Write the registry to `path`: 39 MB, 370 bytes a model."""
    with path.open("w") as file:
        file.write("version: 1\nmodels:\n")
        file.writelines(_ENTRY.format(n=n) for n in range(_MODELS))


def measure(room: Path, runs: int) -> None:
    """Measure in `room`, which also gets a cache of its own."""
    path, cache = room / "registry.yaml", room / "registry-cache"
    write(path)
    os.environ["ZOO_HOME"] = str(cache)
    ours = [sys.executable, "-m", "zoo", "list", "vgg*", "--registry", str(path)]
    load = "import sys, yaml; yaml.load(open(sys.argv[1]), yaml.CSafeLoader)"
    theirs = [sys.executable, "-c", load, str(path)]

    def clear() -> None:
        """Have the registry parsed again."""
        shutil.rmtree(cache, ignore_errors=True)

    first = in_turn({"zoo list 'vgg*', the first time": ours}, runs, clear)
    again = in_turn({"zoo list 'vgg*', from then on": ours}, runs, lambda: None)
    loaded = in_turn({"yaml.load, CSafeLoader": theirs}, 1, clear)
    show(f"a registry of {_MODELS:,} models", [*first, *again, *loaded])
    path.unlink()
    del os.environ["ZOO_HOME"]


if __name__ == "__main__":
    import tempfile
    from pathlib import Path as Folder

    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name:
        measure(Folder(name), 3)
