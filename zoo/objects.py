"""The objects of a SavedModel of TensorFlow 2: which of its variables train, by checkpoint key.

The graph calls a variable by its handle, the objects call it by the path that leads to it from the
root; what joins the two is the key in the checkpoint, which is that path.

Source: ``tensorflow/python/checkpoint/graph_view.py``, ``util.py`` and
``tensorflow/python/trackable/trackable_utils.py``.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from zoo import wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo import protos

_VALUE = ".ATTRIBUTES/VARIABLE_VALUE"
_NODES, _ATTRIBUTES, _FULL_NAME, _KEY = 1, 2, 2, 3
"""Numbers of fields in ``trackable_object_graph.proto``."""
LEFT_OUT = "left out the object graph, which describes TensorFlow 2's Python objects"
"""What is said where the objects cannot stay."""
SLOT = "/.OPTIMIZER_SLOT/"
"""In the key of what an optimizer keeps for a variable."""


def trained_keys(objects: protos.SavedObjectGraph) -> dict[str, bool]:
    """Return, for the key of each variable of `objects`, whether it is trained."""
    return {
        "/".join((*path, _VALUE)): objects.nodes[number].variable.trainable
        for number, path in _paths(objects).items()
        if objects.nodes[number].HasField("variable")
    }


def function_names(objects: protos.SavedObjectGraph) -> list[str]:
    """Return the names of the functions that the object at the root of `objects` has."""
    root = objects.nodes[0].children if objects.nodes else ()
    found = [one for one in root if objects.nodes[one.node_id].HasField("function")]
    return sorted(one.local_name for one in found)


def stored_names(graph: bytes) -> dict[str, str]:
    """Return the key of each variable by its full name, as a checkpoint describes itself.

    Parameters
    ----------
    graph
        A serialized ``TrackableObjectGraph``, which a checkpoint keeps beside its tensors.
    """
    found: dict[str, str] = {}
    try:
        for node in _fields(graph, _NODES):
            for attribute in _fields(node, _ATTRIBUTES):
                names = [b"".join([*_fields(attribute, n)][:1]) for n in (_FULL_NAME, _KEY)]
                full_name, key = (name.decode() for name in names)
                if full_name and key:
                    found.setdefault(full_name, key)
    except (wire.Damaged, UnicodeDecodeError):
        return {}
    return found


def _fields(data: bytes, number: int) -> Iterator[bytes]:
    for field in wire.fields(data, 0, len(data)):
        if field.number == number and field.kind == wire.BYTES:
            yield data[field.start : field.end]


def _paths(objects: protos.SavedObjectGraph) -> dict[int, tuple[str, ...]]:
    """Return the shortest path from the root to each object, the first of several."""
    if not objects.nodes:
        return {}
    found: dict[int, tuple[str, ...]] = {0: ()}
    todo = deque([0])
    while todo:
        number = todo.popleft()
        for child in objects.nodes[number].children:
            if child.node_id not in found and 0 <= child.node_id < len(objects.nodes):
                found[child.node_id] = (*found[number], _escaped(child.local_name))
                todo.append(child.node_id)
    return found


def _escaped(name: str) -> str:
    return name.replace(".", "..").replace("/", ".S")
