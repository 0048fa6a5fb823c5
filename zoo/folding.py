"""Conditionals whose condition is known: the branch that is never taken goes.

In the way of TensorFlow 1 a conditional is made of ``Switch`` and ``Merge``; what comes of the
side of a ``Switch`` that is not taken is dead, and so is what needs something dead, but for a
``Merge`` that has another input.  In the way of TensorFlow 2 it is one operation with functions.

Source: ``tensorflow/core/common_runtime/executor.cc`` (dead tensors), ``functional_ops.cc``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import protos
from zoo.graph import CONTROL, by_name, consumers, data_inputs, port, shell, source, unique
from zoo.nodes import whole_number
from zoo.tensor_protos import number

if TYPE_CHECKING:
    from collections.abc import Iterable

_SWITCHES = {"RefSwitch", "Switch"}
_MERGES = {"Merge": "Identity", "RefMerge": "RefIdentity"}
_BACK = {"NextIteration", "RefNextIteration"}
_CALLS = {"If": "StatefulPartitionedCall", "StatelessIf": "PartitionedCall"}
_PASS = {"Cast", "Identity", "StopGradient"}
_DEEPEST = 100


def folded(graph: protos.GraphDef, outputs: Iterable[str] = ()) -> tuple[protos.GraphDef, int]:
    """Return `graph` without branches that constants rule out, and how many conditionals went.

    The functions of branches that are taken are called instead.  Where one of `outputs` is on a
    branch that is never taken, everything stays.
    """
    folding = _Folding(graph)
    gone = folding.dead & {source(tensor) for tensor in outputs}
    if gone or not (folding.decided or folding.calls):
        return graph, 0
    return folding.made(), folding.count()


class _Folding:
    """One graph on its way to fewer branches."""

    def __init__(self, graph: protos.GraphDef) -> None:
        self.graph = graph
        self.nodes = by_name(graph)
        self.users = consumers(graph.node)
        self.decided = {
            node.name: taken
            for node in graph.node
            if node.op in _SWITCHES and (taken := self._known(data_inputs(node)[1])) is not None
        }
        self.calls = {
            node.name: taken
            for node in graph.node
            if node.op in _CALLS and (taken := self._known(node.input[0])) is not None
        }
        self.dead = self._dead()

    def count(self) -> int:
        """Return how many conditionals are gone; each has a node of its own for its condition."""
        pairs = [data_inputs(self.nodes[name])[:2] for name in self.decided]
        conditions = {source(condition) for value, condition in pairs if value != condition}
        return len(conditions) + len(self.calls)

    def made(self) -> protos.GraphDef:
        """Return the graph without what is dead."""
        taken = set(self.nodes)
        graph = shell(self.graph)
        index: dict[str, str] = {}
        for node in self.graph.node:
            if node.name in self.dead or node.name in self.decided:
                continue
            graph.node.append(self._left(node))
            if node.op in _MERGES and self._chosen(node) is not None:
                index[node.name] = unique(f"{node.name}/value_index", taken)
                number = data_inputs(node).index(str(self._chosen(node)))
                graph.node.append(whole_number(index[node.name], number))
        for node in graph.node:
            for at, edge in enumerate(node.input):
                if port(edge) == 1 and source(edge) in index:
                    node.input[at] = index[source(edge)]
        return graph

    def _left(self, node: protos.NodeDef) -> protos.NodeDef:
        """Return what is left of `node`: what it takes from dead branches is gone."""
        made = protos.NodeDef()
        made.CopyFrom(node)
        live = [edge for edge in node.input if not self._is_dead(edge)]
        if node.name in self.calls:
            _as_call(made, taken=self.calls[node.name])
            live = live[1:]
        made.input[:] = [self._passed(edge) for edge in live]
        if node.op in _MERGES and self._chosen(node) is not None:
            _as_identity(made)
        elif node.op in _MERGES:
            made.attr["N"].i = len(data_inputs(made))
        return made

    def _known(self, edge: str, depth: int = 0) -> bool | None:
        """Return the truth of `edge` where constants alone decide on it."""
        node = self.nodes.get(source(edge))
        if node is None or depth > _DEEPEST or port(edge) > 0:
            return None
        if node.op == "Const":
            return _truth(node)
        if node.op in _PASS:
            return self._known(node.input[0], depth + 1)
        if node.op == "LogicalNot":
            inner = self._known(node.input[0], depth + 1)
            return None if inner is None else not inner
        if node.op in ("LogicalAnd", "LogicalOr"):
            sides = {self._known(one, depth + 1) for one in data_inputs(node)}
            rules = node.op == "LogicalOr"  # the value that decides alone
            return rules if rules in sides else (None if None in sides else not rules)
        return None

    def _dead(self) -> set[str]:
        """Return the nodes that can never run."""
        dead: set[str] = set()
        todo = [
            user.name
            for name, taken in self.decided.items()
            for user, at in self.users.get(name, ())
            if port(user.input[at]) == (0 if taken else 1)
        ]
        while todo:
            name = todo.pop()
            if name not in dead and self._dies(self.nodes[name], dead):
                dead.add(name)
                todo += [user.name for user, _ in self.users.get(name, ())]
        return dead

    def _dies(self, node: protos.NodeDef, dead: set[str]) -> bool:
        if any(self._is_dead(edge, dead) for edge in node.input if edge.startswith(CONTROL)):
            return True
        given = data_inputs(node)
        if node.op not in _MERGES:
            return any(self._is_dead(edge, dead) for edge in given)
        return all(self._is_dead(edge, dead) or self._is_back(edge) for edge in given)

    def _is_back(self, edge: str) -> bool:
        node = self.nodes.get(source(edge))
        return node is not None and node.op in _BACK

    def _is_dead(self, edge: str, dead: set[str] | None = None) -> bool:
        name = source(edge)
        if name in (self.dead if dead is None else dead):
            return True
        return name in self.decided and port(edge) == (0 if self.decided[name] else 1)

    def _chosen(self, merge: protos.NodeDef) -> str | None:
        """Return the only input of `merge` that is left, None where nothing is decided."""
        given = data_inputs(merge)
        live = [edge for edge in given if not self._is_dead(edge)]
        return live[0] if len(live) == 1 < len(given) else None

    def _passed(self, edge: str) -> str:
        """Return the edge that carries what a decided switch passed on as `edge`."""
        control = CONTROL if edge.startswith(CONTROL) else ""
        seen: set[str] = set()
        while source(edge) in self.decided and source(edge) not in seen:
            seen.add(source(edge))
            edge = self.nodes[source(edge)].input[0]
        return f"{control}{source(edge)}" if control else edge


def _truth(node: protos.NodeDef) -> bool | None:
    """Return the truth of a constant, None for one that is several or none."""
    value = number(node.attr["value"].tensor)
    return bool(value) if isinstance(value, int) else None


def _as_identity(merge: protos.NodeDef) -> None:
    """Make `merge` pass on its one input."""
    merge.op = _MERGES[merge.op]
    for key in ("N", "_output_shapes"):
        merge.attr.pop(key, None)


def _as_call(branch: protos.NodeDef, *, taken: bool) -> None:
    """Make `branch` call the function that is taken."""
    function = branch.attr["then_branch" if taken else "else_branch"].func
    branch.op = _CALLS[branch.op]
    branch.attr["f"].func.CopyFrom(function)
    _drop(branch, ("Tcond", "else_branch", "output_shapes", "then_branch"))


def _drop(node: protos.NodeDef, keys: Iterable[str]) -> None:
    for key in keys:
        node.attr.pop(key, None)
