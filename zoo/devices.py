"""Where the operations of a graph shall run: on one device, or wherever TensorFlow wants.

Source: ``tensorflow/core/util/device_name_utils.h``.
"""

from __future__ import annotations

import re

from zoo import protos
from zoo.errors import UsageError

_DEVICE = re.compile(
    r"(/job:[\w.]+)?(/replica:\d+)?(/task:\d+)?(/device:[A-Z_]+:(\d+|\*)|/(cpu|gpu):\d+)?",
    re.IGNORECASE,
)


def placed(meta_graph: protos.MetaGraphDef, device: str | None) -> protos.MetaGraphDef:
    """Return `meta_graph` with every operation on `device`, or on none in particular for None.

    Raises
    ------
    UsageError
        No device is called so.
    """
    if device is not None and not (device and _DEVICE.fullmatch(device)):
        raise UsageError(
            f"no device is called {device!r}", hint="as in /cpu:0, /gpu:1 or /device:GPU:1"
        )
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    edited.ClearField("object_graph_def")
    for node in edited.graph_def.node:
        node.device = device or ""
    for function in edited.graph_def.library.function:
        for node in function.node_def:
            node.device = device or ""
    return edited
