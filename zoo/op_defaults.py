"""The values that attributes have where a node does not state them, from a table.

A writer may leave out what is the default, and an older one did not know some attributes at all.
The table ``op_defaults.txt`` is written from TensorFlow's own registry by
``tests/golden/make_op_defaults.py``.
"""

from __future__ import annotations

import functools
from importlib.resources import files

from zoo import protos


def default(op: str, attribute: str) -> protos.AttrValue | None:
    """Return the value of an `attribute` that a node of the operation `op` does not state.

    None where it has to be stated, or nobody knows the operation.
    """
    return _of(op).get(attribute)


@functools.cache
def _of(op: str) -> dict[str, protos.AttrValue]:
    pairs = (word.partition("=") for word in _lines().get(op, "").split()[1:])
    return {name: protos.AttrValue.FromString(bytes.fromhex(value)) for name, _, value in pairs}


@functools.cache
def _lines() -> dict[str, str]:
    text = files("zoo").joinpath("op_defaults.txt").read_text(encoding="utf-8")
    return {line.partition(" ")[0]: line for line in text.splitlines()}
