"""Where the name of a file may come from, and what constants say of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.dtypes import STRING
from zoo.errors import FormatError
from zoo.tensor_protos import texts

if TYPE_CHECKING:
    from zoo import protos

CONSTANT, FED, ASSET, SAVER, COMPUTED = "constant", "fed", "asset", "saver", "computed"
MOST = 1000
"""Names of which one operation is asked."""
USUAL_NAME = re.compile(
    rb"(model)?(\.part|_temp(_[0-9a-f]+)?/part)?(-00000-of-00000)?|-00000-of-00000"
)
"""What a saver of TensorFlow 1 calls its file where nobody tells it."""
_ONE_OF_MANY = b"-00000-of-00000"
"""What an operation puts behind the name of a file of several."""
_ROOTED = re.compile(rb"\.?/|[a-zA-Z][\w+.-]*://")


@dataclass(frozen=True)
class Origin:
    """Where a name comes from: it stands in the graph, or is fed, or the loader gives it..."""

    kind: str
    value: bytes = b""


Origins = frozenset[Origin]
UNSURE: Origins = frozenset({Origin(COMPUTED)})


def constants(node: protos.NodeDef) -> Origins:
    """Return the texts that the constant `node` holds; none where it holds numbers."""
    stated = node.attr.get("value")
    tensor = stated.tensor if stated is not None and stated.HasField("tensor") else None
    if tensor is None or tensor.dtype != STRING.number:
        return frozenset() if tensor is not None else UNSURE
    if not tensor.string_val and not tensor.tensor_content:
        return UNSURE  # its value was left in the file
    if len(tensor.string_val) + len(tensor.tensor_content) // 4 > MOST * 100:
        return UNSURE
    try:
        return frozenset(Origin(CONSTANT, text) for text in texts(tensor))
    except FormatError:
        return UNSURE


def shared_name(node: protos.NodeDef) -> bytes:
    """Return by what name the variable of `node` is known to others in a session."""
    stated = node.attr["shared_name"].s if "shared_name" in node.attr else b""
    return stated or str(node.name).encode()


def one_of_many(origin: Origin) -> Origin:
    """Return where the name of one file of several comes from, whose beginning is `origin`."""
    return Origin(CONSTANT, origin.value + _ONE_OF_MANY) if origin.kind == CONSTANT else origin


def begun(value: bytes) -> Origin:
    """Return where a text comes from that begins with `value`, and goes on nobody knows how."""
    if _ROOTED.match(value):
        return Origin(CONSTANT, value)
    return Origin(COMPUTED)  # what follows may make it the address of another machine


def few(parts: list[Origins]) -> bool:
    """Tell whether the texts of `parts` can be put together in no more than `MOST` ways."""
    count = 1
    for part in parts:
        count *= len(part)
    return count <= MOST
