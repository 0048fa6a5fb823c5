"""What the configuration of an older Keras says, in the words of today's.

Keras 3 refuses arguments that a layer no longer takes, and reads some that older releases left out
as something else.  A configuration is JSON; mending it runs nothing.

Source: ``keras/src/legacy/saving/saving_utils.py``, and the ``get_config`` of each release.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from zoo.errors import FormatError, UnsupportedError, some
from zoo.keras_names import tidied
from zoo.keras_nodes import OPERATION_LAYERS, connected
from zoo.keras_older import HARD_SIGMOID

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    Takes = Callable[[str], Collection[str] | None]
    """Returns the arguments that a class of layers takes; None for a class that is not known."""

_INPUT = "InputLayer"
_DEEPEST = 50
_MODULES = {
    "Functional": "keras.src.models.functional",
    "LayerScale": "keras.src.applications.convnext",
    "Sequential": "keras",
}
_OF_TRAINING = ("_constraint", "_initializer", "_regularizer")
_WRAPPED = ("layer", "forward_layer", "backward_layer", "cell")
_SHAPES = ("batch_input_shape", "batch_shape")
_IDLE: dict[str, tuple[Any, ...]] = {"groups": (1,), "fused": (True,), "adjustment": (None,)}
"""Arguments that a class may no longer take, with the values that change nothing."""
_PASSED = (
    "implementation", "input_dtype", "input_length", "key_shape", "query_shape", "rng_type",
    "trainable", "value_shape",
)  # fmt: skip
"""Those that change nothing of what is computed, whatever their values."""


def repaired(config: dict[str, Any], takes: Takes, *, older: bool) -> dict[str, Any]:
    """Return the configuration of a model as Keras 3 takes it.

    Parameters
    ----------
    takes
        Knows the layers of today's Keras.
    older
        Whether it is a configuration of Keras 1 or 2.

    Raises
    ------
    UnsupportedError
        A layer is of a class that Keras does not have, or is given what changes its meaning.
    FormatError
        It is no configuration of a model.
    """
    try:
        made = copy.deepcopy(config)
        tidied(made)
        _Repair(takes, older).model(made)
    except RecursionError as error:
        raise FormatError("a configuration that is nested without end") from error
    return made


class _Repair:
    """One configuration, mended in place."""

    def __init__(self, takes: Takes, older: bool) -> None:
        self.takes = takes
        self.older = older

    def model(self, config: dict[str, Any], depth: int = 0) -> None:
        """Mend a model and the layers in it."""
        inner = config.get("config")
        if isinstance(inner, list):
            inner = config["config"] = {"name": config.get("name"), "layers": inner}
        layers = inner.get("layers") if isinstance(inner, dict) else None
        if not isinstance(inner, dict) or not isinstance(layers, list) or depth > _DEEPEST:
            raise FormatError("a configuration without layers", found=str(config.get("class_name")))
        if config.get("class_name") == "Sequential":
            inner["name"] = inner.get("name") or "sequential"
            _state_input(layers)
        elif self.older:
            connected(inner)
        for layer in inner["layers"]:
            self.layer(layer, depth)
        if self.older:
            _place(config)

    def layer(self, layer: Any, depth: int) -> None:
        """Mend a layer, or a model in the place of one."""
        if not isinstance(layer, dict) or not isinstance(layer.get("config"), dict | list):
            raise FormatError("a layer without settings", found=str(layer)[:100])
        settings = layer["config"]
        if isinstance(settings, list) or isinstance(settings.get("layers"), list):
            self.model(layer, depth + 1)
            return
        inner = [settings.get(key) for key in _WRAPPED]
        inner += settings.get("cells") if isinstance(settings.get("cells"), list) else []
        for one in inner:
            if isinstance(one, dict) and "class_name" in one:
                self.layer(one, depth + 1)
        for key in ("dtype", "dtype_policy"):
            settings.update(_policy(settings, key))
        _forget_training(settings)
        if self.older:
            _place(layer)
            _as_it_was(str(layer.get("class_name")), settings)
            self._arguments(layer, settings)

    def _arguments(self, layer: dict[str, Any], settings: dict[str, Any]) -> None:
        kind = str(layer.get("class_name"))
        _state_shape(kind, settings)
        known = settings if kind in (*OPERATION_LAYERS, "LayerScale") else self.takes(kind)
        if known is None:
            raise UnsupportedError(
                f"Keras has no layer {kind!r}",
                found=f"the layer {_name(layer)}",
                hint="what its author wrote needs its code: load it with that, and export it",
            )
        _drop(layer, settings, known)


def _place(layer: dict[str, Any]) -> None:
    """Say in which module of today's the class of `layer` is, whatever it was in its time."""
    kind = str(layer.get("class_name"))
    if kind == "Model":
        kind = layer["class_name"] = "Functional"
    layer.pop("build_config", None)
    layer |= {"module": _MODULES.get(kind, "keras.layers"), "registered_name": None}
    if kind in OPERATION_LAYERS:
        layer |= {"module": "zoo", "registered_name": f"zoo>{kind}"}


def _forget_training(settings: dict[str, Any]) -> None:
    """Leave out what only training goes by; all weights come out of the file."""
    for key in [key for key in settings if key.endswith(_OF_TRAINING)]:
        del settings[key]


def _as_it_was(kind: str, settings: dict[str, Any]) -> None:
    """State what older releases meant where they said nothing, or said what now means more."""
    axis = settings.get("axis")
    if isinstance(axis, list) and len(axis) == 1 and kind != "Normalization":
        settings["axis"] = axis[0]
    if kind == "Discretization":
        settings.pop("dtype", None)  # of what it gives; today's would cast what it takes to it
    if kind in ("GRU", "GRUCell"):
        settings.setdefault("reset_after", False)  # as it was when nobody could choose
    for key in ("activation", "recurrent_activation"):
        stated = settings.get(key)
        name = stated.get("config") if isinstance(stated, dict) else stated
        if name == "hard_sigmoid":
            settings[key] = {
                "class_name": "function", "config": HARD_SIGMOID,
                "module": "builtins", "registered_name": HARD_SIGMOID,
            }  # fmt: skip


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


def _state_shape(kind: str, settings: dict[str, Any]) -> None:
    shape = settings.pop("batch_input_shape", None)
    if kind == _INPUT and shape is not None:
        settings["batch_shape"] = shape
    elif kind != _INPUT:
        settings.pop("batch_shape", None)


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
