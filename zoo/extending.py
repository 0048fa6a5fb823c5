"""Add operations to a model with TensorFlow's own functions, and keep the model a model.

Only what is new comes back from TensorFlow's graph: nodes, functions and variables.  The rest of
the model stays bit for bit as it was read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from zoo import protos, runnable, signatures
from zoo.engine import failing, imported, tensorflow
from zoo.errors import UsageError
from zoo.graph import by_name, tensor_name, upstream
from zoo.importable import importable
from zoo.signatures import Signature
from zoo.specs import spec_of
from zoo.tensors import ArrayTensor
from zoo.variables import detached

if TYPE_CHECKING:
    from zoo.policy import Guard
    from zoo.weights import Weights

Build = Callable[["Tensors"], Mapping[str, Any]]


class Tensors(Mapping[str, Any]):
    """The tensors of a graph that is being extended, by name: ``t["fc7:0"]`` or ``t["fc7"]``."""

    def __init__(self, graph: Any, names: list[str]) -> None:
        self._graph = graph
        self._names = names

    def __getitem__(self, name: str) -> Any:
        try:
            return self._graph.get_tensor_by_name(tensor_name(name))
        except (KeyError, ValueError) as error:
            raise KeyError(name) from error

    def __iter__(self) -> Any:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def extend(
    meta_graph: protos.MetaGraphDef, weights: Weights, build: Build, guard: Guard
) -> tuple[protos.MetaGraphDef, Weights]:
    """Return the model with the operations that `build` adds, its results called by their names.

    Parameters
    ----------
    build
        Called once with the graph's `Tensors`, inside the graph, which has its collections; what
        it returns by name become outputs of the default signature and tensors ``name:0``.
        Variables it creates become weights with their initial values, and what it adds to a
        collection (a train op, a learning rate) stays there.
    guard
        What of the model may run: all of it comes into TensorFlow.

    Raises
    ------
    UsageError
        A result has the name of a node that is there, or is no tensor of the graph; or something
        was added to a collection that no file can hold.
    RunError
        TensorFlow refused an operation.
    TrustError
        The model does more than compute, and is not trusted with it.
    """
    guard.require_whole(runnable.is_registered)
    edited = detached(meta_graph, weights)
    graph = imported(importable(edited, weights), collections=True)
    there = by_name(edited.graph_def)
    before = _counts(graph)
    with failing("the operations cannot be added"), graph.as_default():
        results = _results(build(Tensors(graph, list(there))), there, graph)
        values = _initial_values(graph, there)
        extended = tensorflow().compat.v1.train.export_meta_graph(graph=graph)
    written = protos.MetaGraphDef.FromString(extended.SerializeToString())
    _merge(edited.graph_def, written.graph_def)
    for name, count in _counts(graph).items():
        if count > before.get(name, 0):
            _append(edited, name, written, count - before.get(name, 0))
    _state(edited, signatures.signature(meta_graph), results, set(there))
    return edited, weights.overlay(values)


def _counts(graph: Any) -> dict[str, int]:
    """Return how much is in each collection that people can see."""
    names = [name for name in graph.get_all_collection_keys() if not str(name).startswith("__")]
    return {name: len(graph.get_collection_ref(name)) for name in names}


def _append(
    edited: protos.MetaGraphDef, name: str, written: protos.MetaGraphDef, count: int
) -> None:
    """Append the last `count` things of the collection `name` of `written` to that of `edited`."""
    stored = written.collection_def[name]
    kind, target = stored.WhichOneof("kind"), edited.collection_def[name]
    if kind is None or target.WhichOneof("kind") not in (None, kind):
        raise UsageError(
            f"what was added to the collection {name!r} cannot be kept",
            hint="numbers, texts, tensors, operations and variables can, of one kind in each",
        )
    getattr(target, kind).value.extend(getattr(stored, kind).value[-count:])


def _results(given: object, there: Mapping[str, protos.NodeDef], graph: Any) -> dict[str, str]:
    """Return the tensors that `build` gave by name, each made a node of that name."""
    tf = tensorflow()
    if not isinstance(given, Mapping):
        raise UsageError(
            "the function to extend with must return a dict", found=type(given).__name__
        )
    found = {}
    for name, tensor in given.items():
        if name in there:
            raise UsageError(f"the graph has a node {name!r} already", hint="choose another name")
        if getattr(tensor, "graph", None) is not graph:
            raise UsageError(f"{name!r} is no tensor of the graph", found=type(tensor).__name__)
        named = tensor if tensor.op.name == name else tf.identity(tensor, name=name)
        found[name] = named.name
    return found


def _initial_values(graph: Any, there: Mapping[str, protos.NodeDef]) -> dict[str, ArrayTensor]:
    """Return the initial values of the variables that were made in `graph`, by their nodes."""
    v1 = tensorflow().compat.v1
    made = [
        variable
        for variable in graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES)
        if variable.op.name not in there
    ]
    if not made:
        return {}
    with v1.Session(graph=graph) as session:
        session.run([variable.initializer for variable in made])
        values = session.run([variable.value() for variable in made])
    return {v.op.name: ArrayTensor.of(value) for v, value in zip(made, values, strict=True)}


def _merge(graph: protos.GraphDef, extended: protos.GraphDef) -> None:
    """Add to `graph` the nodes and functions that only `extended` has."""
    there = {node.name for node in graph.node}
    graph.node.extend(node for node in extended.node if node.name not in there)
    known = {function.signature.name for function in graph.library.function}
    for function in extended.library.function:
        if function.signature.name not in known:
            graph.library.function.add().CopyFrom(function)
    for gradient in extended.library.gradient:
        if gradient.function_name not in known:
            graph.library.gradient.add().CopyFrom(gradient)


def _state(
    edited: protos.MetaGraphDef, stated: Signature, results: Mapping[str, str], there: set[str]
) -> None:
    """Make `results` outputs of the signature `stated`, which becomes the default.

    Placeholders that were added and that the results need become inputs, under their names.
    """
    graph, nodes = edited.graph_def, by_name(edited.graph_def)
    outputs = {name: spec_of(graph, tensor, nodes) for name, tensor in results.items()}
    needed = upstream(nodes, results.values()) - there
    inputs = {
        name: spec_of(graph, name, nodes)
        for name in sorted(needed)
        if nodes[name].op == "Placeholder"
    }
    key = next((k for k, s in signatures.signatures(edited).items() if s == stated), None)
    whole = Signature({**stated.inputs, **inputs}, {**stated.outputs, **outputs})
    edited.signature_def[key or signatures.DEFAULT].CopyFrom(signatures.to_proto(whole))
