"""What a graph notes down of another time and machine, and TensorFlow refuses today.

None of it changes what is computed: devices, shapes that were inferred once, neighbours that are
gone, attributes that an operation no longer or not yet has.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from zoo import protos
from zoo.errors import some
from zoo.graph import COLOCATED, colocate_within, forget_output_shapes
from zoo.registered import registered
from zoo.repairs import Repaired
from zoo.specs import sizes_of
from zoo.tensor_protos import shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Nodes = Iterable[protos.NodeDef]

_ELSEWHERE = re.compile(r"GPU|gpu|TPU|job:(?!localhost)")
_NOTED = "_output_shapes"
_STATES_SHAPE = ("Placeholder", "PlaceholderV2", "Variable", "VariableV2")
_GRADIENTS = ("FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3")
_NO_MORE = (3, 4)
"""Outputs of these that are empty today, where older releases noted them as long as the others."""


def is_elsewhere(device: str) -> bool:
    """Tell whether `device` is one that not every machine has.

    >>> is_elsewhere("/job:ps/task:0"), is_elsewhere("/device:GPU:0"), is_elsewhere("/cpu:0")
    (True, True, False)
    """
    return _ELSEWHERE.search(device) is not None


def without_devices(meta_graph: protos.MetaGraphDef) -> Repaired:
    """Return the graph with no operation on a GPU, a TPU or a part of a cluster."""
    found = Counter(n.device for n in _all_nodes(meta_graph) if is_elsewhere(n.device))
    if not found:
        return Repaired(meta_graph)

    def free(node: protos.NodeDef) -> None:
        """Leave to TensorFlow where `node` runs."""
        if is_elsewhere(node.device):
            node.device = ""

    asked = some(f"{device} ({count})" for device, count in sorted(found.items()))
    return Repaired(_edited(meta_graph, free), f"freed operations that asked for {asked}")


def without_shapes(meta_graph: protos.MetaGraphDef) -> Repaired:
    """Return the graph without noted shapes, if one of them is wrong."""
    stale = stale_shapes(meta_graph.graph_def.node)
    if not stale:
        return Repaired(meta_graph)

    def forget(node: protos.NodeDef) -> None:
        """Leave the shapes of its outputs to TensorFlow."""
        forget_output_shapes([node])

    said = f"left out the noted shapes of all operations: wrong for {some(stale, 3)}"
    return Repaired(_edited(meta_graph, forget), said)


def without_strange_neighbours(meta_graph: protos.MetaGraphDef) -> Repaired:
    """Return the graph with no operation that wants to stand beside one that is not there.

    In functions that is no fault: the other may be an argument.
    """
    names = {node.name for node in meta_graph.graph_def.node}
    told = {text for node in meta_graph.graph_def.node for text in _neighbours(node)}
    gone = sorted({text.removeprefix(COLOCATED) for text in told} - names)
    if not gone:
        return Repaired(meta_graph)
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    for node in edited.graph_def.node:
        colocate_within(node, names)
    said = f"freed operations of places beside what is not there: {some(gone, 3)}"
    return Repaired(edited, said)


def without_unknown_attributes(meta_graph: protos.MetaGraphDef) -> Repaired:
    """Return the graph without attributes that the installed TensorFlow does not know."""
    found = Counter((n.op, key) for n in _all_nodes(meta_graph) for key in unknown_attributes(n))
    if not found:
        return Repaired(meta_graph)

    def strip(node: protos.NodeDef) -> None:
        """Leave out what TensorFlow would refuse `node` for."""
        for key in unknown_attributes(node):
            del node.attr[key]

    told = some(f"{key} of {op} ({count})" for (op, key), count in sorted(found.items()))
    said = f"left out attributes that this TensorFlow does not know: {told}"
    return Repaired(_edited(meta_graph, strip), said)


def unknown_attributes(node: protos.NodeDef) -> list[str]:
    """Return the attributes of `node` that its operation does not have in this TensorFlow."""
    own = [key for key in node.attr if not key.startswith("_")]
    known = registered(node.op) if own else None
    return [] if known is None else sorted(key for key in own if key not in known.attributes)


def stale_shapes(nodes: Nodes) -> list[str]:
    """Return those of `nodes` whose noted output shapes are not what TensorFlow infers today.

    Looked at are nodes that say their shape themselves, and gradients that changed.
    """
    return [node.name for node in nodes if _NOTED in node.attr and _is_stale(node)]


def _is_stale(node: protos.NodeDef) -> bool:
    noted = node.attr[_NOTED].list.shape
    if node.op in _GRADIENTS:
        return any(at < len(noted) and [d.size for d in noted[at].dim] != [0] for at in _NO_MORE)
    if node.op == "Const" and noted and "value" in node.attr:
        return _contradict(noted[0], shape_of(node.attr["value"].tensor.tensor_shape))
    if node.op in _STATES_SHAPE and noted and "shape" in node.attr:
        stated = node.attr["shape"].shape
        scalar = not stated.dim  # which old releases wrote for any shape
        return not (stated.unknown_rank or scalar) and _contradict(noted[0], sizes_of(stated))
    return False


def _contradict(noted: protos.TensorShapeProto, stated: Iterable[int | None]) -> bool:
    """Tell whether two shapes cannot both be true."""
    if noted.unknown_rank:
        return False
    sizes, others = sizes_of(noted), list(stated)
    pairs = zip(sizes, others, strict=False)
    return len(sizes) != len(others) or any(None not in p and p[0] != p[1] for p in pairs)


def _neighbours(node: protos.NodeDef) -> Iterator[str]:
    if "_class" in node.attr:
        texts = (item.decode("utf-8", "replace") for item in node.attr["_class"].list.s)
        yield from (text for text in texts if text.startswith(COLOCATED))


def _bodies(meta_graph: protos.MetaGraphDef) -> list[Nodes]:
    return [function.node_def for function in meta_graph.graph_def.library.function]


def _all_nodes(meta_graph: protos.MetaGraphDef) -> Iterator[protos.NodeDef]:
    for nodes in (meta_graph.graph_def.node, *_bodies(meta_graph)):
        yield from nodes


def _edited(
    meta_graph: protos.MetaGraphDef, edit: Callable[[protos.NodeDef], None]
) -> protos.MetaGraphDef:
    """Return a copy of `meta_graph` after `edit` of each node, those of functions too."""
    made = protos.MetaGraphDef()
    made.CopyFrom(meta_graph)
    for node in _all_nodes(made):
        edit(node)
    return made
