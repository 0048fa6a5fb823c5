"""Names of layers that today's Keras or TensorFlow does not take, and others in their places.

TensorFlow makes scopes of them, in which only some characters may stand; Keras 3 reads a slash as
the end of a layer's name.

Source: ``_VALID_SCOPE_NAME_REGEX`` in ``tensorflow/python/framework/ops.py``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from zoo.graph import unique

if TYPE_CHECKING:
    from collections.abc import Iterator

_STRANGE = re.compile(r"[^A-Za-z0-9_.\-]")
_REFERENCE = 3


def tidied(config: dict[str, Any]) -> dict[str, str]:
    """Give layers names that can stand, in place; return what became of which name."""
    names = [*dict.fromkeys(_names(config))]
    taken = {name for name in names if not _is_strange(name)}
    new = {name: unique(_tidy(name), taken) for name in names if _is_strange(name)}
    if new:
        _rename(config, new)
    return new


def _is_strange(name: str) -> bool:
    return _tidy(name) != name


def _tidy(name: str) -> str:
    plain = _STRANGE.sub("_", name)
    return plain if plain[:1].isalnum() or plain[:1] == "." else f"layer{plain}"


def _names(value: Any) -> Iterator[str]:
    """Yield the names of all layers in a configuration."""
    if isinstance(value, dict):
        settings = value.get("config")
        if "class_name" in value and isinstance(settings, dict):
            name = value.get("name") or settings.get("name")
            if isinstance(name, str):
                yield name
    for inner in _inside(value):
        yield from _names(inner)


def _rename(value: Any, new: dict[str, str]) -> None:
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        value["name"] = new.get(value["name"], value["name"])
    if _is_reference(value):
        value[0] = new.get(value[0], value[0])
    for inner in _inside(value):
        _rename(inner, new)


def _is_reference(value: Any) -> bool:
    """Tell whether `value` stands for a tensor: a layer's name, a call's number, an output's."""
    if not isinstance(value, list) or len(value) < _REFERENCE:
        return False
    return isinstance(value[0], str) and type(value[1]) is int


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
