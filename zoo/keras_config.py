"""What a Keras configuration says of a net: its layers, its ends, its head.

The configuration is JSON and is only read: no layer is built, no function in it is called.  Its
form changed over the years: a list of layers (Keras up to 2.2.2), a mapping, nested models, and
the tensors of Keras 3 in the place of names.

Source: ``keras/src/legacy/saving/legacy_h5_format.py``, ``keras/src/saving/saving_lib.py``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_INPUT = "InputLayer"
_FORMS = {"Activation", "Dropout", "Flatten", "Reshape", "Softmax"}
_HEADS = {"Dense": "units"}
_SAME_AXES = {"Activation", "BatchNormalization", "Dense", "Dropout", "LayerNormalization", "ReLU"}
_ROW = 2
_DEEPEST = 50


@dataclass(frozen=True)
class Layer:
    """One layer: its name, its class, its settings, and the layers whose values it takes."""

    name: str
    kind: str
    settings: dict[str, Any]
    takes: tuple[str, ...]


@dataclass(frozen=True)
class Input:
    """An input: its name, and its dtype and shape where these are stated."""

    name: str
    dtype: str | None
    shape: list[int | None] | None


@dataclass(frozen=True)
class Net:
    """A net as its configuration tells it."""

    config: dict[str, Any]

    @property
    def kind(self) -> str:
        """Return ``"Sequential"``, ``"Functional"`` or the class of the author's own."""
        return str(self.config.get("class_name", "model"))

    @cached_property
    def layers(self) -> list[Layer]:
        """The layers on the top level, in their order."""
        found: list[Layer] = []
        before: tuple[str, ...] = ()
        for entry in _listed(self.config):
            layer = _layer(entry)
            if self.kind == "Sequential":
                layer = Layer(layer.name, layer.kind, layer.settings, before)
                before = (layer.name,)
            found.append(layer)
        return found

    @property
    def kinds(self) -> dict[str, int]:
        """Return how many layers of each class there are, nested ones too."""
        return dict(sorted(Counter(layer.kind for layer in every_layer(self.config)).items()))

    def inputs(self) -> list[Input]:
        """Return the inputs in the order in which the net takes them."""
        stated = {layer.name: layer for layer in self.layers if layer.kind == _INPUT}
        if not stated and self.layers:
            first = self.layers[0]
            return [_input(f"{first.name}_input", first)] if _shape(first) else []
        order = [*_histories(_settings(self.config).get("input_layers", []))]
        names = order if set(order) == set(stated) else [*stated]
        return [_input(name, stated[name]) for name in names]

    def outputs(self) -> list[str]:
        """Return the names of the layers that give outputs."""
        settings = _settings(self.config)
        named = [*_histories(settings.get("output_layers", []))]
        last = [layer.name for layer in self.layers[-1:] if layer.kind != _INPUT]
        return [name for name in named or last if name]

    def head(self) -> tuple[str, str, int] | None:
        """Return the layer before the head, the head and its width; None where nobody can tell."""
        outputs = self.outputs()
        known = {layer.name: layer for layer in self.layers}
        layer = known.get(outputs[0]) if len(outputs) == 1 else None
        for _ in self.layers:
            if layer is None or layer.kind not in _FORMS or len(layer.takes) != 1:
                break
            layer = known.get(layer.takes[0])
        width = layer.settings.get(_HEADS[layer.kind]) if layer and layer.kind in _HEADS else None
        takes = layer.takes if layer else ()
        before = [*takes, *(one.name for one in self.inputs())]
        if layer is None or not before or len(takes) > 1 or not isinstance(width, int):
            return None
        return before[0], layer.name, width

    def width(self, name: str) -> int | None:
        """Return how many numbers the layer `name` gives for one example.

        None if unknown: where there may be other axes, as of time or place.
        """
        known = {layer.name: layer for layer in self.layers}
        layer = known.get(name)
        if layer is None or layer.kind != "Dense" or not self._is_flat(layer, known):
            return None
        width = layer.settings.get("units")
        return width if isinstance(width, int) else None

    def _is_flat(self, layer: Layer, known: dict[str, Layer]) -> bool:
        """Tell whether `layer` takes one row of numbers for each example."""
        for _ in self.layers:
            first = not layer.takes or layer.takes[0] not in known
            before = layer if first else known[layer.takes[0]]
            if first or before.kind == _INPUT:
                shape = _shape(before)
                return shape is not None and len(shape) == _ROW
            if before.kind == "Flatten" or before.kind.startswith("Global"):
                return True
            if before.kind not in _SAME_AXES:
                return False
            layer = before
        return False

    def place(self, name: str) -> int:
        """Return which of the layers of its class the layer `name` is, from 0."""
        kinds = {layer.name: layer.kind for layer in self.layers}
        same = [layer.name for layer in self.layers if layer.kind == kinds.get(name)]
        return same.index(name) if name in same else 0


def holds_code(layer: Layer) -> bool:
    """Tell whether `layer` is a ``Lambda`` of code, not of a function that Keras knows by name."""
    if layer.kind != "Lambda":
        return False
    function = layer.settings.get("function")
    if isinstance(function, dict):
        return function.get("class_name") == "__lambda__"
    return not (isinstance(function, str) and function.replace(".", "_").isidentifier())


def every_layer(config: Any, depth: int = 0) -> Iterator[Layer]:
    """Yield the layers of a configuration, those of models inside of models too."""
    for entry in _listed(config) if depth < _DEEPEST else ():
        layer = _layer(entry)
        inner = _listed(entry)
        if inner:
            yield from every_layer(entry, depth + 1)
        else:
            yield layer
        wrapped = layer.settings.get("layer")
        if isinstance(wrapped, dict):
            yield _layer(wrapped)


def _settings(config: Any) -> dict[str, Any]:
    inner = config.get("config") if isinstance(config, dict) else None
    return inner if isinstance(inner, dict) else {}


def _listed(config: Any) -> list[Any]:
    inner = config.get("config") if isinstance(config, dict) else None
    layers = inner if isinstance(inner, list) else _settings(config).get("layers")
    if not isinstance(layers, list):
        return []
    return [entry for entry in layers if isinstance(entry, dict)]


def _layer(entry: dict[str, Any]) -> Layer:
    settings = _settings(entry)
    name = entry.get("name") or settings.get("name") or ""
    takes = tuple(dict.fromkeys(_histories(entry.get("inbound_nodes", []))))
    return Layer(str(name), str(entry.get("class_name", "")), settings, takes)


def _histories(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the names of layers in what says where tensors come from, in all its forms."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        history = value.get("keras_history")
        if isinstance(history, list) and history and isinstance(history[0], str):
            yield history[0]
        else:
            for inner in value.values():
                yield from _histories(inner, depth + 1)
    elif isinstance(value, list):
        if len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int):
            yield value[0]
        else:
            for inner in value:
                yield from _histories(inner, depth + 1)


def _input(name: str, layer: Layer) -> Input:
    dtype = layer.settings.get("dtype")
    return Input(name, dtype if isinstance(dtype, str) else None, _shape(layer))


def _shape(layer: Layer) -> list[int | None] | None:
    stated = layer.settings.get("batch_shape") or layer.settings.get("batch_input_shape")
    if not isinstance(stated, list):
        return None
    return [size if isinstance(size, int) else None for size in stated]
