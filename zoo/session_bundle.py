"""Signatures as exports of 2016 state them: in a collection, before there were SavedModels.

The collection holds one message of TensorFlow Serving, which no package ships any more; its fields
are few enough to be read off the wire.

Source: ``tensorflow/contrib/session_bundle/manifest.proto`` and ``bundle_shim.py`` of TensorFlow
1.0, whose rules for keys are followed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo import protos

_COLLECTION = "serving_signatures"
_DEFAULT, _NAMED = 1, 2
_REGRESSION, _CLASSIFICATION, _GENERIC = 1, 2, 3
_KEY, _VALUE = 1, 2
_SIDES = {
    _REGRESSION: ({1: "inputs"}, {2: "outputs"}),
    _CLASSIFICATION: ({1: "inputs"}, {2: "classes", 3: "scores"}),
}
Sides = tuple[dict[str, str], dict[str, str]]
"""Inputs and outputs: tensors by the names callers use."""


def stated(meta_graph: protos.MetaGraphDef, default: str) -> dict[str, Sides]:
    """Return the signatures that the collection states, by key; none where it is damaged.

    Parameters
    ----------
    default
        The key for the signature that has none.
    """
    if _COLLECTION not in meta_graph.collection_def:
        return {}
    found: dict[str, Sides] = {}
    named: dict[str, bytes] = {}
    try:
        for message in meta_graph.collection_def[_COLLECTION].any_list.value:
            for number, payload in _fields(message.value):
                if number == _DEFAULT:
                    found.update((default, sides) for sides in _sides(payload))
                elif number == _NAMED:
                    entry = dict(_fields(payload))
                    named[entry.get(_KEY, b"").decode()] = entry.get(_VALUE, b"")
        if {"inputs", "outputs"} <= set(named):
            found["predict" if found else default] = (
                _bindings(named["inputs"]),
                _bindings(named["outputs"]),
            )
    except (wire.Damaged, UnicodeDecodeError):
        return {}
    return found


def _sides(signature: bytes) -> Iterator[Sides]:
    for number, payload in _fields(signature):
        if number in _SIDES:
            tensors = {at: _tensor(inner) for at, inner in _fields(payload)}
            inputs, outputs = _SIDES[number]
            yield (
                {name: tensors[at] for at, name in inputs.items() if at in tensors},
                {name: tensors[at] for at, name in outputs.items() if at in tensors},
            )


def _bindings(signature: bytes) -> dict[str, str]:
    """Return the tensors of a generic signature, by name."""
    found = {}
    for number, generic in _fields(signature):
        for _, entry in _fields(generic) if number == _GENERIC else ():
            parts = dict(_fields(entry))
            found[parts.get(_KEY, b"").decode()] = _tensor(parts.get(_VALUE, b""))
    return found


def _tensor(binding: bytes) -> str:
    return dict(_fields(binding)).get(_KEY, b"").decode()


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    for field in wire.fields(data, 0, len(data)):
        if field.kind == wire.BYTES:
            yield field.number, data[field.start : field.end]
