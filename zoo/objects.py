"""The objects of a SavedModel of TensorFlow 2: which of its variables train, by checkpoint key.

The graph calls a variable by its handle, the objects call it by the path that leads to it from the
root; what joins the two is the key in the checkpoint, which is that path.

Source: ``tensorflow/python/checkpoint/graph_view.py``, ``util.py`` and
``tensorflow/python/trackable/trackable_utils.py``.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo import protos

_VALUE = ".ATTRIBUTES/VARIABLE_VALUE"
SLOT = "/.OPTIMIZER_SLOT/"
"""In the key of what an optimizer keeps for a variable."""


def trained_keys(objects: protos.SavedObjectGraph) -> dict[str, bool]:
    """Return, for the key of each variable of `objects`, whether it is trained."""
    return {
        "/".join((*path, _VALUE)): objects.nodes[number].variable.trainable
        for number, path in _paths(objects).items()
        if objects.nodes[number].HasField("variable")
    }


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
