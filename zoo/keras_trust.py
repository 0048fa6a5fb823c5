"""What a Keras configuration may name: layers of Keras itself, and nothing that runs or reads.

A configuration says which Python objects are made of it, and with which arguments.  Nothing is
made of what is not on the list here: code in a ``Lambda``, modules of the author's own, layers that
open files or run another library.

Source: https://keras.io/api/models/model_saving_apis/ and the advisories CVE-2024-3660,
CVE-2025-1550, CVE-2025-8747, CVE-2025-9906, CVE-2025-12058 on what safe mode let through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.errors import AccessError, FormatError, some
from zoo.keras_config import every_layer, holds_code

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MODULES = (
    "keras.activations", "keras.constraints", "keras.dtype_policies", "keras.initializers",
    "keras.layers", "keras.ops", "keras.quantizers", "keras.regularizers",
)  # fmt: skip
_NETS = ("Functional", "Model", "Sequential")
_OWN_CLASSES = {
    "keras": ("DTypePolicy", *_NETS, "Variable"),
    "keras.models": _NETS,
    "keras.src.applications.convnext": ("LayerScale", "StochasticDepth"),
    "keras.src.applications.inception_resnet_v2": ("CustomScaleLayer",),
    "keras.src.models.functional": _NETS,
    "keras.src.models.model": _NETS,
    "keras.src.models.sequential": _NETS,
}
_INNER = "keras.src.ops."
_MAKING = ("clone_model", "deserialize", "get", "load_model", "model_from_json", "save_model")
"""Functions of Keras that make objects of what they are given, or files."""
OURS = ("zoo>GraphLayer", "zoo>SlicingOpLambda", "zoo>TFOpLambda", "zoo>hard_sigmoid")
"""What `zoo.keras_layer` and `zoo.keras_older` register with Keras."""
_OUR_MODULES = (None, "builtins", "zoo", "zoo.keras_layer", "zoo.keras_older")
_REACHING = ("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper")
"""Layers that run another library, or open a model that lies somewhere else."""
_DEEPEST = 100


def refuse_lambdas(config: dict[str, Any], path: Path) -> None:
    """Refuse a configuration, as a file has it, with layers that are Python code.

    Raises
    ------
    AccessError
        It has some.
    """
    coded = [layer.name or "unnamed" for layer in every_layer(config) if holds_code(layer)]
    if coded:
        raise AccessError(
            f"{path} holds Lambda layers with Python code, which zoo does not run",
            found=some(coded),
            hint="who trusts it can load it with Keras and export it to a SavedModel",
        )


def refuse_strangers(config: dict[str, Any], path: Path) -> None:
    """Refuse a configuration, as it is given to Keras, that names what is not Keras's own.

    Raises
    ------
    AccessError
        It names a class or a function of its author's, or a file to read.
    """
    strange = dict.fromkeys(_strange(config))
    if strange:
        raise AccessError(
            f"{path} names what is not a layer of Keras, and zoo runs no strangers' code",
            found=some(strange),
            hint="who trusts it can load it with Keras and export it to a SavedModel",
        )


def _strange(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield what `value` names that is not on the list."""
    if depth > _DEEPEST:
        raise FormatError("a configuration nested without end")
    if isinstance(value, dict):
        yield from _object(value)
        vocabulary = value.get("vocabulary")
        if isinstance(vocabulary, str):
            yield f"the file {vocabulary!r}"
        for inner in value.values():
            yield from _strange(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _strange(inner, depth + 1)


def _object(value: dict[str, Any]) -> Iterator[str]:
    kind, module = value.get("class_name"), value.get("module")
    if not isinstance(kind, str):
        return
    registered = value.get("registered_name")
    if kind in _REACHING or kind == "__lambda__":
        yield kind
    elif is_ours(value):
        return
    elif isinstance(registered, str) and ">" in registered:
        yield registered
    elif kind == "function" and module == "builtins":
        return  # Keras looks it up among its own activations, losses and the like
    elif module is None and "module" in value and not kind.startswith("__"):
        yield f"the class {kind}"
    elif module is not None and not is_known(str(module), named(value)):
        yield f"{module}.{named(value)}"


def is_ours(value: dict[str, Any]) -> bool:
    """Tell whether the object that `value` describes is one of ours, by all that it says.

    Keras goes by the registered name only while something is registered by it, else by the module.
    """
    registered, name = value.get("registered_name"), named(value)
    if registered not in OURS or value.get("module") not in _OUR_MODULES:
        return False
    return name in (registered, registered.removeprefix("zoo>"))


def named(value: dict[str, Any]) -> str:
    """Return the name of the class, or of the function, that `value` describes."""
    kind, settings = value.get("class_name"), value.get("config")
    return settings if kind == "function" and isinstance(settings, str) else str(kind)


def is_known(module: str, name: str) -> bool:
    """Tell whether the class or function `name` of `module` is Keras's and only computes."""
    if not name.isidentifier() or name in _MAKING or name in _REACHING:
        return False
    inside = module.startswith(_INNER) or module in _MODULES
    return inside or name in _OWN_CLASSES.get(module, ())
