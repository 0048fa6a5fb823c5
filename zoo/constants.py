"""Which constants of a graph are weights: decided by what they are used for, not by their size.

A frozen graph has constants for everything: kernels, but also shapes, axes, scalars, filter
banks. The first evidence is the name that freezing leaves behind, an ``Identity`` called
``X/read`` or ``.../ReadVariableOp``.  The next is use: the operand that a convolution or matrix
product multiplies by, a bias, a scale, a table, the matrices of a recurrent cell - also through
reshapes, casts and arithmetic on constants alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import dtypes
from zoo.graph import source
from zoo.operands import PASS_ON, Operands
from zoo.variables import is_statistic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.view import View

_ARITHMETIC = {
    "Add",
    "AddV2",
    "ConcatV2",
    "Maximum",
    "Mul",
    "Neg",
    "Pack",
    "RealDiv",
    "Reciprocal",
    "Rsqrt",
    "Sqrt",
    "Square",
    "Sub",
    "Tile",
}
_CHOICES = {"Merge", "Switch"}
"""The ends of a branch of TensorFlow 1: whichever is taken, a constant goes through unchanged."""
_CONSTANT_VALUED = PASS_ON | _ARITHMETIC | _CHOICES
_EVERY_INPUT = _ARITHMETIC | {"Merge"}
_WAYS_IN = {"Enter", "Switch"}
"""What a value goes through into a loop or a branch, where the variable would be read."""
_ELEMENTWISE = {"Add", "AddV2", "Mul", "Sub", "RealDiv"}
_BATCH_NORM = {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}
_MEAN_AND_VARIANCE = (3, 4)


@dataclass(frozen=True)
class Use:
    """One use of a constant: by `node`, as its input `position`, after `arithmetic` or as it is."""

    node: str
    position: int
    arithmetic: bool


def weight_constants(view: View) -> dict[str, bool]:
    """Return the constants in `view` that are weights, each with whether it can be trained.

    Statistics of batch normalisation, integers and tables of text are weights that cannot.
    """
    return _Constants(view).weights()


class _Constants:
    def __init__(self, view: View) -> None:
        self.view = view
        self.ops, self.users = view.ops, view.users
        self.constant = self._constant_valued()
        self.operands = Operands(view.graph)

    def weights(self) -> dict[str, bool]:
        """Return the constants that are weights, and for each whether it can be trained."""
        uses = {name: list(self._uses(name)) for name in self.view.named("Const")}
        layers = {use.node for found in uses.values() for use in found if self._operand(use)}
        self.after_layers = self.view.downstream(layers)
        return {
            name: self._can_train(name, found)
            for name, found in uses.items()
            if self._was_variable(name) or any(self._is_weight(name, use) for use in found)
        }

    def _constant_valued(self) -> set[str]:
        """Return the nodes whose value follows from constants alone."""
        known = set(self.view.named("Const"))
        todo = list(known)
        while todo:
            for user, _ in self.users.get(todo.pop(), ()):
                if user in known or self.ops[user] not in _CONSTANT_VALUED:
                    continue
                if all(source(edge) in known for edge in self._valued(user)):
                    known.add(user)
                    todo.append(user)
        return known

    def _valued(self, name: str) -> list[str]:
        """Return the edges that the value of the node `name` is made of: no predicate is."""
        edges = self.view.data_inputs(name)
        return edges[:1] if self.ops[name] == "Switch" else edges

    def _uses(self, name: str) -> Iterator[Use]:
        """Yield the uses of a constant, also through nodes whose value follows from constants."""
        todo = [(name, False)]
        seen = set(todo)
        while todo:
            current, arithmetic = todo.pop()
            for user, position in self.view.data_users.get(current, ()):
                op = self.ops[user]
                if user not in self.constant:
                    yield Use(user, position, arithmetic)
                elif op in _EVERY_INPUT or position == 0:  # a reshape's second is no weight
                    passed = (user, arithmetic or op in _ARITHMETIC)
                    if passed not in seen:
                        seen.add(passed)
                        todo.append(passed)

    def _was_variable(self, name: str) -> bool:
        """Tell whether somebody names the value of `name` as reads of a variable are called."""
        reads = (f"{name}/read", f"{name}/Read/ReadVariableOp")
        todo, seen = [name], {name}
        while todo:
            for user, position in self.users.get(todo.pop(), ()):
                if self.ops[user] == "Identity":
                    last = user.rpartition("/")[2]
                    if user in reads or last.startswith("ReadVariableOp"):
                        return True
                elif self.ops[user] in _WAYS_IN and position == 0 and user not in seen:
                    seen.add(user)
                    todo.append(user)
        return False

    def _operand(self, use: Use) -> bool:
        """Tell whether `use` is as a kernel, bias, table or the like, also inside of functions."""
        return self.operands.takes(self.view.nodes[use.node], use.position)

    def _is_weight(self, name: str, use: Use) -> bool:
        if not self._dtype(name).floating and not self.ops[use.node].startswith("Quantized"):
            return False
        if use.arithmetic and not self._sizes(name):
            return False  # an epsilon, not a weight
        if self._operand(use):
            return True
        return bool(
            self.ops[use.node] in _ELEMENTWISE
            and use.node in self.after_layers
            and self._sizes(name)
        )

    def _can_train(self, name: str, uses: list[Use]) -> bool:
        statistics = any(
            self.ops[use.node] in _BATCH_NORM and use.position in _MEAN_AND_VARIANCE for use in uses
        )
        return self._dtype(name).floating and not statistics and not is_statistic(name)

    def _dtype(self, name: str) -> dtypes.DType:
        return dtypes.dtype(self.view.nodes[name].attr["dtype"].type)

    def _sizes(self, name: str) -> list[int]:
        return [dim.size for dim in self.view.nodes[name].attr["value"].tensor.tensor_shape.dim]
