"""What `zoo inspect` says of a model, as data; nothing is read but the graph and the index."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from zoo import ends, heads, signatures
from zoo.constants import weight_constants
from zoo.detect import size_of
from zoo.graph import by_name
from zoo.variables import is_variable, trainable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zoo.model import Model
    from zoo.specs import TensorSpec


def describe(
    model: Model, form: str, path: Path | None, tag_sets: Sequence[Sequence[str]] = ()
) -> dict[str, Any]:
    """Return the document of ``zoo inspect --json`` for `model`.

    Parameters
    ----------
    form, path
        The format it was read in, and from where; None if it was built.
    tag_sets
        The tags of each MetaGraph of the file.
    """
    info, versions = model.meta_graph.meta_info_def, model.graph.versions
    weights = describe_weights(model)
    return {
        "format": form,
        "path": None if path is None else str(path),
        "bytes": 0 if path is None else size_of(path),
        "producer": versions.producer if model.graph.HasField("versions") else None,
        "tensorflow_version": info.tensorflow_version or None,
        "tag_sets": [sorted(tags) for tags in tag_sets or _tags(model)],
        "signatures": {key: _signature(one) for key, one in model.signatures.items()},
        "inputs": [_spec(spec) for spec in ends.found_inputs(model.meta_graph)],
        "outputs": _outputs(model),
        "weights": weights,
        "parameters": sum(math.prod(weight["shape"]) for weight in weights),
        "ops": dict(sorted(Counter(node.op for node in model.graph.node).items())),
        "head": _head(model),
        "findings": None,
    }


def describe_weights(model: Model) -> list[dict[str, Any]]:
    """Return name, dtype, shape, bytes and trainability of each weight, sorted by name.

    A weight that a checkpoint stores under another key has that ``key`` too.
    """
    trained = _trained(model)
    found = []
    for name in sorted(model.weights):
        tensor = model.weights.tensor(name)
        one = {
            "name": name,
            "dtype": tensor.dtype.name,
            "shape": list(tensor.shape),
            "bytes": tensor.nbytes,
            "trainable": name in trained,
        }
        if model.weights.key(name) != name:
            one["key"] = model.weights.key(name)
        found.append(one)
    return found


def _trained(model: Model) -> set[str]:
    """Return the weights that training would change."""
    nodes = by_name(model.graph)
    variables = [n for n in model.weights if n in nodes and is_variable(nodes[n])]
    constants = {name for name, trains in weight_constants(model.graph).items() if trains}
    return trainable(model.meta_graph, variables, model.weights) | (constants & set(model.weights))


def _head(model: Model) -> dict[str, Any] | None:
    """Return the layer that gives the outputs, None where nobody can tell."""
    found = heads.head(model.meta_graph, model.weights)
    return None if found is None else {**asdict(found), "weights": list(found.weights)}


def _tags(model: Model) -> list[list[str]]:
    tags = list(model.meta_graph.meta_info_def.tags)
    return [tags] if tags else []


def _signature(one: signatures.Signature) -> dict[str, dict[str, Any]]:
    return {
        "inputs": {key: _spec(spec) for key, spec in one.inputs.items()},
        "outputs": {key: _spec(spec) for key, spec in one.outputs.items()},
    }


def _outputs(model: Model) -> list[dict[str, Any]]:
    """Return the outputs of all signatures; without any, what the graph shows."""
    found: dict[str, dict[str, Any]] = {}
    for key, one in model.signatures.items():
        for spec in one.outputs.values():
            found.setdefault(spec.tensor, {**_spec(spec), "why": f"signature {key}"})
    if not found:
        for output in ends.found_outputs(model.meta_graph):
            found[output.spec.tensor] = {**_spec(output.spec), "why": output.why}
    return list(found.values())


def _spec(spec: TensorSpec) -> dict[str, Any]:
    shape = None if spec.shape is None else list(spec.shape)
    return {"tensor": spec.tensor, "dtype": spec.dtype.name, "shape": shape}
