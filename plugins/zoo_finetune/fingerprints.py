"""What a model is made of, as digests: weight by weight, and as a whole."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from zoo import dtypes

if TYPE_CHECKING:
    from zoo.model import Model
    from zoo.tensors import Tensor


def of_weights(model: Model) -> dict[str, str]:
    """Return the sha256 of each weight of `model` by name: of its dtype, shape and bytes.

    Values are read chunk by chunk, little-endian, so that the digests are the same everywhere.
    """
    return {name: _digest(model.weights.tensor(name)) for name in sorted(model.weights)}


def of_model(model: Model) -> str:
    """Return the sha256 of the graph of `model` and all its weights.

    Signatures are left out: a registry gives a model other names without changing it.
    """
    digest = hashlib.sha256(model.graph.SerializeToString(deterministic=True))
    for name, one in of_weights(model).items():
        digest.update(f"\n{name}\0{one}".encode())
    return digest.hexdigest()


def _digest(tensor: Tensor) -> str:
    digest = hashlib.sha256(f"{tensor.dtype.name} {list(tensor.shape)}\n".encode())
    if tensor.dtype is dtypes.STRING:
        for text in tensor.read().flat:
            digest.update(f"{len(text)}:".encode() + bytes(text))
    else:
        piece: Any  # bytes, or an array, which hashlib takes as it is
        for piece in tensor.chunks():
            digest.update(piece)
    return digest.hexdigest()
