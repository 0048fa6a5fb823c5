"""The head of a net: the layer that gives its outputs, found from the graph alone.

Seen from an output backwards: what only changes its form (softmax, reshape, mean over places), then
a bias, then the product of features and a kernel.  Where outputs lead to several layers, or to
something else, there is no head: who swaps the wrong layer finds out too late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import ranking
from zoo.errors import ZooError
from zoo.graph import source
from zoo.inline import expanded
from zoo.layers import PRODUCTS, Head, Layers
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo import protos
    from zoo.weights import Weights


@dataclass(frozen=True)
class Heads:
    """What was found in the place of a head.

    Attributes
    ----------
    best
        The head, None where nobody can tell.
    candidates
        The layers that may be it, the likeliest first; `best` is the first of them.
    unsure
        Why nobody can tell; empty where there is a best one.
    """

    best: Head | None
    candidates: tuple[Head, ...]
    unsure: str


def head(meta_graph: protos.MetaGraphDef, weights: Weights) -> Head | None:
    """Return the head of a model, None where it has none or several, or where nobody can tell.

    Names are those of the graph with its calls inlined.
    """
    try:
        view = View(meta_graph.graph_def, expanded(meta_graph.graph_def))
    except ZooError:
        return None
    _, outputs = ranking.ranked(meta_graph, view)
    wanted = [tensor for end in ranking.best(outputs) for tensor in end.tensors]
    return find(view, wanted, weights).best


def find(view: View, outputs: Sequence[str], weights: Weights) -> Heads:
    """Return the head of the graph in `view`, and what else may be one.

    Parameters
    ----------
    view
        The graph with its calls inlined.
    outputs
        The tensors that users want, best first.
    """
    looking = Layers(view, weights)
    layers: dict[tuple[str, ...], Head] = {}
    others = []
    for output in outputs:
        layer = looking.layer_before(output)
        if layer is not None:
            layers.setdefault(layer.weights, layer)
        elif looking.is_number(output):
            others.append(output)
    found = (*layers.values(),)
    if not found:
        return Heads(None, looking.last_layers(), "no layer with weights gives the outputs")
    if others:
        return Heads(None, found, f"{others[0]} is an output too, and no such layer gives it")
    if len(found) > 1:
        return Heads(None, found, f"{len(found)} layers give outputs")
    return Heads(found[0], found, "")


def layer_on(view: View, features: str, weights: Weights) -> Head | None:
    """Return the only layer that takes the tensor `features` and may be a head, None for none."""
    looking = Layers(view, weights)
    users = [user for user, _ in view.data_users.get(source(features), ())]
    found = [looking.layer_at(user) for user in users if view.ops[user] in PRODUCTS]
    layers = [one for one in found if one is not None and one.features == features]
    return layers[0] if len(layers) == 1 else None


def copies(view: View, head: Head, weights: Weights) -> list[Head]:
    """Return the other layers with the weights of `head`: a graph has one for each signature."""
    looking = Layers(view, weights)
    found = [looking.layer_at(product) for product in view.named(*PRODUCTS)]
    return [
        one
        for one in found
        if one is not None and one.weights == head.weights and one.logits != head.logits
    ]
