"""What comes apart, put together: graph and weights by their keys, tensors and their names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zoo import graph_source, protos
from zoo.attach import METADATA, attach
from zoo.dtypes import STRING
from zoo.errors import FormatError, UnknownNameError, UsageError, some
from zoo.graph import by_name, source
from zoo.matching import Report, Wanted, match
from zoo.model import Model
from zoo.objects import stored_names
from zoo.renaming import Wishes, averaged
from zoo.slots import slots
from zoo.stored_strings import texts
from zoo.tensor_protos import shape_of
from zoo.tensors import MissingTensor
from zoo.variables import dtype_of, is_variable
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from zoo.architectures import Architecture
    from zoo.tensors import Tensor


def with_architecture(architecture: Architecture, stored: Weights) -> Model:
    """Return the net that `architecture` builds with the weights `stored`, and a report.

    Raises
    ------
    FormatError
        A variable finds no weight, or one that does not fit.
    """
    attached = architecture.attach(stored)
    if attached is not None:
        return attached
    built = architecture.build()
    tensors, report = match(
        _wanted(built.graph, _variables(built.graph)),
        _trained(stored),
        also=_also(stored),
        aliases=architecture.aliases,
    )
    if report.missing or report.differing:
        raise FormatError(
            f"the weights do not fit the architecture {architecture.name!r}",
            found=str(report),
            hint=_helping(report),
        )
    return replace(built, weights=Weights(tensors), attached=report)


def with_graph(path: Path, stored: Model) -> Model:
    """Return the graph in the file at `path` with the weights of `stored`, and a report.

    Variables that find no weight stay without a value.

    Raises
    ------
    FormatError
        The file is no graph, no variable finds a weight, or one that does not fit.
    """
    meta_graph, constants = graph_source.read(path)
    weights = attach(meta_graph, stored.weights.by_key())
    variables = _variables(meta_graph.graph_def)
    open_ones = [name for name in variables if name not in weights]
    keys = {weights.key(name): name for name in variables if name in weights}
    left = {key: one for key, one in _trained(stored.weights).items() if key not in keys}
    tensors, report = match(
        _wanted(meta_graph.graph_def, open_ones), left, also=_also(stored.weights)
    )
    report = replace(
        report, matched={**{name: key for key, name in keys.items()}, **report.matched}
    )
    if not report.matched:
        raise FormatError(
            f"the weights do not fit the graph {path}",
            found=f"variables {some(variables)}" if variables else "no variables in the graph",
            hint=f"stored are {some(sorted(stored.weights))}",
        )
    taken = {*report.matched.values()} - {*keys}
    weights = weights.only(name for name in weights if weights.key(name) not in taken)
    weights = weights.overlay({**tensors, **constants})
    return replace(stored, meta_graph=meta_graph, weights=weights, attached=report)


def prepared(model: Model, wishes: Wishes) -> Model:
    """Return `model` with its weights as wished, before any graph is attached to them.

    Raises
    ------
    UsageError
        The model has a graph of its own that calls the weights by their names.
    """
    if not wishes.of_weights:
        return model
    attaches = wishes.architecture is not None or wishes.graph is not None
    if attaches or not model.graph.node:
        bare = protos.MetaGraphDef() if attaches else model.meta_graph
        keyed = _keyed(model.weights, by_objects=bool(wishes.rename))
        return replace(model, meta_graph=bare, weights=wishes.granted(keyed))
    if wishes.rename:
        raise UsageError(
            "the model has a graph, which calls its weights by their names",
            found=some(model.weights),
            hint="--rename is for weights without a graph, or with --architecture",
        )
    weights = averaged(model.weights) if wishes.ema else model.weights
    kept = replace(model, weights=weights)
    return _without_training(kept) if wishes.drop_slots or wishes.ema else kept


def _without_training(model: Model) -> Model:
    """Return `model` with what its outputs need; a guess of these is not made a signature."""
    pruned = model.prune(model.outputs())
    if not model.signatures:
        pruned.meta_graph.signature_def.clear()
    return pruned


def _keyed(weights: Weights, *, by_objects: bool) -> Weights:
    """Return `weights` by their keys, or by the names that a checkpoint's own objects give them."""
    names = {key: name for name, key in _also(weights).items()} if by_objects else {}
    stored = weights.by_key()
    return Weights({names.get(k, k): one for k, one in stored.items()}, metadata=weights.metadata)


def _trained(weights: Weights) -> dict[str, Tensor]:
    """Return the stored weights by key, without what an optimizer keeps for them."""
    gone = {weights.key(name) for name in slots(weights)}
    return {key: one for key, one in weights.by_key().items() if key not in gone}


def _also(weights: Weights) -> dict[str, str]:
    """Return the keys of stored tensors by the names that a checkpoint has for them itself."""
    described = weights.metadata.get(METADATA)
    found = texts(described)[:1] if described is not None and described.dtype is STRING else []
    return stored_names(b"".join(found))


def _wanted(graph: protos.GraphDef, names: Iterable[str]) -> dict[str, Wanted]:
    nodes = by_name(graph)
    return {name: Wanted(dtype_of(nodes[name]), _sizes(nodes[name])) for name in names}


def _sizes(node: protos.NodeDef) -> tuple[int | None, ...] | None:
    stated = node.attr["shape"].shape if "shape" in node.attr else None
    if stated is None or stated.unknown_rank:
        return None
    return tuple(dim.size if dim.size >= 0 else None for dim in stated.dim)


def _helping(report: Report) -> str:
    if report.missing and report.unused:
        return r"rename what is stored: --rename 'their/(.*)=our/\1'"
    return "" if report.missing else "is it a net of another size, or with another head?"


def with_names(model: Model, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Model:
    """Return `model` with these names for its tensors, as it is where no outputs are named.

    Raises
    ------
    UnknownNameError
        The graph lacks some of them: all are listed, beside those that the model itself names.
    """
    nodes = by_name(model.graph) if outputs else {}
    named = {**inputs, **outputs} if outputs else {}
    lost = [f"{name} = {tensor}" for name, tensor in named.items() if source(tensor) not in nodes]
    if lost:
        stated = [side for one in model.signatures.values() for side in (one.inputs, one.outputs)]
        own = [f"{name} = {spec.tensor}" for side in stated for name, spec in side.items()]
        raise UnknownNameError(
            "the graph lacks tensors that the registry names",
            found=f"{some(lost)}; the model itself names {some(dict.fromkeys(own)) or 'none'}",
            hint="is it another version of the model? `zoo inspect` lists what this one has",
        )
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
