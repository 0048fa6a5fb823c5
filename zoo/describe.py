"""What `zoo inspect` says of a model, as data; nothing is read but the graph and the index."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import asdict
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from zoo import facts, heads, ranking, scanning, sightings, signatures
from zoo.constants import weight_constants
from zoo.detect import size_of
from zoo.errors import FormatError, ZooError, counted
from zoo.inline import expanded
from zoo.parts import SliceTensor
from zoo.specs import output_dtypes, spec_of
from zoo.tensors import MissingTensor
from zoo.variables import is_variable, trainable
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zoo.layers import Head
    from zoo.model import Model
    from zoo.specs import TensorSpec
    from zoo.tensors import Tensor


def describe(
    model: Model,
    form: str,
    path: Path | None,
    tag_sets: Sequence[Sequence[str]] = (),
    tensors: str | None = None,
) -> dict[str, Any]:
    """Return the document of ``zoo inspect --json`` for `model`.

    Parameters
    ----------
    form, path
        The format it was read in, and from where; None if it was built.
    tag_sets
        The tags of each MetaGraph of the file.
    tensors
        A pattern, as shells have them, for names of tensors that are listed besides.
    """
    info, versions = model.meta_graph.meta_info_def, model.graph.versions
    view = View(model.graph)
    flat, unsure = _inlined(model, view)
    inputs, outputs = ranking.ranked(model.meta_graph, flat)
    wanted = [tensor for end in ranking.best(outputs) for tensor in end.tensors]
    found = heads.find(flat, wanted, model.weights)
    weights = describe_weights(model, view)
    return {
        **nothing(form, path),
        "producer": versions.producer if model.graph.HasField("versions") else None,
        "tensorflow_version": info.tensorflow_version or None,
        "tag_sets": [sorted(tags) for tags in tag_sets or _tags(model)],
        "signatures": {key: _signature(one) for key, one in model.signatures.items()},
        "inputs": [_end(end) for end in inputs],
        "outputs": [_end(end) for end in outputs],
        "weights": weights,
        "parameters": _parameters(weights),
        "head": _head(found.best),
        "heads": {
            "candidates": [_head(one) for one in found.candidates],
            "unsure": unsure or found.unsure or None,
        },
        **facts.facts(model.meta_graph, flat, model.weights, flat.upstream(wanted)),
        "findings": _findings(model),
        "notes": _missing(model),
        **({} if tensors is None else {"tensors": _tensors(flat, tensors)}),
    }


def _findings(model: Model) -> list[dict[str, Any]] | None:
    """Return what the graph does besides computing, None where nobody can tell."""
    try:
        return sightings.beyond_usual(scanning.scan(model.meta_graph))
    except FormatError:
        return None


def _tensors(view: View, pattern: str) -> list[dict[str, Any]]:
    """Return the tensors whose names, or whose nodes' names, match `pattern`, sorted by name."""
    found = []
    for name in sorted(view.ops):
        given = range(len(output_dtypes(view.graph, view.nodes[name])))
        for tensor in (f"{name}:{number}" for number in given):
            if fnmatchcase(tensor, pattern) or fnmatchcase(name, pattern):
                spec = spec_of(view.graph, tensor, view.nodes)
                found.append({**_spec(spec), "op": view.ops[name]})
    return found


def _missing(model: Model) -> list[str]:
    """Return a sentence for each place where values of weights should be, and are not."""
    tensors = map(model.weights.tensor, model.weights)
    places = Counter(one.where for one in tensors if isinstance(one, MissingTensor))
    return [
        f"the values of {counted(count, 'weight')} are not here: {where}"
        for where, count in sorted(places.items())
    ]


def nothing(form: str, path: Path | None) -> dict[str, Any]:
    """Return the document of a file in which nothing was found, with every key it must have."""
    return {
        "format": form,
        "path": None if path is None else str(path),
        "bytes": 0 if path is None else size_of(path),
        "what": None,
        "producer": None,
        "tensorflow_version": None,
        "tag_sets": [],
        "signatures": {},
        "inputs": [],
        "outputs": [],
        "weights": [],
        "parameters": 0,
        "ops": {},
        "head": None,
        "findings": None,
        "notes": [],
    }


def describe_weights(model: Model, view: View | None = None) -> list[dict[str, Any]]:
    """Return name, dtype, shape, bytes and trainability of each weight, sorted by name.

    A weight that a checkpoint stores under another key has that ``key`` too.  A partitioned
    variable is one weight, as checkpoints store it, with the names of its ``parts``.
    """
    trained = _trained(model, View(model.graph) if view is None else view)
    parts: dict[str, list[str]] = defaultdict(list)
    found: list[dict[str, Any]] = []
    for name in sorted(model.weights):
        tensor, key = model.weights.tensor(name), model.weights.key(name)
        if isinstance(tensor, SliceTensor):
            parts[key].append(name)
            continue
        one = _weight(name, tensor, name in trained)
        found.append(one if key == name else {**one, "key": key})
    for key, names in parts.items():
        first = model.weights.tensor(names[0])
        whole = first.whole if isinstance(first, SliceTensor) else first
        found.append({**_weight(key, whole, names[0] in trained), "parts": names})
    return sorted(found, key=lambda one: str(one["name"]))


def _parameters(weights: list[dict[str, Any]]) -> int:
    """Return the sum of the sizes of what is stored: one tensor may be the value of several."""
    stored = {one.get("key", one["name"]): math.prod(one["shape"]) for one in weights}
    return sum(stored.values())


def _weight(name: str, tensor: Tensor, trained: bool) -> dict[str, Any]:
    return {
        "name": name,
        "dtype": tensor.dtype.name,
        "shape": list(tensor.shape),
        "bytes": tensor.nbytes,
        "trainable": trained,
    }


def _inlined(model: Model, view: View) -> tuple[View, str]:
    """Return the graph with its calls inlined, or as it is and why it cannot be."""
    if not view.library:
        return view, ""
    try:
        return View(model.graph, expanded(model.graph)), ""
    except ZooError as error:
        return view, f"{error.problem}: {error.found}"


def _trained(model: Model, view: View) -> set[str]:
    """Return the weights that training would change."""
    variables = [n for n in model.weights if n in view.nodes and is_variable(view.nodes[n])]
    constants = {name for name, trains in weight_constants(view).items() if trains}
    return trainable(model.meta_graph, variables, model.weights) | (constants & set(model.weights))


def _head(head: Head | None) -> dict[str, Any] | None:
    return None if head is None else {**asdict(head), "weights": list(head.weights)}


def _tags(model: Model) -> list[list[str]]:
    tags = list(model.meta_graph.meta_info_def.tags)
    return [tags] if tags else []


def _signature(one: signatures.Signature) -> dict[str, dict[str, Any]]:
    return {
        "inputs": {key: _spec(spec) for key, spec in one.inputs.items()},
        "outputs": {key: _spec(spec) for key, spec in one.outputs.items()},
    }


def _end(end: ranking.End) -> dict[str, Any]:
    constant = {} if end.constant is None else {"constant": end.constant}
    return {**_spec(end.spec), "why": end.why, "rank": end.rank, **constant}


def _spec(spec: TensorSpec) -> dict[str, Any]:
    shape = None if spec.shape is None else list(spec.shape)
    return {"tensor": spec.tensor, "dtype": spec.dtype.name, "shape": shape}
