"""A graph without its variables: what a function of TensorFlow 2 imports, the weights beside it.

A variable becomes a placeholder: of its value where the graph only reads it, so that gradients
reach it, of its handle where an operation needs that.  Inputs that should be constants by now are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import dtypes, ops, protos, signatures
from zoo.errors import InputError, UnsupportedError, some
from zoo.graph import (
    by_name,
    consumers,
    data_inputs,
    require,
    source,
    subgraph,
    tensor_name,
    upstream,
)
from zoo.importable import without_hints
from zoo.loop_reads import read_before_loops
from zoo.loops import functional
from zoo.nodes import Dims, node, placeholder
from zoo.resources import to_resources
from zoo.restorable import thawed
from zoo.switches import constant_of
from zoo.tensor_protos import to_proto
from zoo.tensors import ArrayTensor
from zoo.variables import trainable as trained_of
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zoo.weights import Weights

_READ = "ReadVariableOp"
_GIVEN = ("Placeholder", "PlaceholderV2")
_HELD = (
    "HashTable", "HashTableV2", "MutableHashTable", "MutableHashTableV2", "FIFOQueue",
    "FIFOQueueV2", "RandomShuffleQueue", "RandomShuffleQueueV2", "PyFunc", "EagerPyFunc",
    "OneShotIterator", "IteratorV2", "Iterator",
)  # fmt: skip


@dataclass(frozen=True)
class Portable:
    """A graph and the weights that it is given.

    Attributes
    ----------
    graph
        The graph, without variables.
    weights
        The values by the name of the placeholder that stands for each.
    handles
        Which of them stand for a handle, not a value.
    trained
        Which of them training would change.
    inputs, outputs
        The tensors to feed and to fetch.
    keys
        The names by which callers know the outputs.
    """

    graph: protos.GraphDef
    weights: Weights
    handles: tuple[str, ...]
    trained: frozenset[str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    keys: tuple[str, ...]


def portable(
    meta_graph: protos.MetaGraphDef,
    weights: Weights,
    inputs: Sequence[str] | None,
    outputs: Sequence[str] | None,
) -> Portable:
    """Return the part of a model between `inputs` and `outputs`, by signature or by tensor.

    Raises
    ------
    InputError
        The outputs need another input.
    UnsupportedError
        They need a table, a queue, or Python.
    UnknownNameError
        A name is neither the signature's nor a tensor's.
    """
    stated = signatures.signature(meta_graph)
    named_in = {key: spec.tensor for key, spec in stated.inputs.items()}
    named_out = {key: spec.tensor for key, spec in stated.outputs.items()}
    fed = [named_in.get(one) or tensor_name(one) for one in (inputs or named_in)]
    keys = list(outputs or named_out)
    wanted = [named_out.get(one) or tensor_name(one) for one in keys]
    nodes = by_name(meta_graph.graph_def)
    require(nodes, [*fed, *wanted])
    if inputs is None:
        needed = upstream(nodes, wanted)
        view = View(meta_graph.graph_def)
        fed = [t for t in fed if source(t) in needed and constant_of(view, source(t)) is None]
    flat, values = thawed(meta_graph, weights)
    trained = {n for n in trained_of(flat, values, values) if values.tensor(n).dtype.floating}
    cut = protos.MetaGraphDef(graph_def=_between(flat.graph_def, fed, wanted))
    graph = read_before_loops(to_resources(cut).graph_def)
    graph, handles = _without_variables(_filled(graph, values), values)
    graph = _constants(graph, fed)
    _refuse(graph, fed, values)
    held = values.only(one.name for one in graph.node if one.op != "Const")
    graph = functional(graph, wanted)
    _forget_waits(graph)
    return Portable(
        graph, held, tuple(handles), frozenset(trained & set(held)), tuple(fed), tuple(wanted),
        tuple(keys),
    )  # fmt: skip


def _between(graph: protos.GraphDef, fed: list[str], wanted: list[str]) -> protos.GraphDef:
    nodes = by_name(graph)
    stop = [source(tensor) for tensor in fed]
    part = subgraph(graph, upstream(nodes, wanted, stop=stop))
    if _forget_unfed(part, stop):
        part = subgraph(part, upstream(by_name(part), wanted, stop=stop))
    for one in part.node:
        if one.name in stop and data_inputs(one):  # what it was made of is not there
            one.CopyFrom(placeholder(one.name, ops.dtypes_of(one)[0]))
    return part


def _forget_unfed(part: protos.GraphDef, given: list[str]) -> bool:
    """Let nobody wait for what an input is needed for that is not `given`; tell if somebody did.

    In a function everything waits for what was read before it, such as a table of words whose
    input lies before the tensors that are fed.
    """
    view = View(part)
    unfed = [n for n in view.named(*_GIVEN) if n not in given and constant_of(view, n) is None]
    waiting = {f"^{name}" for name in view.downstream(unfed, control=False)} if unfed else set()
    edges = [one for one in part.node if not waiting.isdisjoint(one.input)]
    for one in edges:
        one.input[:] = [edge for edge in one.input if edge not in waiting]
    return bool(edges)


def _filled(graph: protos.GraphDef, values: Weights) -> protos.GraphDef:
    """Return `graph` with the values of constants that are in a loop or on a branch."""
    for one in graph.node:
        if one.op == "Const" and one.name in values:
            one.attr["value"].tensor.CopyFrom(to_proto(values.tensor(one.name)))
    return graph


def _without_variables(
    graph: protos.GraphDef, weights: Weights
) -> tuple[protos.GraphDef, list[str]]:
    """Return `graph` with placeholders for variables, and which of these stand for handles."""
    users = consumers(graph.node)
    missing, handles = [], []
    for one in graph.node:
        if one.op != "VarHandleOp":
            continue
        if one.name not in weights:
            missing.append(one.name)
            continue
        if all(user.op == _READ for user, _ in users.get(one.name, ())):
            tensor = weights.tensor(one.name)
            made = node(one.name, "Placeholder", dtype=tensor.dtype, shape=Dims(tensor.shape))
            one.CopyFrom(made)
            for user, _ in users.get(one.name, ()):
                user.op = "Identity"
                kind = tensor.dtype.number
                user.attr.clear()
                user.attr["T"].type = kind
        else:
            handles.append(one.name)
            one.CopyFrom(node(one.name, "Placeholder", dtype=dtypes.RESOURCE))
    if missing:
        raise UnsupportedError("the outputs need variables without a value", found=some(missing))
    without_hints(graph.node)
    return graph, handles


def _forget_waits(graph: protos.GraphDef) -> None:
    """Let nobody wait for a placeholder: values are put in its place, but not for who waits."""
    waiting = {f"^{one.name}" for one in graph.node if one.op in _GIVEN}
    for one in graph.node:
        if not waiting.isdisjoint(one.input):
            one.input[:] = [edge for edge in one.input if edge not in waiting]


def _constants(graph: protos.GraphDef, fed: Iterable[str]) -> protos.GraphDef:
    """Return `graph` with constants for the placeholders that should be constants in use."""
    view = View(graph)
    given = {source(tensor) for tensor in fed}
    for name in view.named(*_GIVEN):
        switch = constant_of(view, name) if name not in given else None
        if switch is not None:
            dtype = dtypes.dtype(view.nodes[name].attr["dtype"].type)
            view.nodes[name].CopyFrom(_constant(name, switch.value, dtype))
    return graph


def _constant(name: str, value: Any, dtype: dtypes.DType) -> protos.NodeDef:
    import numpy as np

    made = node(name, "Const", dtype=dtype)
    made.attr["value"].tensor.CopyFrom(
        to_proto(ArrayTensor.of(np.asarray(value, dtype.numpy), dtype))
    )
    return made


def _refuse(graph: protos.GraphDef, fed: Iterable[str], weights: Weights) -> None:
    """Refuse what needs more than its inputs and weights."""
    given = {source(tensor) for tensor in fed}
    held = [one.name for one in graph.node if one.op in _HELD and one.name not in given]
    if held:
        raise UnsupportedError(
            "a function cannot hold tables, queues or Python",
            found=some(held), hint="choose other inputs or outputs; model.run runs all of it",
        )  # fmt: skip
    asked = {one.name for one in graph.node if one.op in _GIVEN}
    missing = sorted(asked - given - set(weights))
    if missing:
        raise InputError(
            f"the outputs need other inputs too: {some(missing)}",
            found=some(fed), hint="name them among the inputs",
        )  # fmt: skip
