"""Nets of Keras 1 in the words of Keras 2: layers, their arguments, and how weights lie.

Neither Keras 3 nor ``tf_keras`` reads these files.  What only training needs (initializers,
regularizers, constraints) is left out.

Source: ``keras/legacy/interfaces.py`` and ``keras/engine/topology.py`` of Keras 2.1, which could.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.errors import AccessError, UnsupportedError, counted, some

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_KEPT = {
    "activation", "alpha", "axis", "batch_input_shape", "cropping", "dims", "dtype", "epsilon",
    "go_backwards", "mask_value", "max_value", "merge_mode", "momentum", "n",
    "name", "padding", "pool_size", "return_sequences", "size", "sparse", "stateful", "strides",
    "target_shape", "theta", "trainable", "unroll",
}  # fmt: skip
"""Arguments whose names are the same today."""
_NEW = {
    "atrous_rate": "dilation_rate", "bias": "use_bias", "border_mode": "padding",
    "dim_ordering": "data_format", "filter_length": "kernel_size",
    "inner_activation": "recurrent_activation", "length": "size", "nb_filter": "filters",
    "output_dim": "units", "p": "rate", "pool_length": "pool_size", "sigma": "stddev",
    "stride": "strides", "subsample": "strides", "subsample_length": "strides",
}  # fmt: skip
"""What arguments are called that have another name today."""
_CLASSES = {
    "AtrousConvolution1D": "Conv1D", "AtrousConvolution2D": "Conv2D", "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D", "Deconvolution2D": "Conv2DTranspose", "Merge": "Concatenate",
    "SeparableConvolution2D": "SeparableConv2D",
}  # fmt: skip
_MERGED = {
    "ave": "Average", "concat": "Concatenate", "max": "Maximum", "mul": "Multiply", "sum": "Add",
}  # fmt: skip
_ORDER = {"th": "channels_first", "tf": "channels_last"}
_GATES = {"LSTM": (0, 2, 1, 3), "GRU": (0, 1, 2)}
"""In which order today's layers want the gates, which Keras 1 kept as i, c, f, o and z, r, h."""
_PARTS = 3
_IMAGES = 4
_FEATURES_ALONE = 1


def translated(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a layer or model of Keras 1, as a configuration has it, as one of Keras 2.

    Raises
    ------
    UnsupportedError
        It does what no layer does today.
    AccessError
        It holds Python code.
    """
    settings = entry.get("config")
    kind = str(entry.get("class_name"))
    if isinstance(settings, list):
        return {**entry, "config": [translated(one) for one in settings]}
    if not isinstance(settings, dict):
        return entry
    if isinstance(settings.get("layers"), list) and kind != "Merge":
        inner = [translated(one) for one in settings["layers"]]
        return {**entry, "config": {**settings, "layers": inner}}
    made = {key: settings[key] for key in _KEPT if key in settings}
    made |= {new: settings[old] for old, new in _NEW.items() if old in settings}
    _adapt(kind, settings, made)
    if isinstance(settings.get("layer"), dict):
        made["layer"] = translated(settings["layer"])
    return {**entry, "class_name": _class(kind, settings), "config": made}


def _class(kind: str, settings: dict[str, Any]) -> str:
    if kind != "Merge":
        return _CLASSES.get(kind, kind)
    mode = settings.get("mode")
    if settings.get("mode_type") in ("lambda", "function") or isinstance(mode, list):
        raise AccessError(
            "a Merge layer holds Python code, which zoo does not run", found=str(settings["name"])
        )
    if mode not in _MERGED or "layers" in settings:
        raise UnsupportedError(f"a Merge layer with mode {mode!r}", found=str(settings.get("name")))
    return _MERGED[mode]


def _adapt(kind: str, settings: dict[str, Any], made: dict[str, Any]) -> None:
    """Mend what is more than another name."""
    if "nb_row" in settings:
        made["kernel_size"] = [settings["nb_row"], settings["nb_col"]]
    if "data_format" in made:
        made["data_format"] = _ORDER.get(made["data_format"], "channels_last")
    if kind == "Embedding":
        made["output_dim"] = made.pop("units")
        made |= {key: settings[key] for key in ("input_dim", "mask_zero") if key in settings}
    if kind == "Merge" and settings.get("mode") == "concat":
        made["axis"] = settings.get("concat_axis", -1)
    if kind == "BatchNormalization" and settings.get("mode", 0) == _FEATURES_ALONE:
        raise UnsupportedError("BatchNormalization of Keras 1 in mode 1 is no layer of today")


def arranged(entry: dict[str, Any], weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the weights of a layer of Keras 1 as today's layer has them.

    Parameters
    ----------
    entry
        The layer as the configuration of Keras 1 has it.

    Raises
    ------
    UnsupportedError
        There are more or fewer than such a layer has.
    """
    kind, settings = str(entry.get("class_name")), entry["config"]
    if kind == "Bidirectional":
        half, inner = len(weights) // 2, settings["layer"]
        return [*arranged(inner, weights[:half]), *arranged(inner, weights[half:])]
    if kind == "TimeDistributed":
        return arranged(settings["layer"], weights)
    if kind in _GATES and len(weights) > _PARTS:
        return _joined(kind, weights)
    if "onvolution" in kind:
        return [_kernel(one, kind, settings) for one in weights]
    return list(weights)


def entries(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the layers of a configuration, as it has them, by name."""
    settings = config.get("config")
    layers = settings if isinstance(settings, list) else (settings or {}).get("layers", [])
    return {str(one.get("name") or one["config"].get("name")): one for one in layers}


def _joined(kind: str, weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return kernel, recurrent kernel and bias, each of all gates, which lay apart."""
    import numpy as np

    order = _GATES[kind]
    if len(weights) != _PARTS * len(order):
        raise UnsupportedError(
            f"{counted(len(weights), 'weight')} in a {kind} of Keras 1",
            found=some(str(one.shape) for one in weights),
        )
    return [
        np.concatenate([weights[_PARTS * gate + part] for gate in order], axis=-1)
        for part in range(_PARTS)
    ]


def _kernel(weight: np.ndarray, kind: str, settings: dict[str, Any]) -> np.ndarray:
    """Return a kernel with its axes as (height, width, channels in, channels out)."""
    if weight.ndim != _IMAGES:
        return weight
    if kind.endswith("1D"):
        return weight[:, 0]
    first, turned = settings.get("dim_ordering") == "th", kind == "Deconvolution2D"
    if first:
        return weight.transpose((2, 3, 0, 1) if turned else (2, 3, 1, 0))
    return weight.transpose(0, 1, 3, 2) if turned else weight
