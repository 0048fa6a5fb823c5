"""Batch normalisation by moving averages, in a graph that normalises by each batch's statistics.

The graph itself says which average belongs to which statistic: the one that it moves towards it.

Source: ``tensorflow/python/training/moving_averages.py`` (``assign_moving_average``) and
``tensorflow/python/ops/nn_impl.py`` (``moments``, ``fused_batch_norm``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo import facts, protos
from zoo.errors import counted, some
from zoo.graph import by_name, data_inputs, port, source, unique
from zoo.nodes import node as make_node
from zoo.repairs import Repaired
from zoo.updates import is_mutator, without_updates
from zoo.variables import VARIABLES, dtype_of, is_resource
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MEAN, _VARIANCE = 1, 2
"""The outputs of a fused normalisation that are the statistics of the batch."""
_AT = {_MEAN: 3, _VARIANCE: 4}
"""The inputs that are the averages, by the outputs that they follow."""
_FORMS = {"Cast", "Identity", "Reshape", "Squeeze", "StopGradient"}
_ARITHMETIC = {"AddV2", "Add", "Mul", "Sub", *_FORMS}
_DIVIDES = {"Div", "RealDiv"}
_STEPS = 8


def with_moving_averages(meta_graph: protos.MetaGraphDef, outputs: Sequence[str]) -> Repaired:
    """Return the graph with `outputs` by batch normalisation as it is in use.

    They do not wait any more for the averages to be moved.
    """
    view = View(meta_graph.graph_def)
    swapping = _Swapping(meta_graph.graph_def, view, view.upstream(outputs))
    swapping.swap_fused()
    swapping.swap_moments()
    if not (swapping.done or swapping.statistics):
        return Repaired(meta_graph)
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    edited.graph_def.CopyFrom(swapping.graph)
    edited = without_updates(edited, outputs, swapping.averages).meta_graph
    fused, statistics = swapping.done, swapping.statistics
    told = [f"{counted(len(fused), 'batch normalisation')} by moving averages: {some(fused, 3)}"]
    count = counted(len(statistics), "statistic")
    others = [f"moving averages in the place of {count} of a batch: {some(statistics, 3)}"]
    return Repaired(edited, "; ".join((told if fused else []) + (others if statistics else [])))


@dataclass
class _Swapping:
    """One graph, in which averages take the place of statistics.

    Attributes
    ----------
    before, view
        The graph as it was given.
    needed
        The nodes that the outputs need: others are left alone.
    done
        The fused normalisations that were changed.
    statistics
        The averages that took the place of what ``moments`` gave.
    averages
        The variables that are read now.
    """

    before: protos.GraphDef
    view: View
    needed: set[str]
    done: list[str] = field(default_factory=list)
    statistics: list[str] = field(default_factory=list)
    averages: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.graph = protos.GraphDef()
        self.graph.CopyFrom(self.before)
        self.nodes = by_name(self.graph)
        self.taken = set(self.nodes)

    def swap_fused(self) -> None:
        """Let fused normalisations take the averages that follow their statistics."""
        for name in facts.training(self.view, self.needed)["batch_norm"]:
            averages = {number: self._average(name, number) for number in _AT}
            if None in averages.values():
                continue
            for number, variable in averages.items():
                self.nodes[name].input[_AT[number]] = self._read(str(variable))
            self.nodes[name].attr["is_training"].b = False
            self.done.append(name)

    def swap_moments(self) -> None:
        """Let whoever uses the mean and variance of a batch use their averages."""
        followed = [*self._followers()]
        unbiased = self._unbiased(followed)
        for mutator, variable, statistic in followed:
            users = [
                (user, at)
                for user, at in self.view.data_users.get(source(statistic), ())
                if user in self.needed and not self._is_way(user, mutator)
            ]
            if users and self._is_moment(statistic):
                average = unbiased.get(variable, variable)
                read = self._read(average)
                for user, at in users:
                    self.nodes[user].input[at] = read
                self.statistics.append(average)

    def _followers(self) -> Iterator[tuple[str, str, str]]:
        """Yield what changes a variable, the variable, and what its value moves towards."""
        for mutator in [name for name, op in self.view.ops.items() if is_mutator(op)]:
            variable = self._changed(mutator)
            statistic = self._followed(mutator, variable) if variable else None
            if variable is not None and statistic is not None:
                yield mutator, variable, statistic

    def _unbiased(self, followed: Sequence[tuple[str, str, str]]) -> dict[str, str]:
        """Return the averages that are used, by those that are divided by their weight for it."""
        found: dict[str, str] = {}
        for average, statistic in [*self._assigned(), *((v, s) for _, v, s in followed)]:
            if self.view.ops.get(source(statistic)) in _DIVIDES:
                before = self.view.upstream([statistic])
                inner = {one for mutator, one, _ in followed if mutator in before}
                found |= dict.fromkeys(inner - {average}, average)
        return found

    def _assigned(self) -> Iterator[tuple[str, str]]:
        """Yield the variables that are set to a value, and the value."""
        for mutator in self.view.named("Assign", "AssignVariableOp"):
            variable = self._changed(mutator)
            if variable is not None:
                yield variable, self.view.data_inputs(mutator)[1]

    def _average(self, name: str, number: int) -> str | None:
        """Return the variable that follows output `number` of the node `name`."""
        users = self.view.data_users.get(name, ())
        todo = [(user, 0) for user, at in users if port(self.view.inputs[user][at]) == number]
        while todo:
            user, steps = todo.pop()
            op = self.view.ops[user]
            if is_mutator(op):
                return self._changed(user)
            if op in _ARITHMETIC and steps < _STEPS:
                todo += [(later, steps + 1) for later, _ in self.view.data_users.get(user, ())]
        return None

    def _changed(self, mutator: str) -> str | None:
        """Return the variable that `mutator` changes."""
        given = data_inputs(self.view.nodes[mutator])
        name = source(given[0]) if given else ""
        return name if self.view.ops.get(name) in VARIABLES else None

    def _followed(self, mutator: str, variable: str) -> str | None:
        """Return what `mutator` takes a share of the difference to, from the variable's value."""
        todo = [(edge, 0) for edge in data_inputs(self.view.nodes[mutator])[1:]]
        while todo:
            edge, steps = todo.pop()
            name = source(edge)
            if self.view.ops.get(name) == "Sub":
                return next(iter(self._other_sides(name, variable)), None)
            if self.view.ops.get(name) in _ARITHMETIC and steps < _STEPS:
                todo += [(one, steps + 1) for one in self.view.data_inputs(name)]
        return None

    def _other_sides(self, difference: str, variable: str) -> Iterator[str]:
        sides = self.view.data_inputs(difference)
        if any(variable in self.view.upstream([side], control=False) for side in sides):
            for side in sides:
                if variable not in self.view.upstream([side], control=False):
                    yield side

    def _is_moment(self, edge: str) -> bool:
        """Tell whether `edge` is a statistic of values, but for its form."""
        for _ in range(_STEPS):
            name = source(edge)
            if self.view.ops.get(name) not in _FORMS:
                return self.view.ops.get(name) == "Mean" or "moments" in name
            edge = self.view.data_inputs(name)[0]
        return False

    def _is_way(self, user: str, mutator: str) -> bool:
        """Tell whether `user` is on the way to `mutator`."""
        return user in self.view.upstream([mutator], control=False)

    def _read(self, variable: str) -> str:
        """Return an edge with the value of `variable`."""
        node = self.nodes[variable]
        self.averages.add(variable)
        if not is_resource(node):
            return variable
        name = unique(f"{variable}/inference/ReadVariableOp", self.taken)
        self.graph.node.append(
            make_node(name, "ReadVariableOp", [variable], device=node.device, dtype=dtype_of(node))
        )
        return name
