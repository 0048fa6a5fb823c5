"""Another head on a net: its last layer made to give N outputs, all else as it is.

The new weights have the names of the old ones and new values: kernels are drawn uniformly after
Glorot and Bengio (2010), equation 16, biases are zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zoo import fresh_head, protos, ranking, signatures
from zoo.after_head import Activation, adapted
from zoo.ends import is_backward
from zoo.errors import UsageError, some
from zoo.graph import by_name, source, tensor_name, upstream
from zoo.heads import copies, find, layer_on
from zoo.inline import expanded, inlined
from zoo.layers import PRODUCTS, Head
from zoo.nodes import Dims, attribute
from zoo.prune import prune
from zoo.tensor_protos import header
from zoo.tensors import ArrayTensor, FilledTensor
from zoo.variables import is_variable
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from zoo.tensors import Shape, Tensor
    from zoo.weights import Weights


@dataclass(frozen=True)
class Replaced:
    """A model with a new head.

    Attributes
    ----------
    meta_graph, weights
        The model.
    head
        Its new head.
    notes
        A sentence for each thing that was changed besides.
    """

    meta_graph: protos.MetaGraphDef
    weights: Weights
    head: Head
    notes: tuple[str, ...]


def with_new_head(
    meta_graph: protos.MetaGraphDef,
    weights: Weights,
    outputs: int,
    wanted: Iterable[str],
    *,
    features: str | None = None,
    activation: Activation | None = None,
    seed: int = 0,
) -> Replaced:
    """Return the model with `outputs` outputs.

    What only training needs goes, optimizer slots among it: it has the old width.

    Parameters
    ----------
    outputs
        Width of the new last layer, at least 1.
    wanted
        The tensors to keep, the signatures' outputs.
    features
        The tensor before the last layer, where nobody can tell which that is.  What takes one
        further back becomes the last layer, and what came after it goes; where no layer does, a
        new one is put there, and places are averaged before it.
    activation
        What follows the logits; as it was by default, but a sigmoid on one output where there was
        a softmax.
    seed
        Of the generator that the new kernel is drawn from.

    Raises
    ------
    UsageError
        Nobody can tell which layer is the last: the candidates are listed.
    """
    import numpy as np

    if outputs == 1 and activation == "softmax":
        raise UsageError("a softmax over one output is always 1", hint="a sigmoid, or two outputs")
    meta_graph, weights, old = _begun(meta_graph, weights, outputs, features)
    shapes = {name: _shape(weights.tensor(name).shape, name, old, outputs) for name in old.weights}
    generator = np.random.default_rng(seed)
    kernel, *biases = old.weights
    drawn = {kernel: _drawn(weights.tensor(kernel), shapes[kernel], generator)}
    zeros = {name: _zeros(weights.tensor(name), shapes[name]) for name in biases}
    values = weights.overlay({**drawn, **zeros})
    edited = inlined(meta_graph)
    for node in edited.graph_def.node:
        if node.name in shapes:
            _reshape(node, values.tensor(node.name))
    told = []
    wanted = list(wanted)
    if _goes_on(View(edited.graph_def), old, wanted):
        edited, wanted = _ending(edited, values, old), [old.logits]
        activation = activation or ("softmax" if outputs > 1 else "sigmoid")
        told = [f"{old.logits} gives the outputs now: what else there was after it is left out"]
    made, kept = _cut(edited, values, wanted)
    notes = []
    for one in (old, *copies(View(made.graph_def), old, kept)):
        made, said = adapted(made, replace(one, outputs=old.outputs), outputs, activation)
        notes += [note for note in said if note not in notes]
    why = f"{old.why.partition(';')[0]}, new with {outputs} outputs"
    return Replaced(made, kept, replace(old, outputs=outputs, why=why), (*told, *notes))


def _begun(
    meta_graph: protos.MetaGraphDef, weights: Weights, outputs: int, features: str | None
) -> tuple[protos.MetaGraphDef, Weights, Head]:
    """Return the model and its head, with a new one behind `features` where no layer takes them."""
    try:
        return meta_graph, weights, head_of(meta_graph, weights, features)
    except UsageError:
        flat = inlined(meta_graph)
        if features is None or source(features) not in by_name(flat.graph_def):
            raise
        return fresh_head.appended(flat, weights, tensor_name(features), outputs)


def _cut(
    meta_graph: protos.MetaGraphDef, weights: Weights, wanted: Iterable[str]
) -> tuple[protos.MetaGraphDef, Weights]:
    """Return the model with what `wanted` needs, and those of its signatures that are whole."""
    pruned, kept = prune(meta_graph, weights, wanted)
    nodes = by_name(pruned.graph_def)
    whole = {
        key: stated
        for key, stated in meta_graph.signature_def.items()
        if all(source(tensor) in nodes for side in signatures.sides(stated) for tensor in side)
    }
    if whole:
        pruned.ClearField("signature_def")
    for key in sorted(whole):
        pruned.signature_def[key].CopyFrom(whole[key])
    return pruned, kept


def _goes_on(view: View, head: Head, outputs: Iterable[str]) -> bool:
    """Tell whether `outputs` need other layers than `head`, which was named or is new then."""
    last = source(head.logits)
    shown = view.downstream([last], control=False)
    if shown.isdisjoint(source(tensor) for tensor in outputs):
        return True
    later = (shown & view.upstream(outputs)) - {last}
    return any(view.ops[name] in PRODUCTS and not is_backward(name) for name in later)


def _ending(meta_graph: protos.MetaGraphDef, weights: Weights, head: Head) -> protos.MetaGraphDef:
    """Return `meta_graph` with one signature, which puts out the logits of `head`."""
    needed = upstream(by_name(meta_graph.graph_def), [head.logits])
    shown = signatures.signature(meta_graph).inputs
    inputs = {name: spec.tensor for name, spec in shown.items() if source(spec.tensor) in needed}
    stated = signatures.named(meta_graph, inputs, {"probabilities": head.logits})
    bare = protos.MetaGraphDef()
    bare.CopyFrom(meta_graph)
    bare.ClearField("signature_def")
    return signatures.stating(bare, weights, signatures.DEFAULT, stated)


def features_alone(
    meta_graph: protos.MetaGraphDef, weights: Weights, features: str | None = None
) -> tuple[protos.MetaGraphDef, Weights]:
    """Return the model that puts out the features before its head, called ``features``.

    Parameters
    ----------
    features
        Any tensor of the graph in their place.

    Raises
    ------
    UsageError
        Nobody can tell which layer is the last.
    """
    tensor = features_of(meta_graph, weights, features)
    meta_graph = inlined(meta_graph)
    inputs = signatures.signature(meta_graph).inputs
    pruned, kept = prune(meta_graph, weights, [tensor])
    nodes = by_name(pruned.graph_def)
    there = {name: spec.tensor for name, spec in inputs.items() if source(spec.tensor) in nodes}
    stated = signatures.named(pruned, there, {"features": tensor})
    for key in [*pruned.signature_def]:
        del pruned.signature_def[key]
    return signatures.stating(pruned, kept, signatures.DEFAULT, stated), kept


def features_of(
    meta_graph: protos.MetaGraphDef, weights: Weights, features: str | None = None
) -> str:
    """Return the tensor before the head, or `features` if the graph has that.

    Raises
    ------
    UsageError
        Nobody can tell which layer is the last.
    """
    if features is not None and source(features) in by_name(inlined(meta_graph).graph_def):
        return tensor_name(features)
    return head_of(meta_graph, weights, features).features


def head_of(meta_graph: protos.MetaGraphDef, weights: Weights, features: str | None = None) -> Head:
    """Return the head of the model, or the layer that takes `features`.

    Raises
    ------
    UsageError
        Nobody can tell which it is, or no such layer takes `features`.
    """
    view = View(meta_graph.graph_def, expanded(meta_graph.graph_def))
    _, outputs = ranking.ranked(meta_graph, view)
    best = ranking.best(outputs) if outputs else []
    stated = _of_default(meta_graph)
    tensors = sorted(
        (one for end in best for one in end.tensors), key=lambda one: one not in stated
    )
    found = find(view, tensors, weights)
    if features is None and found.best is not None:
        return found.best
    if features is not None:
        named = [one for one in found.candidates if one.features == tensor_name(features)]
        layer = named[0] if named else layer_on(view, tensor_name(features), weights)
        if layer is not None:
            return layer
    raise UsageError(
        f"no last layer takes {features}" if features else "nobody can tell which layer is last",
        found=_listed(found.candidates, found.unsure),
        hint=_hint(found.candidates),
    )


def _of_default(meta_graph: protos.MetaGraphDef) -> set[str]:
    """Return the outputs of the signature that is taken where none is named."""
    if not meta_graph.signature_def:
        return set()
    try:
        return {spec.tensor for spec in signatures.signature(meta_graph).outputs.values()}
    except UsageError:
        return set()


def _listed(candidates: Iterable[Head], unsure: str) -> str:
    told = [f"{one.features} before {one.logits} ({one.outputs} outputs)" for one in candidates]
    return "; ".join([*([unsure] if unsure else []), *([some(told)] if told else [])])


def _hint(candidates: tuple[Head, ...]) -> str:
    if not candidates:
        return "the tensor before the last layer is named by --features"
    return f"name the tensor before it, as in --features {candidates[0].features}"


def _shape(old: Shape, name: str, head: Head, outputs: int) -> Shape:
    """Return the shape that the weight `name` of `head`, now `old`, has with so many outputs."""
    if name == head.weights[0] and head.is_flipped:
        return (*old[:-2], outputs, old[-1])
    return (*old[:-1], outputs)


def _drawn(old: Tensor, shape: Shape, generator: np.random.Generator) -> Tensor:
    """Return a kernel of `shape`, in the dtype of `old`."""
    limit = math.sqrt(6 / (math.prod(shape[:-1]) + shape[-1]))
    values = generator.uniform(-limit, limit, shape)
    return ArrayTensor(values.astype(old.dtype.numpy), old.dtype)


def _zeros(old: Tensor, shape: Shape) -> Tensor:
    return FilledTensor(bytes(old.dtype.itemsize), old.dtype, shape)


def _reshape(node: protos.NodeDef, tensor: Tensor) -> None:
    """Make `node`, a variable or a constant, hold a weight of the shape of `tensor`."""
    if is_variable(node):
        node.attr["shape"].CopyFrom(attribute(Dims(tensor.shape)))
    else:
        node.attr["value"].tensor.CopyFrom(header(tensor))
