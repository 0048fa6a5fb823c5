"""Bring the tensors of a bundle and the variables of a graph together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.dtypes import STRING
from zoo.errors import FormatError
from zoo.graph import source
from zoo.objects import stored_names
from zoo.parts import SliceTensor
from zoo.saver import Stored, restored
from zoo.stored_strings import texts
from zoo.variables import dtype_of, is_variable
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo import protos
    from zoo.tensors import Tensor

_OWN = {"AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp"}
"""What reads and writes a variable without computing anything of it."""
METADATA = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The key under which a checkpoint of TensorFlow 2 describes itself."""


def attach(meta_graph: protos.MetaGraphDef, tensors: Mapping[str, Tensor]) -> Weights:
    """Return `tensors`, which come by their keys, as the weights of `meta_graph`.

    Each variable gets what the graph's saver restores into it, or what is stored under its own
    name. Tensors that belong to no variable are weights under their keys.

    Raises
    ------
    FormatError
        A variable has another shape or dtype than what is stored for it.
    """
    stored = restored(meta_graph)
    weights: dict[str, Tensor] = {}
    keys: dict[str, str] = {}
    variables = [node for node in meta_graph.graph_def.node if is_variable(node)]
    stored = _by_full_name(meta_graph.graph_def, variables, stored, tensors) | stored
    for node in variables:
        place = stored.get(node.name, Stored(node.name))
        if place.key in tensors:
            weights[node.name] = _part(tensors[place.key], place)
            check_shape(node, weights[node.name], place.key)
            keys[node.name] = place.key
    metadata = {key: tensor for key, tensor in tensors.items() if key == METADATA}
    claimed = {*keys.values(), *metadata}
    for key in tensors:
        if key not in claimed:
            name = _free(key, weights)
            weights[name], keys[name] = tensors[key], key
    return Weights(weights, keys, metadata)


def _by_full_name(
    graph: protos.GraphDef,
    variables: Sequence[protos.NodeDef],
    stored: Mapping[str, Stored],
    tensors: Mapping[str, Tensor],
) -> dict[str, Stored]:
    """Return what is stored for variables that the saver restores into twins of theirs.

    Keras 3 saves two handles for one variable; the saver knows one, the net may use the other, and
    only the checkpoint's own description says that they are the same.  A twin that no call uses
    stays without a value.
    """
    open_ones = {v.name for v in variables if v.name not in stored and v.name not in tensors}
    if open_ones:
        calls = (node for node in graph.node if node.op not in _OWN)
        open_ones &= {source(edge) for node in calls for edge in node.input}
    described = tensors.get(METADATA)
    if not open_ones or described is None or described.dtype is not STRING:
        return {}
    named = stored_names(b"".join(texts(described)[:1]))
    found = {name: named.get(name, "") for name in open_ones}
    return {name: Stored(key) for name, key in found.items() if key in tensors}


def check_shape(node: protos.NodeDef, tensor: Tensor, key: str) -> None:
    """Check that the variable `node` can hold `tensor`, as far as the graph says what it holds."""
    stated = node.attr["shape"].shape if "shape" in node.attr else None
    sizes = tuple(dim.size for dim in stated.dim) if stated is not None else ()
    open_shape = stated is None or stated.unknown_rank or (not sizes and node.op == "Variable")
    fits = open_shape or (
        len(sizes) == len(tensor.shape)
        and all(size in (-1, there) for size, there in zip(sizes, tensor.shape, strict=True))
    )
    if not fits or dtype_of(node) is not tensor.dtype:
        raise FormatError(
            f"the variable {node.name!r} does not fit what is stored as {key!r}",
            found=f"{tensor.dtype} {list(tensor.shape)}",
            hint=f"the graph says {dtype_of(node)} {list(sizes)}: is this its checkpoint?",
        )


def _part(whole: Tensor, place: Stored) -> Tensor:
    if place.extents is None:
        return whole
    if len(place.extents) != len(whole.shape):
        raise FormatError(
            f"a variable is stored as a slice of {place.key!r} that has other axes",
            found=f"{len(place.extents)} axes for the shape {list(whole.shape)}",
        )
    return SliceTensor(whole, place.extents)


def _free(key: str, taken: Mapping[str, Tensor]) -> str:
    """Return `key`, marked where a variable has that name but holds another tensor."""
    return f"{key} (stored)" if key in taken else key
