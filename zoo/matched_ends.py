"""Which outputs of one model are which of another, and what the two state of their signatures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from zoo import guessing
from zoo.graph import port, source, tensor_name
from zoo.listed import all_definitions
from zoo.specs import output_dtypes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from zoo.model import Model
    from zoo.signatures import Signature
    from zoo.specs import TensorSpec

_Value = TypeVar("_Value")

Tensors = tuple[str, str]
"""A tensor of each of two models."""


@dataclass
class Ends:
    """What a model is fed and what it gives: as it states, else as its graph shows."""

    model: Model

    @cached_property
    def stated(self) -> dict[str, Signature]:
        """The signatures that the model states."""
        return self.model.signatures

    @cached_property
    def _known(self) -> list[Signature]:
        return [*self.stated.values()] or [guessing.signature(self.model.meta_graph)]

    @property
    def inputs(self) -> list[str]:
        """The tensors that are fed, each once."""
        return _tensors(spec for one in self._known for spec in one.inputs.values())

    @property
    def outputs(self) -> list[str]:
        """The tensors that are given, each once.

        What a variable begins with is none, though nothing but its assignment uses it.
        """
        found = _tensors(spec for one in self._known for spec in one.outputs.values())
        if self.stated:
            return found
        entries = all_definitions(self.model.meta_graph).values()
        first = {tensor_name(one.initial_value_name) for one in entries}
        return [tensor for tensor in found if tensor not in first]

    @property
    def reads(self) -> set[str]:
        """The tensors that are there for whoever lists the variables."""
        entries = all_definitions(self.model.meta_graph).values()
        return {tensor_name(one.snapshot_name) for one in entries}

    @cached_property
    def _nodes(self) -> dict[str, Any]:
        return {node.name: node for node in self.model.graph.node}

    def has(self, tensor: str) -> bool:
        """Tell whether the graph has `tensor`."""
        node = self._nodes.get(source(tensor))
        return node is not None and port(tensor) < len(output_dtypes(self.model.graph, node))


def both_state(ends: tuple[Ends, Ends]) -> bool:
    """Tell whether both models state signatures."""
    return bool(ends[0].stated and ends[1].stated)


def stated_pairs(ends: tuple[Ends, Ends]) -> Iterator[Tensors]:
    """Yield the tensors, inputs and outputs, that both models state under one name."""
    for ours, theirs in _common(ends[0].stated, ends[1].stated):
        for sides in ((ours.inputs, theirs.inputs), (ours.outputs, theirs.outputs)):
            for a, b in _common(*sides):
                yield from zip(a.tensor.split(","), b.tensor.split(","), strict=False)


def matched(
    ends: tuple[Ends, Ends], alike: Callable[[Tensors], bool]
) -> tuple[list[Tensors], list[str], list[str]]:
    """Return the outputs of two models in pairs, and those of each that have no partner.

    What both state comes first, then tensors of one name, then those that `alike` tells to be
    computed in the same way.  Of a model that states no signature, more outputs than the other
    states are no surprise.
    """
    pairs = list(dict.fromkeys(stated_pairs(ends)))
    left = [[t for t in ends[i].outputs if t not in {p[i] for p in pairs}] for i in (0, 1)]
    for side in (0, 1):
        for tensor in left[side]:
            if ends[1 - side].has(tensor):
                pairs.append((tensor, tensor))
    left = [[t for t in one if t not in {p[i] for p in pairs}] for i, one in enumerate(left)]
    for tensor in [*left[0]]:
        other = next((one for one in left[1] if alike((tensor, one))), None)
        if other is not None:
            pairs.append((tensor, other))
            left[0].remove(tensor)
            left[1].remove(other)
    for side in (0, 1):
        if not ends[side].stated:
            own = [t for t in left[side] if t not in ends[side].reads]
            left[side] = [] if ends[1 - side].stated else own
    return list(dict.fromkeys(pairs)), left[0], left[1]


def facts(ends: tuple[Ends, Ends]) -> dict[str, Any]:
    """Return what two models state of their signatures, and where that differs."""
    a, b = (one.stated for one in ends)
    both = both_state(ends)
    only_a = sorted(a.keys() - b.keys()) if both else []
    only_b = sorted(b.keys() - a.keys()) if both else []
    differences = [
        {"signature": key, **one}
        for key in sorted(a.keys() & b.keys())
        for one in [*_sides(a[key], b[key])]
    ]
    return {
        "equal": not (only_a or only_b or differences),
        "stated_a": sorted(a),
        "stated_b": sorted(b),
        "only_a": only_a,
        "only_b": only_b,
        "differences": differences,
    }


def _sides(a: Signature, b: Signature) -> Iterator[dict[str, Any]]:
    for side, ours, theirs in (
        ("inputs", a.inputs, b.inputs),
        ("outputs", a.outputs, b.outputs),
    ):
        for name in sorted({*ours, *theirs}):
            one, other = ours.get(name), theirs.get(name)
            if one is None or other is None or not _agree(one, other, fed=side == "inputs"):
                text = {"a": one and str(one), "b": other and str(other)}
                yield {"side": side, "name": name, **text}


def _agree(a: TensorSpec, b: TensorSpec, *, fed: bool) -> bool:
    """Tell whether two tensors are of one kind, as far as is known.

    An open axis of what is fed says that any size will do; of what comes out, that nobody knows.
    """
    if a.dtype is not b.dtype:
        return False
    if a.shape is None or b.shape is None:
        return True
    if fed:
        return a.shape == b.shape
    sizes = zip(a.shape, b.shape, strict=False)
    return len(a.shape) == len(b.shape) and all(x == y or None in (x, y) for x, y in sizes)


def _tensors(specs: Iterable[TensorSpec]) -> list[str]:
    parts = (tensor_name(part) for spec in specs for part in spec.tensor.split(",") if part)
    return list(dict.fromkeys(parts))


def _common(a: Mapping[str, _Value], b: Mapping[str, _Value]) -> Iterator[tuple[_Value, _Value]]:
    return ((a[key], b[key]) for key in a if key in b)
