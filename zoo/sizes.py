"""Sizes that a caller computes, looked at before a kernel sees them that would end the process.

Three kernels of oneDNN make a shape of the sizes they are given without asking whether it is one;
other kernels say what is wrong.

Source: ``tensorflow/core/kernels/mkl/mkl_conv_grad_input_ops.cc``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from zoo.errors import RunError
from zoo.graph import source, tensor_name
from zoo.waiting import executed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np

    from zoo.protos import NodeDef

_UNCHECKED = {
    "Conv2DBackpropInput", "Conv3DBackpropInputV2", "DepthwiseConv2dNativeBackpropInput",
}  # fmt: skip
"""Operations whose first input is the shape of their output."""
_MOST = 1 << 62


def fed_sizes(
    nodes: Mapping[str, NodeDef], ran: Iterable[str], feeds: Iterable[str]
) -> dict[str, str]:
    """Return the tensors of sizes that depend on one of `feeds`, by the node that takes them.

    Parameters
    ----------
    ran
        The nodes that the call runs.
    feeds
        Tensors that are fed with whole numbers.
    """
    given = {tensor_name(name) for name in feeds}
    found = {}
    for name in ran:
        if given and nodes[name].op in _UNCHECKED and nodes[name].input:
            sizes = tensor_name(nodes[name].input[0])
            above = executed(nodes, [sizes], ())
            if any(source(feed) in above for feed in given):
                found[name] = sizes
    return found


def check(name: str, sizes: np.ndarray) -> None:
    """Refuse `sizes` for the node `name` if no tensor can have them.

    Raises
    ------
    RunError
        One is negative, or they are too many values.
    """
    told = [int(size) for size in sizes.reshape(-1)]
    if any(size < 0 for size in told) or math.prod(told) > _MOST:
        raise RunError(
            f"node {name!r} cannot put out a tensor of the sizes it is given",
            found=str(told),
            hint="they come of what is fed: whole numbers that are no sizes",
        )
