"""How the layers of a net are connected: the lists of Keras 2 in the words of Keras 3.

Keras 2 wrote a call as a list of ``[layer, node, tensor, arguments]``, and tensors among the
arguments in the same way, which Keras 3 no longer finds there.  A model inside of a model had a
first node of its own, which today's does not have.

Source: ``tensorflow/python/keras/engine/functional.py``, ``keras/src/models/functional.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONSTANT = "_CONSTANT_VALUE"
_ENDS = ("input_layers", "output_layers")
_FIRST_REFERENCE = 3


def connected(settings: dict[str, Any]) -> None:
    """Rewrite the connections in the settings of a functional model of Keras 2, in place."""
    layers = [layer for layer in settings["layers"] if isinstance(layer, dict)]
    models = {layer.get("name") for layer in layers if _is_model(layer)}
    references = [*_references([layer.get("inbound_nodes") for layer in layers])]
    references += _references([settings.get(key) for key in _ENDS])
    for name in models:
        own = [reference for reference in references if reference[0] == name]
        if own and min(reference[1] for reference in own) == 1:
            for reference in own:
                reference[1] -= 1
    for layer in layers:
        nodes = layer.get("inbound_nodes")
        if isinstance(nodes, list):
            layer["inbound_nodes"] = [_node(one) for one in nodes]


def _is_model(layer: dict[str, Any]) -> bool:
    settings = layer.get("config")
    return isinstance(settings, list) or (isinstance(settings, dict) and "layers" in settings)


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= _FIRST_REFERENCE
        and isinstance(value[0], str)
        and type(value[1]) is int
        and (value[0] == _CONSTANT or type(value[2]) is int)
    )


def _references(value: Any) -> Iterator[list[Any]]:
    """Yield the lists in `value` that stand for tensors."""
    if _is_reference(value):
        yield value
    if isinstance(value, dict):
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from _references(inner)


def _node(node: Any) -> Any:
    """Return one call as Keras 3 writes it; what is no list of Keras 2 stays as it is."""
    calls = [node] if _is_reference(node) else node
    if not isinstance(calls, list) or not calls or not all(map(_is_reference, calls)):
        return node
    arguments = calls[-1][_FIRST_REFERENCE] if len(calls[-1]) > _FIRST_REFERENCE else {}
    given = [_tensor(call) for call in calls]
    return {
        "args": [given[0] if len(given) == 1 else given],
        "kwargs": {key: _argument(value) for key, value in (arguments or {}).items()},
    }


def _argument(value: Any) -> Any:
    if _is_reference(value):
        return _tensor(value)
    if isinstance(value, list):
        return [_argument(inner) for inner in value]
    if isinstance(value, dict):
        return {key: _argument(inner) for key, inner in value.items()}
    return value


def _tensor(reference: list[Any]) -> Any:
    if reference[0] == _CONSTANT:
        return reference[2]
    history = {"keras_history": reference[:_FIRST_REFERENCE], "shape": [], "dtype": "float32"}
    return {"class_name": "__keras_tensor__", "config": history}
