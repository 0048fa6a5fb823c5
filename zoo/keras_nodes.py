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
_RECURRENT = {"Bidirectional", "ConvLSTM2D", "GRU", "LSTM", "RNN", "SimpleRNN"}
_BESIDE = {"AddLoss", "AddMetric"}
"""Layers that compute what a training adds up, and pass nothing on."""
OPERATION_LAYERS = ("SlicingOpLambda", "TFOpLambda")
"""Layers that TensorFlow's Keras made of functions that were called on its tensors."""
OPERANDS, TENSOR = "operands", "tensor"
"""The setting that says what such a function is called with, and what stands for a tensor in it."""


def connected(settings: dict[str, Any]) -> None:
    """Rewrite the connections in the settings of a functional model of Keras 2, in place."""
    layers = [one for one in settings["layers"] if one.get("class_name") not in _BESIDE]
    settings["layers"] = layers
    for layer in layers:
        if _is_model(layer):
            _count_calls(layer, layers, settings)
    for layer in layers:
        nodes = layer.get("inbound_nodes")
        if isinstance(nodes, list):
            recurrent = layer.get("class_name") in _RECURRENT
            calls = [nodes] if nodes and all(map(_is_reference, nodes)) else nodes
            if layer.get("class_name") in OPERATION_LAYERS:
                layer["inbound_nodes"] = [_operation(layer["config"], one) for one in calls[:1]]
            else:
                layer["inbound_nodes"] = [_node(one, recurrent=recurrent) for one in calls]
    for key in _ENDS:
        ends = settings.get(key)
        if isinstance(ends, list) and len(ends) == 1 and _is_reference(ends[0]):
            settings[key] = ends[0]  # one tensor, where a list of one would be a list


def always_training(config: dict[str, Any]) -> Iterator[str]:
    """Yield the layers of a net that were called as in training, by a connected configuration."""
    layers = config["config"].get("layers", []) if isinstance(config.get("config"), dict) else []
    for layer in layers:
        nodes = layer.get("inbound_nodes")
        for node in nodes if isinstance(nodes, list) else ():
            if isinstance(node, dict) and node.get("kwargs", {}).get("training") is True:
                yield str(layer.get("name"))


def _count_calls(model: dict[str, Any], layers: list[Any], settings: dict[str, Any]) -> None:
    """Count the calls of a model inside of a model as today's Keras counts them.

    Keras 2 counted its making as the first, number 0.  Today's does so for the ends of the net
    around a functional model, and takes one off there; nowhere else.
    """
    name = model.get("name")
    calls = [r for r in _references([x.get("inbound_nodes") for x in layers]) if r[0] == name]
    ends = [r for r in _references([settings.get(key) for key in _ENDS]) if r[0] == name]
    first = min((reference[1] for reference in [*calls, *ends]), default=0)
    taken_off = model.get("class_name") != "Sequential"
    for reference in calls:
        reference[1] -= first
    for reference in ends:
        reference[1] += int(taken_off) - first


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


def _node(node: Any, *, recurrent: bool) -> Any:
    """Return one call as Keras 3 writes it; what is none of Keras 2 stays as it is."""
    if isinstance(node, dict) and "args" not in node:
        return {"args": [_argument(node)], "kwargs": {}}
    calls = [node] if _is_reference(node) else node
    if not isinstance(calls, list) or not calls or not all(map(_is_reference, calls)):
        return node
    arguments = calls[-1][_FIRST_REFERENCE] if len(calls[-1]) > _FIRST_REFERENCE else {}
    named = {key: _argument(value) for key, value in (arguments or {}).items()}
    given = [_tensor(call) for call in calls]
    if recurrent and len(given) > 1:
        return {"args": given[:1], "kwargs": {**named, "initial_state": given[1:]}}
    return {"args": [given[0] if len(given) == 1 else given], "kwargs": named}


def _operation(settings: dict[str, Any], node: Any) -> dict[str, Any]:
    """Return the call of a function, whose settings keep what stands where beside tensors.

    A layer of today takes tensors and other values apart, a function takes lists of both.
    """
    calls = [node] if _is_reference(node) else node
    arguments = calls[-1][_FIRST_REFERENCE] if len(calls[-1]) > _FIRST_REFERENCE else {}
    tensors: list[Any] = []
    operands = [_kept(call[:_FIRST_REFERENCE], tensors) for call in calls]
    settings[OPERANDS] = {
        "positional": operands,
        "named": {key: _kept(value, tensors) for key, value in (arguments or {}).items()},
    }
    return {"args": tensors, "kwargs": {}}


def _kept(value: Any, tensors: list[Any]) -> Any:
    """Return `value` with numbers for the tensors in it, which go to the end of `tensors`."""
    if _is_reference(value):
        if value[0] == _CONSTANT:
            return value[2]
        tensors.append(_tensor(value))
        return {TENSOR: len(tensors) - 1}
    if isinstance(value, list):
        return [_kept(inner, tensors) for inner in value]
    if isinstance(value, dict):
        return {key: _kept(inner, tensors) for key, inner in value.items()}
    return value


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
