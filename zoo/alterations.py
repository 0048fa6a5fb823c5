"""What is altered of a model on its way from one format to another, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo import half_precision, input_shapes, restorable
from zoo.variables import is_variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.model import Model


@dataclass(frozen=True)
class Alterations:
    """What is wished of a model: shapes, names, and in what precision its weights are stored.

    Attributes
    ----------
    shapes
        Sizes of inputs by their names, None for an open axis.
    inputs, outputs
        New names by the old ones; `shapes` go by the old ones.
    dtype
        What floating weights are stored as, ``"float16"`` or ``"bfloat16"``.
    """

    shapes: Mapping[str, Sequence[int | None]] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    dtype: str | None = None

    def made(self, model: Model, *, signatures: bool) -> tuple[Model, list[str]]:
        """Return `model` altered, and a sentence for each thing that this changed or left out.

        Parameters
        ----------
        signatures
            Whether what it is written to holds signatures; else nodes get the new names.
        """
        altered, notes = model, list[str]()
        if self.shapes:
            altered = model.with_shapes(self.shapes)
            notes += input_shapes.changes(model.meta_graph, altered.meta_graph)
        if self.dtype is not None:
            altered, told = _halved(altered, self.dtype, trains=signatures)
            notes += told
        if self.inputs or self.outputs:
            altered = altered.renamed(self.inputs, self.outputs, nodes=not signatures)
        if signatures:
            notes += restorable.changes(model.meta_graph, altered.meta_graph)
        return altered, notes

    def called(self, before: Model, after: Model) -> dict[str, str]:
        """Return the tensors of `before` by those of `after`, where they are called otherwise."""
        found: dict[str, str] = {}
        for key, one in after.signatures.items():
            was = before.signatures.get(key) or before.signature()
            inputs = (self.inputs, one.inputs, was.inputs)
            for names, now, then in (inputs, (self.outputs, one.outputs, was.outputs)):
                old = {new: name for name, new in names.items()}
                found |= {s.tensor: then[old.get(name, name)].tensor for name, s in now.items()}
        return {new: old for new, old in found.items() if new != old}


def _halved(model: Model, dtype: str, *, trains: bool) -> tuple[Model, list[str]]:
    """Return `model` with weights in half precision, and what is to be said of that.

    Where it will not train any more, the operations that would change its weights go first.
    """
    notes, whole = [], model
    if not trains and any(is_variable(node) for node in model.graph.node):
        whole = model.prune(model.outputs())
        gone = len(model.graph.node) - len(whole.graph.node)
        told = f"training-nodes: left out nodes that the outputs do not need: {gone}"
        notes = [told] if gone > 0 else []
    halved = whole.with_weights_as(dtype)
    return halved, notes + half_precision.changes(whole.weights, halved.weights)


NONE = Alterations()
"""A model as it is."""
