"""Weights by layers, the last layer first: what `--last-layers` counts, and each layer's rate.

A product and the bias that is added to it are a layer, whatever their names.  Other weights, as
those of a normalisation or of a recurrent cell, belong to what shares their scope, or the scope of
what uses them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.graph import source
from zoo.layers import PRODUCTS
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zoo.model import Model

_PRODUCTS = PRODUCTS | {
    "Conv1D", "Conv2DBackpropInput", "Conv3D", "Conv3DBackpropInputV2",
    "DepthwiseConv2dNative", "Einsum",
}  # fmt: skip
_ADDS = {"Add", "AddV2", "BiasAdd", "BiasAddV1"}
_SAME = {
    "Cast", "Enter", "ExpandDims", "Identity", "ReadVariableOp", "Reshape", "Squeeze",
    "StopGradient", "Transpose",
}  # fmt: skip
"""What hands a value on, but for its form."""


def layers(model: Model, names: Iterable[str], learned: str) -> list[list[str]]:
    """Return the weights `names` by layers, the last first: how far each is from `learned`."""
    view = View(model.graph)
    wanted = set(names)
    near = [name for name in _from(view, learned) if name in wanted]
    grouping = _Grouping(view, near)
    order: dict[str, list[str]] = {}
    for name in near:
        order.setdefault(grouping.layer(name), []).append(name)
    return [*order.values()]


def _from(view: View, tensor: str) -> Iterator[str]:
    """Yield the nodes that `tensor` needs, the near ones first."""
    todo, seen = [source(tensor)], {source(tensor)}
    for name in todo:
        yield name
        for before in view.sources.get(name, ()):
            if before not in seen:
                seen.add(before)
                todo.append(before)


class _Grouping:
    """The weights of one graph, and what each belongs to."""

    def __init__(self, view: View, weights: list[str]) -> None:
        self.view = view
        self.users = {name: next(iter(self._uses(name)), "") for name in weights}
        self.products = {name: self._product(name) for name in weights}
        self.scopes: dict[str, list[str]] = {}
        for name in weights:
            self.scopes.setdefault(name.rpartition("/")[0], []).append(name)

    def layer(self, name: str) -> str:
        """Return what tells the layer of the weight `name` from others."""
        scope = name.rpartition("/")[0]
        within = self.scopes[scope] if scope else [name]
        products = {self.products[one] for one in within} - {""}
        if len(products) > 1 and self._in_sequence(products):
            products = {self.products[name]} - {""}
        elif len(within) > 1:
            return f"{scope}/"
        if products:
            return min(products)
        return self.users[name].rpartition("/")[0] or self.users[name]

    def _in_sequence(self, products: set[str]) -> bool:
        """Tell whether one of `products` is made of another: then they are layers of their own."""
        needed = (self.view.upstream(self.view.sources[one], control=False) for one in products)
        return any(before & products for before in needed)

    def _product(self, name: str) -> str:
        """Return the product that the weight `name` is a factor of, or is added to; "" for none."""
        for user in self._uses(name):
            if self.view.ops[user] in _PRODUCTS:
                return user
            if self.view.ops[user] in _ADDS:
                for before in self.view.sources[user]:
                    while self.view.ops[before] in _SAME and self.view.sources[before]:
                        before = self.view.sources[before][0]  # noqa: PLW2901  (the same value)
                    if self.view.ops[before] in _PRODUCTS:
                        return before
        return ""

    def _uses(self, name: str) -> Iterator[str]:
        """Yield the operations that compute with the value of `name`."""
        for user, _ in self.view.data_users.get(name, ()):
            if self.view.ops[user] in _SAME:
                yield from self._uses(user)
            else:
                yield user
