"""What comes apart, put together: graph and weights by their keys, tensors and their names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zoo import graph_source
from zoo.attach import attach
from zoo.errors import FormatError, some
from zoo.model import Model
from zoo.tensor_protos import shape_of
from zoo.tensors import MissingTensor
from zoo.variables import dtype_of, is_variable
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from zoo import protos
    from zoo.tensors import Tensor


def with_weights(built: Model, stored: Model, name: str) -> Model:
    """Return `built` with the weights of `stored`.

    Parameters
    ----------
    name
        What `built` is called, for errors.

    Raises
    ------
    FormatError
        A variable finds no weight, or one that does not fit.
    """
    weights = attach(built.meta_graph, stored.weights.by_key())
    missing = sorted(set(_variables(built.graph)) - set(weights))
    if missing:
        raise FormatError(
            f"the weights do not fit the architecture {name!r}",
            found=f"none for {some(missing)}",
        )
    return replace(built, weights=weights)


def with_graph(path: Path, stored: Model) -> Model:
    """Return the graph in the file at `path` with the weights of `stored`.

    Variables that find no weight stay without a value.

    Raises
    ------
    FormatError
        The file is no graph, no variable finds a weight, or one that does not fit.
    """
    meta_graph, constants = graph_source.read(path)
    weights = attach(meta_graph, stored.weights.by_key())
    variables = _variables(meta_graph.graph_def)
    if not set(variables) & set(weights):
        raise FormatError(
            f"the weights do not fit the graph {path}",
            found=f"variables {some(variables)}" if variables else "no variables in the graph",
            hint=f"stored are {some(sorted(stored.weights))}",
        )
    return replace(stored, meta_graph=meta_graph, weights=weights.overlay(constants))


def with_names(model: Model, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Model:
    """Return `model` with these names for its tensors, as it is where no outputs are named."""
    return model.with_signature(inputs, outputs) if outputs else model


def graph_alone(path: Path) -> tuple[Model, str] | None:
    """Return the graph in the file at `path`, which lacks its weights, and what it is called.

    That is ``meta_graph`` for a ``MetaGraphDef``, ``graph`` for a ``GraphDef``; None for a file
    that holds neither.  Variables whose shapes the graph states are weights that cannot be read.
    """
    try:
        kind = "graph" if graph_source.is_graph(path) else "meta_graph"
        meta_graph, constants = graph_source.read(path)
    except FormatError:
        return None
    variables = [node for node in meta_graph.graph_def.node if is_variable(node) and _shaped(node)]
    missing = {node.name: _without_values(node, path) for node in variables}
    return Model(meta_graph, Weights({**missing, **constants})), kind


def _shaped(node: protos.NodeDef) -> bool:
    stated = node.attr["shape"].shape if "shape" in node.attr else None
    return (
        stated is not None and not stated.unknown_rank and all(dim.size >= 0 for dim in stated.dim)
    )


def _without_values(node: protos.NodeDef, path: Path) -> Tensor:
    """Return what the graph at `path` says of a variable whose values it lacks."""
    where = f"they are in the checkpoint that {path.name} belongs to"
    return MissingTensor(dtype_of(node), shape_of(node.attr["shape"].shape), where)


def _variables(graph: protos.GraphDef) -> list[str]:
    return [node.name for node in graph.node if is_variable(node)]
