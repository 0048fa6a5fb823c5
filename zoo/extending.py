"""Add operations to a model with TensorFlow's own functions, and keep the model a model.

Only what is new comes back from TensorFlow's graph: nodes, functions and variables.  The rest of
the model stays bit for bit as it was read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import protos, signatures
from zoo.engine import failing, imported, tensorflow
from zoo.errors import UsageError
from zoo.graph import by_name, tensor_name
from zoo.importable import importable
from zoo.signatures import Signature
from zoo.specs import spec_of
from zoo.tensors import ArrayTensor
from zoo.variables import ALL, TRAINABLE, detached

if TYPE_CHECKING:
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
    meta_graph: protos.MetaGraphDef, weights: Weights, build: Build
) -> tuple[protos.MetaGraphDef, Weights]:
    """Return the model with the operations that `build` adds, its results called by their names.

    Parameters
    ----------
    build
        Called once with the graph's `Tensors`, inside the graph; what it returns by name become
        outputs of the default signature and tensors ``name:0``.  Variables it creates become
        weights with their initial values.

    Raises
    ------
    UsageError
        A result has the name of a node that is there, or is no tensor of the graph.
    RunError
        TensorFlow refused an operation.
    """
    graph = imported(importable(meta_graph, weights))
    there = by_name(meta_graph.graph_def)
    with failing("the operations cannot be added"), graph.as_default():
        results = _results(build(Tensors(graph, list(there))), there, graph)
        variables = _variables(graph)
        extended = protos.GraphDef.FromString(graph.as_graph_def().SerializeToString())
    edited = detached(meta_graph, weights) if variables else _without_objects(meta_graph)
    _merge(edited.graph_def, extended)
    for variable in variables:
        for collection in (ALL, TRAINABLE) if variable.trained else (ALL,):
            edited.collection_def[collection].bytes_list.value.append(variable.entry)
    _state(edited, signatures.signature(meta_graph), results)
    return edited, weights.overlay({variable.name: variable.value for variable in variables})


@dataclass(frozen=True)
class _Variable:
    """A variable that was added: its entry for collections, and its initial value."""

    name: str
    entry: bytes
    trained: bool
    value: ArrayTensor


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


def _variables(graph: Any) -> list[_Variable]:
    """Return the variables that were made in `graph`, which is the default one."""
    v1 = tensorflow().compat.v1
    made = graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES)
    if not made:
        return []
    with v1.Session(graph=graph) as session:
        session.run([variable.initializer for variable in made])
        values = session.run([variable.value() for variable in made])
    return [
        _Variable(v.op.name, v.to_proto().SerializeToString(), v.trainable, ArrayTensor.of(value))
        for v, value in zip(made, values, strict=True)
    ]


def _without_objects(meta_graph: protos.MetaGraphDef) -> protos.MetaGraphDef:
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    edited.ClearField("object_graph_def")
    return edited


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


def _state(edited: protos.MetaGraphDef, stated: Signature, results: Mapping[str, str]) -> None:
    """Make `results` outputs of the signature `stated`, which becomes the default."""
    nodes = by_name(edited.graph_def)
    added = {name: spec_of(edited.graph_def, tensor, nodes) for name, tensor in results.items()}
    key = next((k for k, s in signatures.signatures(edited).items() if s == stated), None)
    whole = Signature(stated.inputs, {**stated.outputs, **added})
    edited.signature_def[key or signatures.DEFAULT].CopyFrom(signatures.to_proto(whole))
