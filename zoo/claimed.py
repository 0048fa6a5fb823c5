"""The room that weights and constants claim together, before TensorFlow gives it to them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from zoo import budget, dtypes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zoo import protos
    from zoo.tensors import Tensor


def afford(nodes: Iterable[protos.NodeDef], weights: Mapping[str, Tensor], what: str) -> None:
    """Refuse to give the constants among `nodes`, and `weights`, all the room that they claim.

    Parameters
    ----------
    weights
        Tensors by name; a constant that is called as one of them has its value there.
    what
        What they are together, for the error.

    Raises
    ------
    LimitError
        They hold far less than they claim.
    """
    claimed = sum(tensor.nbytes for tensor in weights.values())
    held = sum(tensor.held for tensor in weights.values())
    for node in nodes:
        if node.op == "Const" and node.name not in weights:
            proto = node.attr["value"].tensor
            sizes = math.prod(dim.size for dim in proto.tensor_shape.dim)
            claimed += sizes * max(dtypes.dtype(proto.dtype).itemsize, 1)
            held += proto.ByteSize()
    budget.refuse(claimed, held, what)
