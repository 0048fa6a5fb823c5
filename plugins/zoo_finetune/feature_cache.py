"""Features of a backbone that does not learn: computed once, and kept on disk for every epoch.

They are kept under a digest of all that they depend on: the graph and weights before the head,
how examples are prepared, and the examples.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

from zoo import atomic, dtypes, home, leases, output, pruning, quarantine, usage
from zoo.digests import file_digest
from zoo_finetune.contents import storable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np

    from zoo_finetune.nets import Net

_FOLDER = "features"
_EVERY = 1.0
"""Seconds between two lines on how far it is."""


def features(net: Net, batches: Iterable[Any], count: int, *told: object) -> np.ndarray:
    """Return the features of `count` examples, read from disk where they are known.

    Parameters
    ----------
    batches
        Batches of inputs, in the order of the examples; asked only where they are not known.
    told
        What the inputs depend on: the digest of the examples, how they are prepared.

    Returns
    -------
    np.ndarray
        Examples first, in the dtype of the net, float32 where numpy has none like it; a map of the
        file.
    """
    import numpy as np

    root, key = home.cache(), digest(net, *told)
    path = home.made(root / _FOLDER, root) / f"{key}.npy"
    home.mark(root)
    leases.hold(root, key, path)
    if not _is_sound(root, path):
        with atomic.replacing(path) as draft:
            _write(net, batches, count, draft)
            usage.note(root, key, sha256=file_digest(draft))
        pruning.keep_to_budget(root)
    usage.touch(root, key)
    found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return found


def _is_sound(root: Path, path: Path) -> bool:
    """Tell whether features are at `path` as they were written; others are set aside.

    They are read whole: that is little beside the training that begins with them. Where nobody
    knows how they were written they are computed anew.
    """
    if not path.is_file():
        return False
    written = usage.of(root, path.stem).sha256
    if written and file_digest(path) == written:
        return True
    quarantine.set_aside(root, path)
    return False


def digest(net: Net, *told: object) -> str:
    """Return a sha256 of all that features depend on."""
    from zoo.graph import by_name, upstream

    needed = upstream(by_name(net.model.graph), [net.head.features])
    mark = hashlib.sha256(json.dumps([str(one) for one in told]).encode())
    mark.update(f"{net.fed.tensor} {net.head.features}".encode())
    for node in net.model.graph.node:
        if node.name in needed:
            mark.update(node.SerializeToString(deterministic=True))
    mark.update(net.model.graph.library.SerializeToString(deterministic=True))
    for name in sorted(needed & set(net.model.weights)):
        mark.update(name.encode())
        _add(mark, net.model.weights.tensor(name))
    return mark.hexdigest()


def _add(mark: Any, tensor: Any) -> None:
    if tensor.dtype is dtypes.STRING:
        mark.update(repr(tensor.read().tolist()).encode())
        return
    for piece in tensor.chunks():
        mark.update(piece)


def _write(net: Net, batches: Iterable[Any], count: int, path: Path) -> None:
    """Compute the features of all batches, and write them to `path` as a .npy file."""
    import numpy as np

    backbone, kept, done, last = net.backbone(), None, 0, time.monotonic()
    for batch in batches:
        values = storable(np.asarray(backbone(batch)))
        if kept is None:
            shape = (count, *values.shape[1:])
            kept = np.lib.format.open_memmap(path, "w+", values.dtype, shape)
        kept[done : done + len(values)] = values
        done += len(values)
        if time.monotonic() - last > _EVERY:
            last = time.monotonic()
            output.progress(f"features of {done} of {count} examples")
    if kept is not None:
        kept.flush()
