"""The signatures of a model: by which names it is called, and which tensors these are.

A SavedModel states them; where nothing does, the ends of the graph are one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import dtypes, protos, session_bundle
from zoo.ends import found_inputs, found_outputs
from zoo.errors import UnknownNameError, UnsupportedError, UsageError, did_you_mean, some
from zoo.graph import by_name, port, source, upstream
from zoo.nodes import shape as shape_proto
from zoo.specs import TensorSpec, sizes_of, spec_of
from zoo.tensor_protos import from_proto
from zoo.variables import detached
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zoo.weights import Weights

DEFAULT = "serving_default"
PREDICT = "tensorflow/serving/predict"
_HUB_DEFAULT = "default"
_OWN = "__saved_model"
_SPARSE = ("values_tensor_name", "indices_tensor_name", "dense_shape_tensor_name")


@dataclass(frozen=True)
class Signature:
    """One way to call a model: the tensors to feed and to fetch, by the names callers use."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


def signatures(meta_graph: protos.MetaGraphDef) -> dict[str, Signature]:
    """Return the signatures that `meta_graph` states, but for TensorFlow's own."""
    return {
        key: Signature(_specs(stated.inputs), _specs(stated.outputs))
        for key, stated in sorted(meta_graph.signature_def.items())
        if not key.startswith(_OWN)
    } or _of_session_bundle(meta_graph)


def _of_session_bundle(meta_graph: protos.MetaGraphDef) -> dict[str, Signature]:
    """Return the signatures that a collection states, those left out whose tensors are gone."""
    stated = session_bundle.stated(meta_graph, DEFAULT)
    nodes = by_name(meta_graph.graph_def) if stated else {}

    def specs(tensors: Mapping[str, str]) -> dict[str, TensorSpec]:
        """Return what the graph says of `tensors`, by the same names."""
        return {k: spec_of(meta_graph.graph_def, t, nodes) for k, t in tensors.items()}

    return {
        key: Signature(specs(inputs), specs(outputs))
        for key, (inputs, outputs) in stated.items()
        if all(source(tensor) in nodes for tensor in (*inputs.values(), *outputs.values()))
    }


def signature(meta_graph: protos.MetaGraphDef, key: str | None = None) -> Signature:
    """Return the signature `key`, or the one to take when none is named.

    That is ``serving_default``, or the only one there is, or what the graph shows.

    Raises
    ------
    UnknownNameError
        There is no signature `key`.
    UsageError
        There are several, and none is the default.
    """
    stated = signatures(meta_graph)
    if key is not None and key not in stated:
        raise UnknownNameError(
            f"the model has no signature {key!r}",
            found=some(stated) or "no signatures",
            hint=did_you_mean(key, stated),
        )
    if key is None and not stated:
        return inferred(meta_graph)
    if key is not None:
        return stated[key]
    for choice in (DEFAULT, _HUB_DEFAULT):
        if choice in stated:
            return stated[choice]
    if len(stated) == 1:
        return next(iter(stated.values()))
    raise UsageError(
        "the model has several signatures and no default",
        found=some(stated),
        hint="name one with --signature",
    )


def inferred(
    meta_graph: protos.MetaGraphDef,
    view: View | None = None,
    outputs: Sequence[TensorSpec] | None = None,
) -> Signature:
    """Return what the graph shows as a signature, each tensor called by its node.

    A placeholder with a default (a dropout rate, a training switch) is an input only where there
    is no other, or where its default is a shape with an open size, as that of a sparse value: it
    can still be fed by its name.

    Parameters
    ----------
    view
        The graph as it is viewed already.
    outputs
        What it puts out; by default everything that no operation uses.
    """
    view = View(meta_graph.graph_def) if view is None else view
    if outputs is None:
        outputs = [output.spec for output in found_outputs(meta_graph, view)]
    needed = view.upstream(spec.tensor for spec in outputs)
    inputs = [spec for spec in found_inputs(meta_graph, view) if source(spec.tensor) in needed]
    must = [s for s in inputs if _must_be_given(view.nodes[source(s.tensor)], view.nodes)]
    return Signature(_called(must or inputs, {}), _called(outputs, {}))


def _must_be_given(node: protos.NodeDef, nodes: Mapping[str, protos.NodeDef]) -> bool:
    if node.op != "PlaceholderWithDefault":
        return True
    default = nodes.get(source(node.input[0])) if node.input else None
    if default is None or default.op != "Const":
        return False
    value = default.attr["value"].tensor
    if value.dtype != dtypes.named("int64").number or len(value.tensor_shape.dim) != 1:
        return False
    return bool((from_proto(value).read() < 0).any())


def state(
    meta_graph: protos.MetaGraphDef,
    inputs: Iterable[str],
    outputs: Iterable[str],
    known: Mapping[str, Signature] | None = None,
) -> Signature:
    """Return a signature over tensors, called as in `known` ones, else by their node."""
    graph = meta_graph.graph_def
    nodes = by_name(graph)
    keys_in, keys_out = {}, {}
    for stated in (known or {}).values():
        keys_in.update({spec.tensor: key for key, spec in stated.inputs.items()})
        keys_out.update({spec.tensor: key for key, spec in stated.outputs.items()})
    return Signature(
        _called([spec_of(graph, name, nodes) for name in inputs], keys_in),
        _called([spec_of(graph, name, nodes) for name in outputs], keys_out),
    )


def named(
    meta_graph: protos.MetaGraphDef, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> Signature:
    """Return a signature with the tensors of `inputs` and `outputs`, under their keys.

    A shape that another signature states of a tensor is taken over.

    Raises
    ------
    UnknownNameError
        The graph has no such tensor.
    """
    graph = meta_graph.graph_def
    nodes = by_name(graph)
    stated = [*signatures(meta_graph).values()]
    known = {s.tensor: s for one in stated for s in (*one.inputs.values(), *one.outputs.values())}

    def specs(tensors: Mapping[str, str]) -> dict[str, TensorSpec]:
        """Return what is known of `tensors`, by the same names."""
        return {k: known.get(t) or spec_of(graph, t, nodes) for k, t in tensors.items()}

    return Signature(specs(inputs), specs(outputs))


def stating(
    meta_graph: protos.MetaGraphDef, weights: Weights, key: str, stated: Signature
) -> protos.MetaGraphDef:
    """Return `meta_graph` with the signature `stated` as `key`; as it is where it says so already.

    An object graph, which has signatures of its own, goes.
    """
    made = to_proto(stated)
    if meta_graph.signature_def.get(key) == made:
        return meta_graph
    if meta_graph.object_graph_def.nodes:
        edited = detached(meta_graph, weights)
    else:
        edited = protos.MetaGraphDef()
        edited.CopyFrom(meta_graph)
    edited.signature_def[key].CopyFrom(made)
    return edited


def to_proto(stated: Signature) -> protos.SignatureDef:
    """Return `stated` as a SavedModel holds it."""
    made = protos.SignatureDef(method_name=PREDICT)
    for side, specs in ((made.inputs, stated.inputs), (made.outputs, stated.outputs)):
        for key, spec in specs.items():
            _name(side[key], spec.tensor)
            side[key].dtype = spec.dtype.number
            side[key].tensor_shape.CopyFrom(shape_proto(spec.shape))
    return made


def _name(info: protos.TensorInfo, tensor: str) -> None:
    """Let `info` name `tensor`, or the three of a sparse one."""
    parts = tensor.split(",")
    if len(parts) == 1:
        info.name = tensor
    elif len(parts) == len(_SPARSE):
        for field, part in zip(_SPARSE, parts, strict=True):
            setattr(info.coo_sparse, field, part)
    else:
        raise UnsupportedError("a ragged value cannot be stated anew", found=tensor)


def tensors(info: protos.TensorInfo) -> list[str]:
    """Return the tensors that `info` names: one, or several if it is sparse or composite."""
    kind = info.WhichOneof("encoding")
    if kind == "coo_sparse":
        return [getattr(info.coo_sparse, field) for field in _SPARSE]
    if kind == "composite_tensor":
        return [component.name for component in info.composite_tensor.components]
    return [str(info.name)]


def sides(stated: protos.SignatureDef) -> tuple[list[str], list[str]]:
    """Return all tensors that `stated` takes, and all that it puts out."""
    inputs = [tensor for info in stated.inputs.values() for tensor in tensors(info)]
    outputs = [tensor for info in stated.outputs.values() for tensor in tensors(info)]
    return inputs, outputs


def fed_only(
    meta_graph: protos.MetaGraphDef, graph: protos.GraphDef, outputs: Iterable[str]
) -> list[str]:
    """Return the placeholders in `graph` that are inputs of signatures with no other outputs.

    One that no output needs is still an input.
    """
    nodes = by_name(graph)
    kept = upstream(nodes, outputs)
    placeholders = {name for name, node in nodes.items() if node.op.startswith("Placeholder")}
    found = []
    for stated in meta_graph.signature_def.values():
        inputs, given = sides(stated)
        if given and all(source(tensor) in kept for tensor in given):
            found += [tensor for tensor in inputs if source(tensor) in placeholders]
    return found


def _specs(infos: Mapping[str, protos.TensorInfo]) -> dict[str, TensorSpec]:
    found = {}
    for key, info in sorted(infos.items()):
        unknown = info.tensor_shape.unknown_rank or not info.HasField("tensor_shape")
        sizes = None if unknown else sizes_of(info.tensor_shape)
        found[key] = TensorSpec(",".join(tensors(info)), dtypes.dtype(info.dtype or 1), sizes)
    return found


def _called(specs: Iterable[TensorSpec], keys: Mapping[str, str]) -> dict[str, TensorSpec]:
    """Return `specs` by the `keys` there are for their tensors, the rest by their nodes."""
    called: dict[str, TensorSpec] = {}
    for spec in specs:
        name = keys.get(spec.tensor, source(spec.tensor))
        called[f"{name}_{port(spec.tensor)}" if name in called else name] = spec
    return called
