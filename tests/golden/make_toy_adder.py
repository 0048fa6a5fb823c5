"""Write the weights of ``toy-adder`` that come with zoo: one scalar, ``bias`` = 2, as a checkpoint.

They are what the tutorials' own session saves.  ``python tests/golden/make_toy_adder.py`` writes
the two files beside the architecture and prints what ``registry.yaml`` says of them.
"""

import hashlib
from pathlib import Path

from zoo import bundle
from zoo.tensors import ArrayTensor

PREFIX = Path(__file__).parents[2] / "plugins" / "zoo_architectures" / "toy-adder"


def write(prefix: Path) -> list[Path]:
    """Write the checkpoint `prefix` and return its files."""
    import numpy as np

    bundle.write(prefix, {"bias": ArrayTensor.of(np.float32(2))})
    return [bundle.data_path(prefix), bundle.index_path(prefix)]


if __name__ == "__main__":
    for path in write(PREFIX):
        data = path.read_bytes()
        print(f"{path.name}  size {len(data)}  sha256 {hashlib.sha256(data).hexdigest()}")  # noqa: T201
