"""What the configuration of an older Keras says, in the words of today's.

Keras 3 refuses arguments that a layer no longer takes, and reads some that older releases left out
as something else.  A configuration is JSON; mending it runs nothing.

Source: ``keras/src/legacy/saving/saving_utils.py``, and the ``get_config`` of each release.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from zoo.errors import FormatError, UnsupportedError, some

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    Takes = Callable[[str], Collection[str] | None]
    """Returns the arguments that a class of layers takes; None for a class that is not known."""

_INPUT = "InputLayer"
_WRAPPED = ("layer", "forward_layer", "backward_layer", "cell")
_SHAPES = ("batch_input_shape", "batch_shape")
_IDLE: dict[str, tuple[Any, ...]] = {"groups": (1,), "fused": (True,), "adjustment": (None,)}
"""Arguments that a class may no longer take, with the values that change nothing."""
_PASSED = ("implementation", "input_dtype", "input_length")
"""Those that change nothing of what is computed, whatever their values."""


def repaired(config: dict[str, Any], takes: Takes) -> dict[str, Any]:
    """Return the configuration of a model of Keras 2 or 3 as Keras 3 takes it.

    Raises
    ------
    UnsupportedError
        A layer is of a class that Keras does not have, or is given what changes its meaning.
    FormatError
        It is no configuration of a model.
    """
    made = copy.deepcopy(config)
    _model(made, takes)
    return made


def _model(config: dict[str, Any], takes: Takes) -> None:
    inner = config.get("config")
    if isinstance(inner, list):
        inner = config["config"] = {"name": "sequential", "layers": inner}
    layers = inner.get("layers") if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or not isinstance(layers, list):
        raise FormatError("a configuration without layers", found=str(config.get("class_name")))
    if config.get("class_name") == "Sequential":
        inner["name"] = inner.get("name") or "sequential"
        _state_input(layers)
    for layer in layers:
        _layer(layer, takes)


def _state_input(layers: list[Any]) -> None:
    """Put an input in front of the layers of a sequence whose first one states its shape."""
    first = layers[0] if layers and isinstance(layers[0], dict) else {}
    settings = first.get("config")
    if not isinstance(settings, dict) or first.get("class_name") == _INPUT:
        return
    shape = next((settings[key] for key in _SHAPES if settings.get(key)), None)
    if shape is not None:
        name = f"{settings.get('name') or 'input'}_input"
        stated = {"name": name, "batch_shape": shape, "dtype": _input_dtype(settings)}
        layers.insert(0, {"class_name": _INPUT, "config": stated})


def _input_dtype(settings: dict[str, Any]) -> str:
    stated = settings.get("input_dtype") or settings.get("dtype")
    return stated if isinstance(stated, str) else "float32"


def _layer(layer: Any, takes: Takes) -> None:
    if not isinstance(layer, dict) or not isinstance(layer.get("config"), dict | list):
        raise FormatError("a layer without settings", found=str(layer)[:100])
    kind, settings = str(layer.get("class_name")), layer["config"]
    if isinstance(settings, list) or isinstance(settings.get("layers"), list):
        _model(layer, takes)
        return
    for key in _WRAPPED:
        if isinstance(settings.get(key), dict) and "class_name" in settings[key]:
            _layer(settings[key], takes)
    for key in ("dtype", "dtype_policy"):
        settings.update(_policy(settings, key))
    _by_kind(kind, settings)
    known = takes(kind)
    if known is None:
        raise UnsupportedError(
            f"Keras has no layer {kind!r}",
            found=f"the layer {_name(layer)}",
            hint="a layer of the author's own needs its code: load it with that, and export it",
        )
    _drop(layer, settings, known)


def _by_kind(kind: str, settings: dict[str, Any]) -> None:
    if kind == _INPUT:
        shape = settings.pop("batch_input_shape", None)
        if shape is not None:
            settings["batch_shape"] = shape
    elif settings.get("batch_input_shape") is not None or "batch_shape" in settings:
        for key in _SHAPES:
            settings.pop(key, None)
    if kind in ("GRU", "GRUCell"):
        settings.setdefault("reset_after", False)  # as it was when nobody could choose


def _policy(settings: dict[str, Any], key: str) -> dict[str, str]:
    """Return a policy of dtypes by its name, as TensorFlow's Keras wrote it in a mapping."""
    stated = settings.get(key)
    if not isinstance(stated, dict) or not str(stated.get("class_name")).startswith("Policy"):
        return {}
    return {key: str(stated.get("config", {}).get("name", "float32"))}


def _drop(layer: dict[str, Any], settings: dict[str, Any], known: Collection[str]) -> None:
    """Take out of `settings` what the layer no longer takes, where that changes nothing."""
    strange = [key for key in settings if key not in known]
    meant = [key for key in strange if not _is_idle(key, settings[key], settings)]
    if meant:
        raise UnsupportedError(
            f"today's {layer.get('class_name')} of Keras does not take {some(meant)}",
            found=", ".join(f"{key}={settings[key]!r}"[:60] for key in meant[:3]),
            hint=f"the layer {_name(layer)} was made by another release",
        )
    for key in strange:
        del settings[key]


def _is_idle(key: str, value: Any, settings: dict[str, Any]) -> bool:
    """Tell whether the argument `key` means nothing with this value."""
    replaced = key.startswith("kernel_") and f"depthwise_{key.partition('_')[2]}" in settings
    return replaced or value in (None, False) or value in _IDLE.get(key, ()) or key in _PASSED


def _name(layer: dict[str, Any]) -> str:
    return repr(layer["config"].get("name") or layer.get("name") or "without a name")
