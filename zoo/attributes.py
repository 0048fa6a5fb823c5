"""Attributes and constants of nodes: compared as bytes, and told to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo import protos
    from zoo.tensors import Tensor

ABSENT = "nothing"
"""What is told of an attribute, or of a node, that is not there."""
_SHOWN = 8
"""Elements of a constant that are shown one by one."""


def called(value: protos.AttrValue) -> list[str]:
    """Return the functions that an attribute names."""
    listed = value.list.func if value.HasField("list") else []
    return [value.func.name] if value.HasField("func") else [one.name for one in listed]


def plain(value: protos.AttrValue | None) -> bytes:
    """Return an attribute as bytes, which do not depend on what functions are called."""
    if value is None:
        return b""
    if called(value):
        return b"function" * len(called(value))
    found: bytes = value.SerializeToString(deterministic=True)
    return found


def text(value: protos.AttrValue | None) -> str:
    """Return an attribute as people read it."""
    if value is None:
        return ABSENT
    kind = value.WhichOneof("value")
    if kind == "s":
        return _decoded(value.s)
    if kind == "list":
        items = [item for _, some in value.list.ListFields() for item in some]
        return "[" + ", ".join(map(_decoded, items)) + "]"
    if kind in ("i", "f", "b", "placeholder"):
        return str(getattr(value, kind))
    return " ".join(str(value).split())


def brief(tensor: Tensor) -> str:
    """Return the dtype and shape of `tensor`, and its values if they are few."""
    head = f"{tensor.dtype} {list(tensor.shape)}"
    return head if tensor.size > _SHOWN else f"{head} {tensor.read().tolist()}"


def _decoded(item: object) -> str:
    return item.decode(errors="replace") if isinstance(item, bytes) else str(item)
