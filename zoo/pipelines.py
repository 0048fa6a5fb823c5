"""Where a training graph gets its inputs from when nobody feeds it: queues, readers, iterators.

A caller feeds the tensor that such an operation gives, in its place.

Source: ``tensorflow/core/ops/data_flow_ops.cc``, ``dataset_ops.cc`` and ``io_ops.cc``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.graph import source, tensor_name
from zoo.specs import TensorSpec, output_dtypes, sizes_of, spec_of
from zoo.tensor_protos import from_proto
from zoo.tensors import FilledTensor

if TYPE_CHECKING:
    from zoo import protos
    from zoo.specs import Sizes
    from zoo.view import View

_ITERATORS = {"IteratorGetNext", "IteratorGetNextSync"}
_ONE_BY_ONE = {"QueueDequeue", "QueueDequeueV2"}
_BATCHES = {
    "QueueDequeueMany",
    "QueueDequeueManyV2",
    "QueueDequeueUpTo",
    "QueueDequeueUpToV2",
}
_READERS = {"ReaderRead", "ReaderReadV2", "ReaderReadUpTo", "ReaderReadUpToV2"}
GIVERS = _ITERATORS | _ONE_BY_ONE | _BATCHES | _READERS
"""The operations that give a graph its inputs."""


def given(view: View, name: str, number: int) -> TensorSpec:
    """Return what is known of output `number` of the node `name`, one of the `GIVERS`."""
    tensor = f"{name}:{number}"
    stated = spec_of(view.graph, tensor, view.nodes)
    if stated.shape is not None:
        return stated
    dtype = output_dtypes(view.graph, view.nodes[name])[number]
    return TensorSpec(tensor_name(tensor), dtype, _shape(view, name, number))


def why(view: View, name: str) -> str:
    """Return one clause on what the node `name` takes its values from."""
    kind = view.ops[name]
    if kind in _ITERATORS:
        return "an iterator gives it; feed a value in its place"
    if kind in _READERS:
        return "a reader of files gives it; feed a value in its place"
    return f"the queue {_origin(view, name)} gives it; feed a value in its place"


def _origin(view: View, name: str) -> str:
    """Return the queue or iterator behind the node `name`."""
    origin = source(view.inputs[name][0]) if view.inputs[name] else name
    seen = {name}
    while view.ops.get(origin) == "Identity" and origin not in seen:
        seen.add(origin)
        origin = source(view.inputs[origin][0]) if view.inputs[origin] else origin
    return origin


def _shape(view: View, name: str, number: int) -> Sizes:
    if view.ops[name] in _ITERATORS:
        return _listed(view.nodes[name], "output_shapes", number)
    queue = view.nodes.get(_origin(view, name))
    inner = None if queue is None else _listed(queue, "shapes", number)
    if inner is None or view.ops[name] in _READERS:
        return None
    return inner if view.ops[name] in _ONE_BY_ONE else (_batch(view, name), *inner)


def _listed(node: protos.NodeDef, attribute: str, number: int) -> Sizes:
    shapes = node.attr[attribute].list.shape if attribute in node.attr else ()
    if number >= len(shapes) or shapes[number].unknown_rank:
        return None
    return sizes_of(shapes[number])


def _batch(view: View, name: str) -> int | None:
    """Return how many elements a batch has, None where the graph leaves it open."""
    if "UpTo" in view.ops[name] or len(view.inputs[name]) < 2:
        return None
    node = view.nodes.get(source(view.inputs[name][1]))
    if node is None or node.op != "Const":
        return None
    value = from_proto(node.attr["value"].tensor)
    return int.from_bytes(value.element, "little") if isinstance(value, FilledTensor) else None
