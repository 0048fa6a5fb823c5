"""What a Keras configuration has Keras do besides building its own layers.

A list of what is allowed: classes of Keras, by where they say they are from or, in the files of
older releases, which do not say that, by their names.  Nothing is imported or built.

Source: https://keras.io/api/models/model_saving_apis/ and the advisories that `zoo.keras_trust`
lists.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import protos, weighing
from zoo.errors import some
from zoo.findings import Finding
from zoo.keras_config import Layer, holds_code
from zoo.keras_older import only_computes
from zoo.keras_trust import is_known, is_ours, named
from zoo.op_levels import judgement, table
from zoo.scanning import look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CODE = "is Python code that Keras would run"
_LIBRARIES = {
    "FlaxLayer": "flax", "JaxLayer": "jax", "TorchModuleWrapper": "torch",
}  # fmt: skip
_OF_TRAINING = ("keras.losses", "keras.metrics", "keras.optimizers", "keras.optimizers.schedules")
_OP_LAYER, _FUNCTION_LAYERS = "TensorFlowOpLayer", ("SlicingOpLambda", "TFOpLambda")
_GRAPH_LAYER = "zoo>GraphLayer"
_SEVERAL = "is an operation that says several things of itself"
_MOST_DEEP = 100
_MOST = 10_000
_TOUCHES_FILES = re.compile(r"io\.(?!decode|encode|parse)")
_PATH = Path("the graph of a layer")


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
    if _GRAPH_LAYER in (kind, value.get("registered_name")):
        yield from _of_graph(value, path)
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
    if kind in _FUNCTION_LAYERS and not only_computes(str(settings.get("function"))):
        called = str(settings.get("function"))
        level = "io" if _TOUCHES_FILES.match(called) else "unknown"
        return level, f"calls the function {called!r} of TensorFlow"
    return _strange(value, kind)


def _op_layer(settings: dict[str, Any]) -> tuple[str, str]:
    """Return the level of a layer that is one operation of a graph."""
    ops = sorted(_readings(settings.get("node_def")))
    judged = [_of_op(op) for op in ops] or [("unknown", "is an operation that nobody can read")]
    level, why = next((one for one in judged if one[0]), ("", ""))
    return (level, why) if level or len(ops) == 1 else ("unknown", f"{_SEVERAL}: {some(ops)}")


def _of_op(op: str) -> tuple[str, str]:
    if op not in table():
        return "unknown", f"is an operation that nobody knows: {op!r}"
    said = judgement(op)
    if said is None:
        return "", ""
    return "io" if said.level == "saver" else said.level, f"{op}: {said.why}"


def _readings(node: Any) -> set[str]:
    """Return the operation of `node`, by each way in which a release of Keras wrote it.

    As a mapping, or as a text that is JSON, the message itself or the message as text.
    """
    from google.protobuf import json_format, text_format

    readers: tuple[Callable[[], protos.NodeDef], ...] = (
        lambda: json_format.ParseDict(node, protos.NodeDef()),
    )
    if isinstance(node, str):
        readers = (
            lambda: json_format.Parse(node, protos.NodeDef()),
            lambda: protos.NodeDef.FromString(node.encode()),
            lambda: text_format.Parse(node, protos.NodeDef()),
        )
    return {op for op in map(_op_by, readers) if op}


def _op_by(reader: Callable[[], protos.NodeDef]) -> str:
    """Return the operation that `reader` finds; nothing where it can make nothing of it."""
    from google.protobuf import json_format, text_format
    from google.protobuf.message import DecodeError

    failures = (json_format.ParseError, text_format.ParseError, DecodeError)
    try:
        return str(reader().op)
    except (*failures, AttributeError, RecursionError, TypeError, ValueError):
        return ""


def _of_graph(value: dict[str, Any], path: tuple[str, ...]) -> Iterator[Finding]:
    """Yield what the graph does that a layer of ours carries."""
    from google.protobuf.message import DecodeError

    settings, name = value.get("config"), _called(value)
    try:
        data = base64.b64decode(settings["graph"] if isinstance(settings, dict) else "")
        weighing.refuse_swollen(data, "GraphDef", _PATH)
        graph = protos.GraphDef.FromString(data)
    except (DecodeError, KeyError, TypeError, ValueError):
        graph = protos.GraphDef()
    if not graph.node:
        yield Finding(_GRAPH_LAYER, name, "has a graph that nobody can read", path=path)
        return
    for one in look(protos.MetaGraphDef(graph_def=graph)).findings:
        yield replace(one, path=(*path, name, *one.path))


def _strange(value: dict[str, Any], kind: str) -> tuple[str, str]:
    """Return the level of a class or function that is not Keras's own, nothing if it is."""
    registered, module = value.get("registered_name"), value.get("module")
    if is_ours(value) or (kind == _GRAPH_LAYER and registered is None and module is None):
        return "", ""
    if isinstance(registered, str) and ">" in registered:
        return "unknown", f"needs a class of its author's: {registered!r}"
    if kind == "function" and module == "builtins":
        return "", ""
    if module is not None:
        name = named(value)
        if is_known("keras.layers" if module in _OF_TRAINING else str(module), name):
            return "", ""
        called = f"{module}.{name}"
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
