"""A graph as today's TensorFlow will import it, the model itself left as it is.

Old files carry hints that TensorFlow later came to check and refuses: shapes it would infer
otherwise, version strings nobody parses, devices of a cluster that is gone.  None of them changes
what is computed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zoo import protos
from zoo.graph import waits
from zoo.nodes import Dims, Size, shape
from zoo.nodes import node as make_node
from zoo.tensor_protos import to_proto
from zoo.variables import is_variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zoo.tensors import Tensor
    from zoo.weights import Weights

_NUMBERS = re.compile(r"\d+(\.\d+)*")
_CLUSTER = re.compile(r"/(job|replica|task):[^/]*")
_HINTS = ("_output_shapes",)


def importable(
    meta_graph: protos.MetaGraphDef,
    weights: Weights,
    ranks: Mapping[str, Sequence[Size]] | None = None,
) -> protos.MetaGraphDef:
    """Return a copy of `meta_graph` to import into a session that is then given `weights`.

    Parameters
    ----------
    weights
        Constants among these become reference variables, to be assigned after the import; those
        that belong to a loop or a branch are given their values.
    ranks
        Sizes to write into placeholders, by node name.
    """
    prepared = protos.MetaGraphDef()
    prepared.CopyFrom(meta_graph)
    version = prepared.meta_info_def.tensorflow_version
    prepared.meta_info_def.tensorflow_version = parsable(version)
    del prepared.graph_def.node[:]
    for node in meta_graph.graph_def.node:
        made = prepared.graph_def.node.add()
        made.CopyFrom(node)
        _prepare(made, weights)
        if ranks and node.name in ranks:
            made.attr["shape"].shape.CopyFrom(shape(ranks[node.name]))
    return prepared


def parsable(version: str) -> str:
    """Return `version` if TensorFlow can parse it, else the part in front that it can.

    >>> parsable("0.12.head"), parsable("2.0.0-beta1"), parsable("")
    ('0.12', '2.0.0-beta1', '')
    """
    from packaging.version import InvalidVersion, Version

    try:
        Version(version)
    except InvalidVersion:
        numbers = _NUMBERS.match(version)
        return numbers[0] if numbers else ""
    return version


def without_hints(nodes: Iterable[protos.NodeDef]) -> None:
    """Take out of `nodes` what was noted for another time or machine: shapes, a cluster's parts."""
    for node in nodes:
        for hint in _HINTS:
            if hint in node.attr:
                del node.attr[hint]
        node.device = _CLUSTER.sub("", node.device)


def _prepare(node: protos.NodeDef, weights: Weights) -> None:
    without_hints([node])
    if node.op == "Const" and node.name in weights:
        tensor = weights.tensor(node.name)
        if waits(node):
            node.attr["value"].tensor.CopyFrom(to_proto(tensor))
        else:
            node.CopyFrom(_reference(node, tensor))
    elif is_variable(node) and "shared_name" in node.attr and not node.attr["shared_name"].s:
        node.attr["shared_name"].s = node.name.encode()


def _reference(node: protos.NodeDef, tensor: Tensor) -> protos.NodeDef:
    return make_node(
        node.name,
        "VariableV2",
        device=node.device,
        dtype=tensor.dtype,
        shape=Dims(tensor.shape),
        container="",
        shared_name="",
    )
