"""Signatures that are one net: Keras 3 exports a net for two, each with inputs of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import signatures
from zoo.graph import port, source
from zoo.signatures import DEFAULT

if TYPE_CHECKING:
    from zoo import protos
    from zoo.signatures import Signature
    from zoo.view import View


def twins(meta_graph: protos.MetaGraphDef, view: View) -> tuple[list[str], list[str]]:
    """Return the outputs of the default signature, and the other signatures that compute the same.

    Nothing is returned where there are signatures of another kind besides.

    Parameters
    ----------
    view
        The graph with its calls expanded.
    """
    stated = signatures.signatures(meta_graph)
    if DEFAULT not in stated:
        return [], []
    default = stated[DEFAULT]
    others = [key for key in stated if key != DEFAULT]
    if not others or not all(_is_twin(view, default, stated[key]) for key in others):
        return [], []
    return [spec.tensor for spec in default.outputs.values()], others


def _is_twin(view: View, one: Signature, other: Signature) -> bool:
    """Tell whether two signatures are called alike, and compute the same from their own inputs."""
    if set(one.inputs) != set(other.inputs) or set(one.outputs) != set(other.outputs):
        return False
    given = {(s.tensor, other.inputs[key].tensor) for key, s in one.inputs.items()}
    if not given or any(mine == theirs for mine, theirs in given):
        return False
    ends = [(s.tensor, other.outputs[key].tensor) for key, s in one.outputs.items()]
    inputs = {(source(mine), source(theirs)) for mine, theirs in given}
    return _are_alike(view, ends, inputs)


def _are_alike(view: View, ends: list[tuple[str, str]], inputs: set[tuple[str, str]]) -> bool:
    """Tell whether the tensors of each pair come of the same operations on `inputs`."""
    fed = {name for pair in inputs for name in pair}
    todo, seen = list(ends), set(inputs)
    while todo:
        edges = todo.pop()
        pair = (source(edges[0]), source(edges[1]))
        if port(edges[0]) != port(edges[1]) or not set(pair) <= set(view.nodes):
            return False
        if pair in seen or (pair[0] == pair[1] and pair[0] not in fed):
            continue
        seen.add(pair)
        before = [view.data_inputs(name) for name in pair]
        if len(before[0]) != len(before[1]) or _kind(view, pair[0]) != _kind(view, pair[1]):
            return False
        todo += zip(*before, strict=True)
    return True


def _kind(view: View, name: str) -> tuple[str, dict[str, bytes]]:
    """Return the operation `name` and its attributes, but for what is only noted down."""
    attributes = view.nodes[name].attr
    noted = {k: attributes[k].SerializeToString(deterministic=True) for k in sorted(attributes)}
    return view.ops[name], {k: value for k, value in noted.items() if k[:1] != "_"}
