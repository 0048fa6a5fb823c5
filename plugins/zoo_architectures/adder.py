"""The toy adder of the tutorials on saving and restoring: two placeholders and one weight."""

from __future__ import annotations

import struct

from zoo import dtypes, protos
from zoo.listed import ALL, TRAINABLE
from zoo.model import Model
from zoo.nodes import Dims, node, placeholder
from zoo.tensors import FilledTensor
from zoo.weights import Weights

_FLOAT = dtypes.named("float32")
_BIAS = FilledTensor(struct.pack("<f", 2.0), _FLOAT, ())
_PRODUCER = 27
"""The version of graphs that TensorFlow 1.13 made."""


def toy_adder() -> Model:
    """Return ``(w1 + w2) * bias``, as the tutorials build it.

    The placeholders ``w1:0`` and ``w2:0`` take float32 of any one shape, and ``op_to_restore:0``
    has that shape too; the one weight ``bias`` is a reference variable, 2.0 at first.
    """
    meta_graph = protos.MetaGraphDef()
    meta_graph.graph_def.versions.producer = _PRODUCER
    meta_graph.graph_def.node.extend(
        [
            placeholder("w1", _FLOAT),
            placeholder("w2", _FLOAT),
            node("bias/initial_value", "Const", dtype=_FLOAT, value=_BIAS),
            node("bias", "VariableV2", dtype=_FLOAT, shape=Dims([])),
            node("bias/Assign", "Assign", ["bias", "bias/initial_value"], T=_FLOAT),
            node("bias/read", "Identity", ["bias"], T=_FLOAT),
            node("Add", "Add", ["w1", "w2"], T=_FLOAT),
            node("op_to_restore", "Mul", ["Add", "bias/read"], T=_FLOAT),
        ]
    )
    entry = protos.VariableDef(
        variable_name="bias:0",
        initial_value_name="bias/initial_value:0",
        initializer_name="bias/Assign",
        snapshot_name="bias/read:0",
        trainable=True,
    )
    for collection in (ALL, TRAINABLE):
        values = meta_graph.collection_def[collection].bytes_list.value
        values.append(entry.SerializeToString())
    return Model(meta_graph, Weights({"bias": _BIAS}))
