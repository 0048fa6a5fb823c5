"""What a message would take in memory, told from its bytes before it is parsed.

A node of two bytes becomes two kilobytes of objects: ten megabytes of them would take all there is.
Only fields are walked, and only of messages large enough to matter.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from zoo import budget, protos, wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NODE, _MESSAGE, _TEXT = 2048, 120, 64
"""Bytes that a node takes with all that is told of it, any other message, a text."""
_WORST = 60
"""Bytes that one byte of a message without nodes in it may become."""
_PACKED = 8
_HAVE_NODES = {"SavedModel", "MetaGraphDef", "GraphDef", "FunctionDefLibrary", "FunctionDef"}
_NODES_IN_TEXT = re.compile(r"\bnode(?:_def)?\s*:?\s*[{<]")


def refuse_swollen(data: Any, kind: str, path: Path, held: int = 0) -> None:
    """Refuse `data`, a message of TensorFlow's `kind`, if parsed it takes too much for its size.

    Parameters
    ----------
    path
        The file it is from, for errors.
    held
        Bytes of that file, where they are more than those of `data`.

    Raises
    ------
    LimitError
        It does.
    Damaged
        It is no message.
    """
    held = max(held, len(data))
    most = budget.most(held)
    if len(data) * (_NODE // 2) <= most:
        return
    whole = protos.message(f"tensorflow.{kind}").DESCRIPTOR
    for deep in (False, True):
        weight = _weight(data, whole, most, deep)
        if weight <= most:
            return
    raise budget.beyond(weight, held, f"{path}, once it is read,")


def fields(data: Any, path: Path) -> Iterator[wire.Field]:
    """Yield the fields of the message `data`, of which there are no more than may be nodes.

    Raises
    ------
    LimitError
        There are.
    Damaged
        It is no message.
    """
    most = budget.most(len(data)) // _NODE
    for count, field in enumerate(wire.fields(data, 0, len(data))):
        if count > most:
            raise budget.beyond(count * _NODE, len(data), f"{path}, once it is read,")
        yield field


def refuse_swollen_text(text: str, path: Path) -> None:
    """Refuse `text`, a message in text form, if parsed it takes too much for its size.

    Raises
    ------
    LimitError
        It does.
    """
    if len(text) * (_NODE // 6) > budget.most(len(text)):
        nodes = sum(1 for _ in _NODES_IN_TEXT.finditer(text))
        weight = nodes * _NODE + _MESSAGE * (text.count("{") + text.count("<"))
        budget.refuse(weight, len(text), f"{path}, once it is read,")


def _weight(data: Any, whole: Any, most: int, deep: bool) -> int:
    """Return about how many bytes `data` takes when it is parsed; no further than over `most`.

    Parameters
    ----------
    deep
        Whether messages that hold no nodes are walked, too; else the worst is thought of them.
    """
    total = len(data)
    todo = [(0, len(data), whole)]
    while todo and total <= most:
        start, end, kind = todo.pop()
        inner, texts = _fields(kind)
        for field in wire.fields(data, start, end):
            length = field.end - field.start
            child = inner.get(field.number) if field.kind == wire.BYTES else None
            if child is None:
                total += (_TEXT if field.number in texts else 0) + _PACKED
                total += 0 if field.number in texts or field.kind != wire.BYTES else length
                continue
            total += _NODE if child.name == "NodeDef" else _MESSAGE
            if deep or child.name in _HAVE_NODES:
                todo.append((field.start, field.end, child))
            else:
                total += _WORST * length
            if total > most:
                break
    return total


@functools.cache
def _fields(kind: Any) -> tuple[dict[int, Any], set[int]]:
    """Return the fields of the messages of `kind` that are messages, and those that are text."""
    inner = {f.number: f.message_type for f in kind.fields if f.message_type is not None}
    return inner, {f.number for f in kind.fields if f.type in (f.TYPE_STRING, f.TYPE_BYTES)}
