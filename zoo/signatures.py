"""What a model takes and gives: its signatures, or what its graph shows where it has none.

A SavedModel says by name which tensors go in and come out.  Checkpoints and frozen graphs do not:
there the placeholders are the inputs, and what no other operation uses is an output.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import dtypes, ops, protos
from zoo.errors import UnknownNameError, UsageError, did_you_mean, some
from zoo.graph import (
    by_name,
    consumers,
    data_inputs,
    port,
    source,
    tensor_name,
    upstream,
)
from zoo.nodes import shape as shape_proto
from zoo.variables import all_definitions, is_variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from zoo.dtypes import DType

DEFAULT = "serving_default"
PREDICT = "tensorflow/serving/predict"
_HUB_DEFAULT = "default"
_OWN = "__saved_model"
_INPUTS = {"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"}
_LAST_SCALAR_MEANS_UNKNOWN = 21
"""Up to this producer version a placeholder of no shape was written as a scalar."""

_TRAINS = re.compile(
    r"(Resource)?(Sparse)?Apply[A-Z]|Assign|(Resource)?Scatter(Nd)?(Add|Sub|Update|Mul|Div|Min|Max)$"
    r"|Save|MergeV2Checkpoints|.*Summary|.*SummaryV2|Assert|Print|Queue|Close|InitializeTable"
    r"|LookupTableImport|LookupTableInsert|DestroyResource|IsVariableInitialized|VarIsInitialized"
)

Sizes = tuple[int | None, ...] | None
"""A shape with None for open axes; None altogether where even the rank is open."""


@dataclass(frozen=True)
class TensorSpec:
    """A tensor of the graph: its name, dtype, and what is known of its shape.

    A ragged or sparse value is several tensors; their names stand with commas between.
    """

    tensor: str
    dtype: DType
    shape: Sizes

    def __str__(self) -> str:
        sizes = "unknown shape" if self.shape is None else _spelled(self.shape)
        return f"{self.dtype} {sizes}"


@dataclass(frozen=True)
class Signature:
    """One way to call a model: the tensors to feed and to fetch, by the names callers use."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


@dataclass(frozen=True)
class Output:
    """A tensor that looks like an output, and why."""

    spec: TensorSpec
    why: str


def signatures(meta_graph: protos.MetaGraphDef) -> dict[str, Signature]:
    """Return the signatures that `meta_graph` states, without those that TensorFlow keeps for itself."""
    return {
        key: Signature(_specs(stated.inputs), _specs(stated.outputs))
        for key, stated in sorted(meta_graph.signature_def.items())
        if not key.startswith(_OWN)
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


def inferred(meta_graph: protos.MetaGraphDef) -> Signature:
    """Return what the graph shows as a signature, each tensor called by its node.

    A placeholder with a default (a dropout rate, a training switch) is an input only where there is no
    other: it can still be fed by its name.
    """
    outputs = [output.spec for output in found_outputs(meta_graph)]
    nodes = by_name(meta_graph.graph_def)
    needed = upstream(nodes, [spec.tensor for spec in outputs])
    inputs = [spec for spec in found_inputs(meta_graph) if source(spec.tensor) in needed]
    must = [s for s in inputs if nodes[source(s.tensor)].op != "PlaceholderWithDefault"]
    return Signature(_called(must or inputs, {}), _called(outputs, {}))


def found_inputs(meta_graph: protos.MetaGraphDef) -> list[TensorSpec]:
    """Return the placeholders of the graph, without those of its saver and of its assets."""
    own = {source(meta_graph.saver_def.filename_tensor_name)}
    own |= {source(asset.tensor_info.name) for asset in meta_graph.asset_file_def}
    nodes = by_name(meta_graph.graph_def)
    saver = upstream(nodes, own) | own
    return [
        spec_of(meta_graph.graph_def, f"{node.name}:0", nodes)
        for node in meta_graph.graph_def.node
        if node.op in _INPUTS and node.name not in saver
    ]


def found_outputs(meta_graph: protos.MetaGraphDef) -> list[Output]:
    """Return the tensors that no operation uses but those that train, save or initialize."""
    graph = meta_graph.graph_def
    nodes = by_name(graph)
    aside = _set_aside(meta_graph, nodes)
    fed = _reached(graph, [source(spec.tensor) for spec in found_inputs(meta_graph)])
    sinks = [name for name in _sinks(graph, aside) if _puts_out(nodes[name])]
    reached = [name for name in sinks if name in fed]
    why = "no other operation uses it" + (", and it depends on the inputs" if reached else "")
    return [
        Output(spec_of(graph, f"{name}:{number}", nodes), why)
        for name in reached or sinks
        for number in _loose_ports(graph, nodes[name])
    ]


def spec_of(
    graph: protos.GraphDef, tensor: str, nodes: Mapping[str, protos.NodeDef] | None = None
) -> TensorSpec:
    """Return what the graph says of `tensor`: the dtype its operation gives, and its shape if known.

    Raises
    ------
    UnknownNameError
        The graph has no such tensor.
    """
    nodes = by_name(graph) if nodes is None else nodes
    node = nodes.get(source(tensor))
    if node is None:
        raise UnknownNameError(f"the graph has no tensor {tensor!r}")
    given = _given(graph, node)
    number = port(tensor)
    if number >= len(given):
        raise UnknownNameError(
            f"the graph has no tensor {tensor!r}", found=f"{node.op} with {len(given)} outputs"
        )
    return TensorSpec(tensor_name(tensor), given[number], _shape(graph, node, number))


def scalar_means_unknown(graph: protos.GraphDef, node: protos.NodeDef) -> bool:
    """Tell whether `node` is a placeholder of any shape, as old versions wrote one: as a scalar."""
    old = graph.versions.producer <= _LAST_SCALAR_MEANS_UNKNOWN
    shape = node.attr["shape"].shape if "shape" in node.attr else None
    return bool(old and node.op == "Placeholder" and shape is not None and not shape.dim)


def state(
    meta_graph: protos.MetaGraphDef,
    inputs: Iterable[str],
    outputs: Iterable[str],
    known: Mapping[str, Signature] | None = None,
) -> Signature:
    """Return a signature over the tensors named: called as in `known` signatures, else by their node."""
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
    """Return a signature with the tensors of `inputs` and `outputs`, each under the key it has there.

    Raises
    ------
    UnknownNameError
        The graph has no such tensor.
    """
    graph = meta_graph.graph_def
    nodes = by_name(graph)
    return Signature(
        {key: spec_of(graph, tensor, nodes) for key, tensor in inputs.items()},
        {key: spec_of(graph, tensor, nodes) for key, tensor in outputs.items()},
    )


def to_proto(stated: Signature) -> protos.SignatureDef:
    """Return `stated` as a SavedModel holds it."""
    made = protos.SignatureDef(method_name=PREDICT)
    for side, specs in ((made.inputs, stated.inputs), (made.outputs, stated.outputs)):
        for key, spec in specs.items():
            side[key].name = spec.tensor
            side[key].dtype = spec.dtype.number
            side[key].tensor_shape.CopyFrom(shape_proto(spec.shape))
    return made


def _specs(infos: Mapping[str, protos.TensorInfo]) -> dict[str, TensorSpec]:
    found = {}
    for key, info in sorted(infos.items()):
        unknown = info.tensor_shape.unknown_rank or not info.HasField("tensor_shape")
        sizes = None if unknown else _sizes(info.tensor_shape)
        found[key] = TensorSpec(_tensors(info), dtypes.dtype(info.dtype or 1), sizes)
    return found


def _tensors(info: protos.TensorInfo) -> str:
    """Return the tensor that `info` names; sparse and composite ones are several, with commas between."""
    kind = info.WhichOneof("encoding")
    if kind == "coo_sparse":
        sparse = info.coo_sparse
        parts = (
            sparse.values_tensor_name,
            sparse.indices_tensor_name,
            sparse.dense_shape_tensor_name,
        )
        return ",".join(parts)
    if kind == "composite_tensor":
        return ",".join(component.name for component in info.composite_tensor.components)
    return str(info.name)


def _called(specs: Iterable[TensorSpec], keys: Mapping[str, str]) -> dict[str, TensorSpec]:
    """Return `specs` by the `keys` there are for their tensors, the rest by their nodes."""
    called: dict[str, TensorSpec] = {}
    for spec in specs:
        name = keys.get(spec.tensor, source(spec.tensor))
        called[f"{name}_{port(spec.tensor)}" if name in called else name] = spec
    return called


def _set_aside(meta_graph: protos.MetaGraphDef, nodes: Mapping[str, protos.NodeDef]) -> set[str]:
    """Return the nodes that save, restore, initialize or train: their inputs can be outputs."""
    saver = meta_graph.saver_def
    roots = {source(name) for name in (saver.save_tensor_name, saver.restore_op_name) if name}
    aside = {name for name in roots if name in nodes}
    aside |= {source(entry.initializer_name) for entry in all_definitions(meta_graph).values()}
    aside |= {name for name, node in nodes.items() if _TRAINS.match(node.op)}
    backward = (
        name for name in nodes if any(p.startswith("gradients") for p in name.split("/")[:-1])
    )
    return aside | set(backward)


def _sinks(graph: protos.GraphDef, aside: set[str]) -> Iterator[str]:
    """Yield the nodes outside `aside` whose values go nowhere but into `aside`."""
    used = {
        source(edge) for node in graph.node if node.name not in aside for edge in data_inputs(node)
    }
    for node in graph.node:
        if node.name not in used and node.name not in aside:
            yield node.name


def _puts_out(node: protos.NodeDef) -> bool:
    """Tell whether `node` computes values that a caller may want."""
    idle = node.op in {"Const", "NoOp", "ReadVariableOp", *_INPUTS} or is_variable(node)
    op = ops.op(node.op)
    return not idle and (op is None or bool(op.outputs))


def _loose_ports(graph: protos.GraphDef, node: protos.NodeDef) -> list[int]:
    given = _given(graph, node)
    return [number for number, dtype in enumerate(given) if dtype is not dtypes.RESOURCE]


def _reached(graph: protos.GraphDef, roots: list[str]) -> set[str]:
    users = consumers(graph)
    found: set[str] = set()
    todo = list(roots)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(
                user.name for user, at in users.get(name, ()) if not user.input[at].startswith("^")
            )
    return found


def _given(graph: protos.GraphDef, node: protos.NodeDef) -> list[DType]:
    """Return the dtypes of the outputs of `node`; for an operation nobody knows, a guess at one."""
    if ops.op(node.op) is not None:
        return ops.dtypes_of(node)
    for function in graph.library.function:
        if function.signature.name == node.op:
            return [dtypes.dtype(output.type) for output in function.signature.output_arg]
    typed = [node.attr[key].type for key in ("dtype", "T", "Tout") if key in node.attr]
    return [dtypes.dtype(number) for number in typed[:1] if number] or [dtypes.dtype(1)]


def _shape(graph: protos.GraphDef, node: protos.NodeDef, number: int) -> Sizes:
    if node.op in _INPUTS or is_variable(node):
        if "shape" not in node.attr or node.attr["shape"].shape.unknown_rank:
            return None
        return None if scalar_means_unknown(graph, node) else _sizes(node.attr["shape"].shape)
    if node.op == "Const":
        return _sizes(node.attr["value"].tensor.tensor_shape)
    if "_output_shapes" in node.attr:
        shapes = node.attr["_output_shapes"].list.shape
        if number < len(shapes) and not shapes[number].unknown_rank:
            return _sizes(shapes[number])
    return None


def _sizes(proto: protos.TensorShapeProto) -> tuple[int | None, ...]:
    return tuple(dim.size if dim.size >= 0 else None for dim in proto.dim)


def _spelled(sizes: Iterable[int | None]) -> str:
    return "(" + ", ".join("?" if size is None else str(size) for size in sizes) + ")"
