"""What a graph in training compares: its predictions, and the labels they are held against.

A loss is an operation of its own, or arithmetic between what the net computes and what it is given
besides.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from zoo import ends, pipelines
from zoo.graph import called_functions, port, source, tensor_name
from zoo.operands import OPERANDS, PASS_ON
from zoo.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from zoo.specs import TensorSpec
    from zoo.view import View

_LOSSES = {"SigmoidCrossEntropyWithLogits", "SoftmaxCrossEntropyWithLogits"} | {
    "SparseSoftmaxCrossEntropyWithLogits"
}
_COMPARES = _LOSSES | {"Equal", "InTopK", "InTopKV2", "NotEqual", "SquaredDifference", "Sub"}
_LABEL_FORMS = PASS_ON | {"ArgMax", "OneHot"}
_FORMS = {"Identity", "Reshape", "Squeeze", "StopGradient"}
_LOGARITHMS = _FORMS | {"ClipByValue", "Log", "Log1p", "Maximum", "Minimum", "Neg"}
_PRODUCTS = {"Mul"}
_CALLS = ("Case", "If", "StatelessCase", "StatelessIf", "StatelessWhile", "While")
_READS = {"Identity", "ReadVariableOp"}
_ARITHMETIC = {"Add", "AddV2", "Mul", "Sub"}


def passed(view: View, edge: str, ops: Collection[str]) -> str:
    """Return the edge whose values come out of `edge` after nothing but `ops`."""
    seen: set[str] = set()
    while (name := source(edge)) not in seen and view.ops[name] in ops:
        seen.add(name)
        edge = next(iter(view.data_inputs(name)), edge)
    return edge


def origin(view: View, edge: str) -> str:
    """Return the tensor that `edge` shows, maybe in another form."""
    return tensor_name(passed(view, edge, _FORMS))


class Supervision:
    """One graph, looked at for what it compares.

    Parameters
    ----------
    placeholders
        The placeholders that are inputs.
    """

    def __init__(self, view: View, placeholders: Sequence[TensorSpec]) -> None:
        self.view = view
        self.placeholders = placeholders

    @cached_property
    def trains(self) -> bool:
        """Whether the graph computes gradients."""
        return any(ends.is_backward(name) for name in self.view.ops)

    @cached_property
    def layers(self) -> list[str]:
        """The operations of the net that multiply by weights, loops that do so inside included.

        In a net without such operations, those that use a variable.
        """
        found = [n for n in self.view.named(*OPERANDS) if not ends.is_backward(n)]
        for name in self.view.named(*_CALLS) if self.view.library else ():
            inner = called_functions(self.view.graph, [self.view.nodes[name]])
            bodies = (self.view.library[one].node_def for one in inner)
            if any(node.op in OPERANDS for body in bodies for node in body):
                found.append(name)
        return found or self._users_of_variables()

    def _users_of_variables(self) -> list[str]:
        found = []
        for name in self.view.named(*VARIABLES):
            reads = [user for user, _ in self.view.data_users.get(name, ())]
            reads = [user for user in reads if self.view.ops[user] in _READS]
            found += [user for read in reads for user, _ in self.view.data_users.get(read, ())]
        return [n for n in found if not ends.is_backward(n) and self.view.ops[n] in _ARITHMETIC]

    @cached_property
    def after_layers(self) -> set[str]:
        """What the net computes by its weights."""
        return self.view.downstream(self.layers, control=False)

    @cached_property
    def given(self) -> list[str]:
        """The tensors that come from outside: placeholders, and what pipelines give."""
        found = [spec.tensor for spec in self.placeholders]
        for name in self.view.named(*pipelines.GIVERS):
            used = {port(self.view.inputs[u][at]) for u, at in self.view.data_users.get(name, ())}
            found += [f"{name}:{number}" for number in sorted(used)]
        return found

    def _users(self, tensor: str) -> list[str]:
        number = port(tensor)
        pairs = self.view.data_users.get(source(tensor), ())
        return [user for user, at in pairs if port(self.view.inputs[user][at]) == number]

    @cached_property
    def compared(self) -> dict[str, list[str]]:
        """The tensors that only tell what the net should have said, and what each is held against.

        That is by the name of the tensor; edges of what the net computes.
        """
        before = self.view.upstream(self.layers, control=False)
        outside = [t for t in self.given if not before.intersection(self._users(t))]
        found = {tensor: [*self._held_against(tensor)] for tensor in outside}
        return {tensor: edges for tensor, edges in found.items() if edges}

    def _compares(self, op: str) -> bool:
        """Tell whether `op` may be part of a loss; cross entropy written out is a product."""
        return op in _COMPARES or (op in _PRODUCTS and self.trains)

    def _held_against(self, tensor: str) -> Iterator[str]:
        """Yield what the net computes and `tensor`, but for its form, is compared with."""
        todo = self._users(tensor)
        seen = set(todo)
        while todo:
            user = todo.pop()
            op = self.view.ops[user]
            edges = self.view.data_inputs(user) if self._compares(op) else []
            computed = (edge for edge in edges if source(edge) in self.after_layers)
            yield from (edge for edge in computed if not ends.is_backward(source(edge)))
            if op in _LABEL_FORMS:
                later = {one for one, _ in self.view.data_users.get(user, ())} - seen
                seen |= later
                todo += sorted(later)

    @cached_property
    def predicted(self) -> dict[str, str]:
        """The tensors that a loss compares with labels, and why each is one."""
        losses = [
            name
            for name in self.view.named(*_LOSSES)
            if self.view.data_inputs(name) and not ends.is_backward(name)
        ]
        if losses:
            why = "the logits: the loss {} compares them with labels"
            return {origin(self.view, self.view.data_inputs(n)[0]): why.format(n) for n in losses}
        edges = [edge for edges in self.compared.values() for edge in edges]
        tensors = [tensor_name(passed(self.view, edge, _LOGARITHMS)) for edge in edges]
        return dict.fromkeys(tensors, "it is compared with labels")

    @cached_property
    def judged(self) -> set[str]:
        """The nodes that depend on labels: losses, measures, and what comes of them."""
        users = [user for tensor in self.compared for user in self._users(tensor)]
        return self.view.downstream(users, control=False)
