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
    "keras.layers", "keras.models", "keras.ops", "keras.quantizers", "keras.regularizers",
)  # fmt: skip
_OWN_CLASSES = {"keras": ("DTypePolicy", "Functional", "Model", "Sequential", "Variable")}
_INNER = ("keras.src.applications.", "keras.src.models.", "keras.src.ops.")
_OURS = "zoo>"
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
    elif isinstance(registered, str) and registered.startswith(_OURS):
        return
    elif isinstance(registered, str) and ">" in registered:
        yield registered
    elif kind == "function" and module == "builtins":
        return  # Keras looks it up among its own activations, losses and the like
    elif module is None and "module" in value and not kind.startswith("__"):
        yield f"the class {kind}"
    elif module is not None and not is_known(str(module), kind):
        named = value.get("config")
        yield f"{module}.{named if isinstance(named, str) else kind}"


def is_known(module: str, kind: str) -> bool:
    """Tell whether the class or function `kind` of `module` is one of Keras's that only compute."""
    return module in _MODULES or kind in _OWN_CLASSES.get(module, ()) or module.startswith(_INNER)
