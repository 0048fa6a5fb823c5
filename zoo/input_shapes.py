"""Other shapes for a model's inputs: another batch size, images of another size.

The placeholder and the signatures say the new shape.  What was inferred of the old one goes: shapes
noted at operations, and sizes of outputs where a fixed size changed.  Whether the graph computes
with the new shape shows in full only when TensorFlow builds it; what takes the input at once is
asked here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from zoo import protos
from zoo.errors import InputError, UnknownNameError, UnsupportedError, did_you_mean, some
from zoo.graph import by_name, consumers, data_inputs, downstream, forget_output_shapes, source
from zoo.nodes import shape as shape_proto
from zoo.restorable import flattened
from zoo.signatures import tensors
from zoo.specs import INPUTS, Sizes, spec_of
from zoo.tensor_protos import from_proto

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zoo.weights import Weights

_MOST = (1 << 63) - 1
_PASS_ON = {"Identity", "StopGradient", "Cast"}
_READS = {*_PASS_ON, "ReadVariableOp"}
_INNER = {"MatMul": 1, "Conv2D": 3}
"""The number of the last axis of the input, which meets the axis before that of the kernel."""
_STATE_SHAPES = {"While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase"}


def with_shapes(
    meta_graph: protos.MetaGraphDef,
    weights: Weights,
    shapes: Mapping[str, Sequence[int | None]],
) -> protos.MetaGraphDef:
    """Return the graph with inputs of these `shapes`; calls are inlined for it.

    Parameters
    ----------
    shapes
        Sizes by the input's name in a signature, or its tensor; None or -1 for an open axis.

    Raises
    ------
    UnknownNameError
        There is no such input.
    InputError
        The graph contradicts a shape: another rank, a kernel or a reshape that it does not fit.
    """
    named = {name: _sizes(name, given) for name, given in shapes.items()}
    wanted = {node: sizes for name, sizes in named.items() for node in _nodes(meta_graph, name)}
    for name, sizes in wanted.items():
        _check(meta_graph.graph_def, name, sizes)
    edited = protos.MetaGraphDef()
    edited.CopyFrom(flattened(meta_graph, weights))
    for name, sizes in wanted.items():
        _check_users(edited.graph_def, weights, name, sizes)
    fixed_changed = [name for name in wanted if _lost(meta_graph, name, wanted[name])]
    for node in edited.graph_def.node:
        if node.name in wanted:
            node.attr["shape"].shape.CopyFrom(shape_proto(wanted[node.name]))
    _forget_inferred(edited.graph_def)
    _state(edited, wanted, downstream(edited.graph_def, fixed_changed))
    return edited


def changes(before: protos.MetaGraphDef, after: protos.MetaGraphDef) -> list[str]:
    """Return a sentence for each input whose fixed size became another one."""
    there = by_name(before.graph_def)
    found = []
    for node in after.graph_def.node:
        if node.op in INPUTS and node.name in there:
            new = spec_of(after.graph_def, node.name).shape
            if new is not None and _lost(before, node.name, new):
                old = spec_of(before.graph_def, node.name)
                now = spec_of(after.graph_def, node.name)
                found.append(f"changed the fixed shape of the input {node.name}: {old} to {now}")
    return found


def _sizes(name: str, given: Sequence[int | None]) -> tuple[int | None, ...]:
    sizes = tuple(None if size in (None, -1) else size for size in given)
    if not all(size is None or _is_size(size) for size in sizes):
        raise InputError(
            f"{name!r} cannot have this shape",
            found=str(tuple(given)),
            hint="sizes are 0 or more; ? or -1 leaves an axis open",
        )
    return sizes


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _nodes(meta_graph: protos.MetaGraphDef, name: str) -> list[str]:
    """Return the placeholders that `name` means: one, or one of each of several signatures."""
    stated = [one.inputs for one in meta_graph.signature_def.values()]
    infos = [infos[name] for infos in stated if name in infos]
    found = [tensor for info in infos for tensor in tensors(info)] or [name]
    if len(found) > len(infos) > 0:
        raise UnsupportedError(
            f"the input {name!r} is several tensors, which have no shape", found=some(found)
        )
    nodes = by_name(meta_graph.graph_def)
    inputs = {n.name for n in nodes.values() if n.op in INPUTS}
    strange = [tensor for tensor in found if source(tensor) not in inputs]
    if strange:
        keys = {key for infos in stated for key in infos}
        raise UnknownNameError(
            f"the model has no input {name!r}",
            found=some(sorted(keys or inputs)) or "no inputs",
            hint=did_you_mean(name, keys | inputs),
        )
    return sorted({source(tensor) for tensor in found})


def _check(graph: protos.GraphDef, name: str, sizes: Sequence[int | None]) -> None:
    """Check `sizes` against what is known of the placeholder `name` itself."""
    spec = spec_of(graph, name)
    if spec.shape is not None and len(spec.shape) != len(sizes):
        raise _contradiction(name, sizes, f"{spec}, which has {len(spec.shape)} axes")
    if math.prod(size or 1 for size in sizes) * max(spec.dtype.itemsize, 1) > _MOST:
        raise _contradiction(name, sizes, f"{spec.dtype}: no memory holds so many")
    node = by_name(graph)[name]
    if node.op == "PlaceholderWithDefault":
        default = spec_of(graph, node.input[0]).shape
        if default is not None and not _fits(default, sizes):
            raise _contradiction(name, sizes, f"a default of the shape {list(default)}")


def _fits(known: Sequence[int | None], sizes: Sequence[int | None]) -> bool:
    pairs = list(zip(known, sizes, strict=False))
    return len(known) == len(sizes) and all(None in pair or pair[0] == pair[1] for pair in pairs)


def _check_users(
    graph: protos.GraphDef, weights: Weights, name: str, sizes: Sequence[int | None]
) -> None:
    """Check `sizes` against the kernels and reshapes that take the placeholder `name` at once."""
    nodes = by_name(graph)
    for user in _takers(graph, name):
        other = data_inputs(user)[1]
        if user.op == "Reshape":
            _check_reshape(nodes.get(source(other)), name, sizes)
            continue
        kernel = _kernel(nodes, weights, other)
        if kernel is None or not _is_plain(user) or len(sizes) != _INNER[user.op] + 1:
            continue
        inner, last = kernel[_INNER[user.op] - 1], sizes[-1]
        if last not in (None, inner) and not (user.op == "Conv2D" and _in_groups(last, kernel)):
            raise _contradiction(name, sizes, f"{user.op} {user.name!r} with {inner} there")


def _in_groups(channels: int | None, kernel: tuple[int, ...]) -> bool:
    """Tell whether a convolution can take so many `channels` in several groups."""
    groups, rest = divmod(channels or 0, kernel[2] or 1)
    return bool(groups and not rest and kernel[3] % groups == 0)


def _takers(graph: protos.GraphDef, name: str) -> Iterator[protos.NodeDef]:
    """Yield what takes the value of `name` as its first input and has something to say of it."""
    users, todo, seen = consumers(graph.node), [name], {name}
    while todo:
        for user, position in users.get(todo.pop(), ()):
            if position:
                continue
            if user.op in _PASS_ON and user.name not in seen:
                seen.add(user.name)
                todo.append(user.name)
            elif (user.op in _INNER or user.op == "Reshape") and len(data_inputs(user)) > 1:
                yield user


def _is_plain(user: protos.NodeDef) -> bool:
    """Tell whether the last axis of the first input of `user` is the one that meets its kernel."""
    turned = any(key in user.attr and user.attr[key].b for key in ("transpose_a", "transpose_b"))
    return not turned and ("data_format" not in user.attr or user.attr["data_format"].s == b"NHWC")


def _kernel(
    nodes: Mapping[str, protos.NodeDef], weights: Weights, edge: str
) -> tuple[int, ...] | None:
    """Return the shape of the weight that `edge` brings, None if it is none."""
    node = nodes.get(source(edge))
    while (
        node is not None and node.name not in weights and node.op in {*_PASS_ON, "ReadVariableOp"}
    ):
        node = nodes.get(source(node.input[0]))
    return weights.tensor(node.name).shape if node is not None and node.name in weights else None


def _check_reshape(target: protos.NodeDef | None, name: str, sizes: Sequence[int | None]) -> None:
    if target is None or target.op != "Const" or None in sizes:
        return
    wanted = [int(size) for size in from_proto(target.attr["value"].tensor).read().reshape(-1)]
    given, fixed = math.prod(size or 0 for size in sizes), math.prod(s for s in wanted if s >= 0)
    if (given % fixed if fixed else given) if -1 in wanted else given != fixed:
        raise _contradiction(name, sizes, f"a reshape to {wanted}")


def _contradiction(name: str, sizes: Sequence[int | None], found: str) -> InputError:
    spelled = ",".join("?" if size is None else str(size) for size in sizes)
    return InputError(f"the input {name!r} cannot have the shape {spelled}", found=found)


def _lost(meta_graph: protos.MetaGraphDef, name: str, new: Sequence[int | None]) -> bool:
    """Tell whether `new` has not each size that the placeholder `name` had fixed."""
    old = spec_of(meta_graph.graph_def, name).shape
    pairs = zip(old or (), new, strict=False)
    return any(before is not None and before != after for before, after in pairs)


def _forget_inferred(graph: protos.GraphDef) -> None:
    """Take out of `graph` what was inferred of shapes, in its functions too."""
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    for nodes in bodies:
        forget_output_shapes(nodes)
        for node in nodes:
            if node.op in _STATE_SHAPES and "output_shapes" in node.attr:
                del node.attr["output_shapes"].list.shape[:]
    for function in graph.library.function:
        function.attr.pop("_input_shapes", None)
        for argument in function.arg_attr.values():
            argument.attr.pop("_output_shapes", None)


def _state(
    meta_graph: protos.MetaGraphDef, wanted: Mapping[str, Sizes], doubtful: set[str]
) -> None:
    """Let signatures say the shapes `wanted`, and no size of an output that is `doubtful`."""
    for stated in meta_graph.signature_def.values():
        for info in stated.inputs.values():
            if source(info.name) in wanted:
                info.tensor_shape.CopyFrom(shape_proto(wanted[source(info.name)]))
        for info in stated.outputs.values():
            if source(info.name) in doubtful:
                for dim in info.tensor_shape.dim:
                    dim.size = -1
