"""A Keras model as a graph plus named weights: traced once, its variables taken out.

The graph computes what the model does in use: dropout is gone, and batch normalisation goes by the
averages it kept.  Each layer's output is a tensor called after the layer, ``"flatten:0"``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import dtypes, protos
from zoo.engine import tensorflow
from zoo.errors import UnsupportedError
from zoo.graph import CONTROL, by_name, source, unique
from zoo.keras_errors import building
from zoo.nodes import node
from zoo.signatures import DEFAULT, Signature, to_proto
from zoo.specs import TensorSpec
from zoo.tensors import ArrayTensor
from zoo.variables import declare, handle
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_READ = "ReadVariableOp"
_STRANGE = re.compile(r"[^A-Za-z0-9_.\-/>]|^[^A-Za-z0-9.]")


def traced(net: Any, inputs: Sequence[str] | None = None) -> tuple[protos.MetaGraphDef, Weights]:
    """Return the graph of `net`, a Keras model with inputs, and its weights by their paths.

    Parameters
    ----------
    inputs
        What its inputs are called; by default as their layers are.

    Raises
    ------
    UnsupportedError
        It needs what is neither a tensor nor a variable: a table of words; or Keras does not
        trace it.
    """
    with building("Keras does not trace the net"):
        trace = _trace(net, inputs or [one._keras_history.operation.name for one in net.inputs])
    made = protos.MetaGraphDef()
    made.meta_info_def.tensorflow_version = tensorflow().__version__
    made.graph_def.ParseFromString(trace.graph.as_graph_def().SerializeToString())
    _forget_reads(made.graph_def)
    names = _renamed(made.graph_def, trace.names())
    weights = _take_out(made.graph_def, trace, names)
    held = {names[old]: one for old, one in trace.variables.items()}
    shapes = {name: weights.tensor(name).shape for name in held}
    declare(made, shapes, {name for name, one in held.items() if one.trainable})
    stated = Signature(_specs(trace.inputs, names), _specs(trace.outputs, names))
    made.signature_def[DEFAULT].CopyFrom(to_proto(stated))
    return made, weights


@dataclass(frozen=True)
class _Trace:
    """A net as TensorFlow traced it; all names are those of the traced graph's nodes.

    Attributes
    ----------
    graph
        What TensorFlow traced.
    inputs, outputs
        The tensors by the names of the layers that they come from.
    layers
        The same for the outputs of other layers.
    variables
        Keras variables by the node that stands for each.
    constants
        Values that the net holds beside its variables, by the node that stands for each.
    prefix
        What the paths of all the net's own variables begin with.
    """

    graph: Any
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    layers: Mapping[str, Any]
    variables: Mapping[str, Any]
    constants: Mapping[str, Any]
    prefix: str

    def names(self) -> dict[str, str]:
        """Return what each node is to be called whose name means something."""
        found = {old: one.path.removeprefix(self.prefix) for old, one in self.variables.items()}
        for ends in (self.inputs, self.outputs, self.layers):
            found |= {tensor.op.name: name for name, tensor in ends.items()}
        return found


def _trace(net: Any, names: Sequence[str]) -> _Trace:
    import keras  # type: ignore[import-untyped]

    tf = tensorflow()
    inputs = _called(names, net.inputs)
    outputs = _called(_names_of_outputs(net), net.outputs)
    layers = {name: one for name, one in _layer_outputs(net) if name not in {**inputs, **outputs}}
    whole = keras.Model(net.inputs, {**outputs, **layers}, name=net.name)

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def called(*values: Any) -> Any:
        """Return all outputs for `values`, in use."""
        return whole(list(values), training=False)

    specs = [tf.TensorSpec(one.shape, one.dtype, name=_tidy(name)) for name, one in inputs.items()]
    function = tf.function(called).get_concrete_function(*specs)
    given = dict(zip(inputs, function.graph.inputs, strict=False))
    found = function.structured_outputs
    variables, constants = _captured(net, function.graph)
    return _Trace(
        function.graph,
        given,
        {name: found[name] for name in outputs},
        {name: found[name] for name in layers},
        variables,
        constants,
        f"{net.name}/",
    )


def _called(names: Iterable[str], tensors: Iterable[Any]) -> dict[str, Any]:
    """Return `tensors` by `names`, which may repeat themselves."""
    taken: set[str] = set()
    return {unique(name, taken): tensor for name, tensor in zip(names, tensors, strict=True)}


def _names_of_outputs(net: Any) -> list[str]:
    return list(getattr(net, "output_names", None) or [net.layers[-1].name])


def _layer_outputs(net: Any) -> Iterable[tuple[str, Any]]:
    """Yield the layers of `net` that give one tensor, at one place in the net, and this."""
    for layer in net.layers:
        try:
            output = _called_output(layer) if hasattr(layer, "layers") else layer.output
        except (AttributeError, ValueError):
            continue
        if hasattr(output, "shape"):
            yield layer.name, output


def _called_output(model: Any) -> Any:
    """Return what a model inside of a model gives where it is called, if once; not where it ends.

    Raises
    ------
    ValueError
        It is called several times, or gives several tensors.
    """
    ((output,),) = (call.output_tensors for call in model._inbound_nodes)
    return output


def _captured(net: Any, graph: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the variables and constants of `net` by the nodes that stand for them in `graph`.

    Raises
    ------
    UnsupportedError
        A node stands for something else.
    """
    variables = {id(one.value.handle): one for one in net.variables}
    captured = {inner.op.name: outer for outer, inner in graph.captures}
    held = {name: variables.get(id(one)) for name, one in captured.items()}
    nodes = by_name(protos.GraphDef.FromString(graph.as_graph_def().SerializeToString()))
    for name, outer in captured.items():
        if held[name] is None and outer.dtype == tensorflow().resource:
            held[name] = _state(nodes, name, outer)
    known = {name: one for name, one in held.items() if one is not None}
    others = {name: one for name, one in captured.items() if name not in known}
    return known, {name: one.numpy() for name, one in others.items()}


@dataclass(frozen=True)
class _State:
    """A variable that the net keeps to itself: what a recurrent layer remembers between calls."""

    path: str
    value: Any
    trainable: bool = False


def _state(nodes: Mapping[str, protos.NodeDef], name: str, handle: Any) -> _State:
    """Return the variable behind the node `name`.

    Raises
    ------
    UnsupportedError
        There is no variable behind it.
    """
    reads = [n for n in nodes.values() if n.op == _READ and name in map(source, n.input)]
    if not reads:
        raise UnsupportedError(
            "the net looks words up in a table, which only a SavedModel can hold",
            found=name,
            hint="net.export(folder) of Keras makes one, which zoo opens",
        )
    tf = tensorflow()
    dtype = tf.as_dtype(reads[0].attr["dtype"].type)
    value = tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype)
    return _State(f"{name.partition('/')[2].partition('/')[0]}/state", value)


def _forget_reads(graph: protos.GraphDef) -> None:
    """Free the outputs of waiting for every variable to be read, which pruning would keep."""
    nodes = by_name(graph)
    for one in graph.node:
        if one.op == "NoOp":
            _keep_inputs(one, lambda edge: nodes[source(edge)].op != _READ)
    idle = {one.name for one in graph.node if one.op == "NoOp" and not one.input}
    for one in graph.node:
        _keep_inputs(one, lambda edge: source(edge) not in idle)
    kept = [one for one in graph.node if one.name not in idle]
    del graph.node[:]
    graph.node.extend(kept)


def _keep_inputs(one: protos.NodeDef, wanted: Any) -> None:
    kept = [edge for edge in one.input if wanted(edge)]
    if len(kept) < len(one.input):
        del one.input[:]
        one.input.extend(kept)


def _renamed(graph: protos.GraphDef, wanted: Mapping[str, str]) -> dict[str, str]:
    """Give nodes of `graph` the names that are `wanted`, and return those that they got."""
    taken = {one.name for one in graph.node} - set(wanted)
    names = {old: unique(_tidy(new), taken) for old, new in wanted.items()}
    for one in graph.node:
        one.name = names.get(one.name, one.name)
        edges = [_edge(edge, names) for edge in one.input]
        del one.input[:]
        one.input.extend(edges)
    return names


def _edge(edge: str, names: Mapping[str, str]) -> str:
    new = names.get(source(edge))
    if new is None:
        return edge
    mark = CONTROL if edge.startswith(CONTROL) else ""
    return mark + new + edge.removeprefix(mark)[len(source(edge)) :]


def _tidy(name: str) -> str:
    return _STRANGE.sub("_", name)


def _take_out(graph: protos.GraphDef, trace: _Trace, names: Mapping[str, str]) -> Weights:
    """Put variables and constants where `graph` has placeholders for them; return the weights."""
    held = {names[old]: one for old, one in trace.variables.items()}
    weights = {name: ArrayTensor.of(one.value.numpy()) for name, one in held.items()}
    for one in graph.node:
        if one.name in weights:
            one.CopyFrom(handle(one.name, weights[one.name].dtype, weights[one.name].shape))
        elif one.name in trace.constants:
            value = ArrayTensor.of(trace.constants[one.name])
            one.CopyFrom(node(one.name, "Const", dtype=value.dtype, value=value))
    return Weights(weights)


def _specs(tensors: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, TensorSpec]:
    return {
        name: TensorSpec(
            f"{names[one.op.name]}:0",
            dtypes.dtype(one.dtype.as_datatype_enum),
            None if one.shape.rank is None else tuple(one.shape.as_list()),
        )
        for name, one in tensors.items()
    }
