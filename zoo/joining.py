"""A graph and weights that come apart, put together: matched by the keys of the weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zoo import graph_source
from zoo.attach import attach
from zoo.errors import FormatError, some
from zoo.variables import is_variable

if TYPE_CHECKING:
    from pathlib import Path

    from zoo import protos
    from zoo.model import Model


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


def _variables(graph: protos.GraphDef) -> list[str]:
    return [node.name for node in graph.node if is_variable(node)]
