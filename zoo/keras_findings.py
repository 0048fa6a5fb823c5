"""What a Keras configuration has Keras do besides building its own layers.

A list of what is allowed: classes of Keras, by where they say they are from or, in the files of
older releases, which do not say that, by their names.  Nothing is imported or built.

Source: https://keras.io/api/models/model_saving_apis/ and the advisories that `zoo.keras_trust`
lists.
"""

from __future__ import annotations

import functools
import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from zoo.findings import Finding
from zoo.keras_config import Layer, holds_code
from zoo.keras_trust import is_known
from zoo.op_levels import judgement, table

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODE = "is Python code that Keras would run"
_LIBRARIES = {
    "FlaxLayer": "flax", "JaxLayer": "jax", "TorchModuleWrapper": "torch",
}  # fmt: skip
_OURS = "zoo>"
_OF_TRAINING = ("keras.losses", "keras.metrics", "keras.optimizers", "keras.optimizers.schedules")
_OP_LAYER, _FUNCTION_LAYER = "TensorFlowOpLayer", "TFOpLambda"
_MOST_DEEP = 100
_MOST = 10_000
_OF_TENSORFLOW = re.compile(
    r"(math|nn|linalg|signal|strings|image|random|sets|sparse|ragged|bitwise|dtypes|quantization"
    r"|audio|__operators__|compat\.v1\.(math|nn|image))\..*|io\.(decode|encode|parse)_\w+"
    r"|(?!py_function|numpy_function|load_|print|function|device|py_func)[a-z_0-9]+"
)
"""Functions of TensorFlow that a layer may call by name, and that only compute."""
_NODE = re.compile(r'\bop"?\s*:\s*"([^"]*)"')


def findings(config: Any) -> list[Finding]:
    """Return what the configuration `config` names besides Keras's own layers, in its order."""
    found: list[Finding] = []
    for one in _within(config, (), 0):
        if one not in found:
            found.append(one)
        if len(found) >= _MOST:
            break
    return found


def of_text(text: str | bytes) -> list[Finding]:
    """Return what the configuration in `text`, which is JSON, names besides Keras's own layers.

    Raises
    ------
    ValueError
        It is no JSON, or nested without end.
    """
    try:
        return findings(json.loads(text))
    except RecursionError as error:
        raise ValueError("nested without end") from error


def code_of(text: str | bytes) -> list[Finding]:
    """Return the layers in `text`, a note beside a SavedModel, that are Python code.

    Classes of its author's are none: without them Keras calls the functions of the graph.
    """
    return [one for one in of_text(text) if one.level == "python" and one.op == "Lambda"]


def _within(value: Any, path: tuple[str, ...], depth: int) -> Iterator[Finding]:
    if depth > _MOST_DEEP:
        yield Finding("config", "", "is nested without end", "unknown", "", path)
        return
    if isinstance(value, dict):
        yield from _of(value, path)
        inner = (*path, _called(value)) if "class_name" in value else path
        for one in value.values():
            yield from _within(one, inner, depth + 1)
    elif isinstance(value, list):
        for one in value:
            yield from _within(one, path, depth + 1)


def _of(value: dict[str, Any], path: tuple[str, ...]) -> Iterator[Finding]:
    vocabulary = value.get("vocabulary")
    if isinstance(vocabulary, str):
        level = "network" if "://" in vocabulary else "io"
        why = f"reads the file {vocabulary!r} when the model is loaded"
        yield Finding("vocabulary", path[-1] if path else "", why, level, "", path)
    kind = value.get("class_name")
    if isinstance(kind, str):
        level, why = _judged(value, kind)
        if level:
            yield Finding(kind, _called(value), why, level, "", path)


def _judged(value: dict[str, Any], kind: str) -> tuple[str, str]:
    """Return the level of what `value` describes, an object of the class `kind`, and why."""
    settings = value.get("config")
    settings = settings if isinstance(settings, dict) else {}
    if kind == "__lambda__" or holds_code(Layer("", kind, settings, ())):
        return "python", _CODE
    if kind == "TFSMLayer":
        return "io", f"opens another model and runs it: {settings.get('filepath')!r}"
    if kind in _LIBRARIES:
        return "python", f"runs code by the library {_LIBRARIES[kind]}"
    if kind == _OP_LAYER:
        return _op_layer(settings)
    if kind == _FUNCTION_LAYER and not _OF_TENSORFLOW.fullmatch(str(settings.get("function"))):
        called = str(settings.get("function"))
        level = "io" if called.startswith("io.") else "unknown"
        return level, f"calls the function {called!r} of TensorFlow"
    return _strange(value, kind)


def _op_layer(settings: dict[str, Any]) -> tuple[str, str]:
    """Return the level of a layer that is one operation of a graph."""
    ops = _NODE.findall(_text(settings.get("node_def"))) or ["?"]
    for op in ops:
        if op not in table():
            return "unknown", f"is an operation that nobody knows: {op!r}"
        said = judgement(op)
        if said is not None:
            return "io" if said.level == "saver" else said.level, f"{op}: {said.why}"
    return "", ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _strange(value: dict[str, Any], kind: str) -> tuple[str, str]:
    """Return the level of a class or function that is not Keras's own, nothing if it is."""
    registered, module = value.get("registered_name"), value.get("module")
    if isinstance(registered, str) and registered.startswith(_OURS):
        return "", ""
    if isinstance(registered, str) and ">" in registered:
        return "unknown", f"needs a class of its author's: {registered!r}"
    if kind == "function" and module == "builtins":
        return "", ""
    if module is not None:
        if is_known(str(module), kind) or module in _OF_TRAINING:
            return "", ""
        named = value.get("config")
        called = f"{module}.{named if isinstance(named, str) else kind}"
        return "python", f"has Keras import {called!r} and call it"
    if kind.startswith("__") or kind in _classes() or kind == "function":
        return "", ""
    return "unknown", f"needs a class that is not Keras's: {kind!r}"


def _called(value: dict[str, Any]) -> str:
    settings = value.get("config")
    name = settings.get("name") if isinstance(settings, dict) else None
    return str(name or value.get("name") or value.get("class_name"))


@functools.cache
def _classes() -> frozenset[str]:
    """Return the names of the classes that Keras has, or had."""
    text = files("zoo").joinpath("keras_classes.txt").read_text(encoding="utf-8")
    return frozenset(text.split())
