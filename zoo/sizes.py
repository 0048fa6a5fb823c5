"""Sizes that come of what is fed, looked at before a kernel sees them that would end the process.

Three kernels of oneDNN make a shape of the sizes they are given without asking whether it is one,
and two of recurrent nets take as many steps as they are told; other kernels say what is wrong.

Source: ``tensorflow/core/kernels/mkl/mkl_conv_grad_input_ops.cc`` and ``rnn/lstm_ops.cc``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from zoo.errors import RunError
from zoo.graph import data_inputs, source, tensor_name
from zoo.waiting import executed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np

    from zoo.protos import NodeDef

_SHAPE = 1
"""Inputs to look at: the shape of the output."""
_STEPS = 2
"""Inputs to look at: the number of steps, and the values of which there is one for each step."""
_UNCHECKED = {
    "BlockLSTM": _STEPS,
    "BlockLSTMV2": _STEPS,
    "Conv2DBackpropInput": _SHAPE,
    "Conv3DBackpropInputV2": _SHAPE,
    "DepthwiseConv2dNativeBackpropInput": _SHAPE,
}
_MOST = 1 << 62


def fed_sizes(
    nodes: Mapping[str, NodeDef], ran: Iterable[str], feeds: Iterable[str]
) -> dict[str, list[str]]:
    """Return the tensors to look at whose sizes depend on `feeds`, by the node that takes them.

    Parameters
    ----------
    ran
        The nodes that the call runs.
    feeds
        Tensors that are fed with whole numbers.
    """
    given = {source(name) for name in feeds}
    found = {}
    for name in ran if given else ():
        edges = data_inputs(nodes[name])[: _UNCHECKED.get(nodes[name].op, 0)]
        if edges and given.intersection(executed(nodes, edges[:1], ())):
            found[name] = [tensor_name(edge) for edge in edges]
    return found


def check(name: str, values: Sequence[np.ndarray]) -> None:
    """Refuse the values of the tensors that `fed_sizes` gave for the node `name`.

    Raises
    ------
    RunError
        They are no sizes: negative, more than there can be, or more steps than there are values.
    """
    told = [int(size) for size in values[0].reshape(-1)]
    most = len(values[1]) if len(values) == _STEPS and values[1].ndim else _MOST
    if any(size < 0 for size in told) or math.prod(told) > most:
        raise RunError(
            f"node {name!r} cannot work with the sizes it is given",
            found=f"{told}" + (f", where there are {most}" if most != _MOST else ""),
            hint="they come of what is fed: whole numbers that are no sizes here",
        )
