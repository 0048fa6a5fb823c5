"""Changes of variables that happen whenever the outputs are computed: averages, counters.

A graph of TensorFlow 1 lets its outputs wait for the updates of batch normalisation. Where the
outputs do not look at what is changed, they are the same without.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from zoo import ops, protos
from zoo.errors import counted, some
from zoo.graph import CONTROL, data_inputs, source
from zoo.normal_form import acts
from zoo.repairs import Repaired
from zoo.tensor_protos import number
from zoo.variables import VARIABLES, name_in_session
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable

_HANDED_ON = {"Enter", "Exit", "Identity", "Merge", "NextIteration", "Switch"}
_NORMALISED = 3
"""The inputs of a fused normalisation that count where it takes the statistics of the batch."""
_DEEPEST = 20
_PLACES = {"Enter", "Merge", "RefEnter", "RefMerge", "RefSwitch", "Switch"}
"""What leads into loops and branches."""
_WRITES = ("Assign", "ResourceApply", "ResourceScatter", "ResourceSparseApply")


def without_updates(
    meta_graph: protos.MetaGraphDef, outputs: Iterable[str], unseen: Iterable[str] = ()
) -> Repaired:
    """Return the graph with `outputs` that do not wait for changes of variables.

    A change of a variable whose value the outputs need stays: they may be to see it.  One by a
    constant zero is none.

    Parameters
    ----------
    unseen
        Variables whose changes the outputs are not to see.
    """
    view = View(meta_graph.graph_def)
    mutators = [name for name in view.ops if is_mutator(view.ops[name])]
    if not mutators:
        return Repaired(meta_graph)
    cutting = _Cutting(view, set(mutators), list(outputs), set(unseen))
    gone = cutting.gone()
    if not gone:
        return Repaired(meta_graph)
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    for node in edited.graph_def.node:
        if node.name in gone:
            kept = [edge for edge in node.input if edge not in gone[node.name]]
            node.input[:] = kept or cutting.place(gone[node.name])
    changed = sorted({name for names in cutting.changed.values() for name in names})
    said = f"the outputs no longer change {counted(len(changed), 'variable')}: {some(changed, 3)}"
    return Repaired(edited, said)


def is_mutator(op: str) -> bool:
    """Tell whether operations called `op` change a variable.

    >>> is_mutator("AssignSub"), is_mutator("RefSwitch"), is_mutator("AssignSubVariableOp")
    (True, False, True)
    """
    known = ops.op(op)
    if known is None or op.removeprefix("Ref") in _HANDED_ON or op == "IsVariableInitialized":
        return False
    return bool(known.refs) or op.startswith(_WRITES)


def _number(view: View, edge: str, steps: int) -> float | None:
    """Return the one number that `edge` always is, None where that does not show."""
    name = source(edge)
    op = view.ops.get(name, "")
    if op == "Const":
        value = number(view.nodes[name].attr["value"].tensor)
        return value if isinstance(value, float) else None
    if not steps or op not in ("Cast", "Identity", "Mul", "Sub"):
        return None
    sides = [_number(view, one, steps - 1) for one in view.data_inputs(name)]
    if op == "Mul":
        return 0.0 if 0 in sides else None
    if op == "Sub":
        first, second = sides
        return None if first is None or second is None else first - second
    return sides[0]


class _Cutting:
    """One graph, looked at for the waits that can be left out."""

    def __init__(
        self, view: View, mutators: set[str], outputs: list[str], unseen: set[str]
    ) -> None:
        self.view = view
        self.mutators = mutators
        self.outputs = outputs
        self.unseen = unseen
        self.seen = self._seen()
        self.later = view.downstream(mutators)
        self.needed: set[str] = set()
        self.changed: dict[str, set[str]] = {}
        """By the edge that was left out, the variables that are not changed any more."""

    def gone(self) -> dict[str, set[str]]:
        """Return the control edges that can be left out, by the node that they lead to."""
        before = -1
        while before != len(self.seen):  # what is seen may show only after others were left out
            before = len(self.seen)
            self.changed.clear()
            found = self._unneeded()
        return found

    def _unneeded(self) -> dict[str, set[str]]:
        self.needed = needed = self.view.upstream(self.outputs, control=False)
        found: dict[str, set[str]] = {}
        todo = [*needed]
        while todo:
            name = todo.pop()
            for edge in self.view.inputs[name]:
                if not edge.startswith(CONTROL):
                    continue
                if self._is_idle(edge, needed):
                    found.setdefault(name, set()).add(edge)
                    continue
                new = self.view.upstream([source(edge)], control=False) - needed
                needed |= new
                acting = [one for one in new if acts(self.view.ops[one])]
                self.seen |= self.view.upstream(acting, control=False)
                todo += new
        return found

    def place(self, edges: Iterable[str]) -> list[str]:
        """Return edges by which a node stays in the loop or on the branch where `edges` had it."""
        todo = deque(source(edge) for edge in sorted(edges))
        if not {self.view.ops[name] for name in self.view.upstream(todo)} & _PLACES:
            return []
        seen = set(todo)
        while todo:
            name = todo.popleft()
            waits = [edge for edge in self.view.inputs[name] if edge.startswith(CONTROL)]
            if self.view.ops[name] == "Const" and waits and all(map(self._stays, waits)):
                return waits
            if self._is_place(name):
                return [f"{CONTROL}{name}"]
            new = [one for one in map(source, self.view.inputs[name]) if one not in seen]
            seen.update(new)
            todo.extend(new)
        return []

    def _is_place(self, name: str) -> bool:
        op = self.view.ops[name]
        strange = op in {*VARIABLES, *_PLACES, "Const", "NoOp"} or acts(op)
        return self._stays(name) and not strange

    def _stays(self, edge: str) -> bool:
        return source(edge) in self.needed or source(edge) not in self.later

    def _is_idle(self, edge: str, needed: set[str]) -> bool:
        """Tell whether waiting by `edge` changes nothing but variables that nobody looks at."""
        if source(edge) in needed or source(edge) not in self.later or self._is_pivot(source(edge)):
            return False
        before = self.view.upstream([source(edge)])
        if self.view.ops[source(edge)] == "NoOp" and self._acts_besides(before - needed):
            return False  # what is grouped is looked at one by one
        changing = (before & self.mutators) - needed
        variables = {self._variable(name) for name in changing if not self._is_nothing(name)}
        if (
            not changing
            or None in variables
            or (self._aliases(variables) & self.seen) - self.unseen
        ):
            return False
        self.changed[edge] = {str(self._variable(name)) for name in changing}
        return True

    def _aliases(self, variables: set[str | None]) -> set[str]:
        """Return the nodes that are one of `variables`, or share its value under its name."""
        wanted = {name_in_session(self.view.nodes[name]) for name in variables if name}
        return {
            name
            for name in self.view.named(*VARIABLES)
            if name_in_session(self.view.nodes[name]) in wanted
        }

    def _is_pivot(self, name: str) -> bool:
        """Tell whether what waits for `name` does so to be on its branch or in its loop."""
        ways = {self.view.ops[name], *(self.view.ops[one] for one in self.view.sources[name])}
        return self.view.ops[name] in {*_PLACES, "Identity"} and not ways.isdisjoint(_PLACES)

    def _acts_besides(self, names: set[str]) -> bool:
        return any(acts(self.view.ops[name]) for name in names - self.mutators)

    def _seen(self) -> set[str]:
        """Return what the outputs depend on; normalising by a batch, they ignore the averages."""
        found: set[str] = set()
        todo = [source(tensor) for tensor in self.outputs]
        while todo:
            name = todo.pop()
            if name in found or name not in self.view.ops:
                continue
            found.add(name)
            edges = self.view.data_inputs(name)
            todo += map(source, edges[:_NORMALISED] if self._is_by_batch(name) else edges)
        return found

    def _is_by_batch(self, name: str) -> bool:
        attributes = self.view.nodes[name].attr
        fused = self.view.ops[name].startswith("FusedBatchNorm") and "Grad" not in name
        return fused and ("is_training" not in attributes or attributes["is_training"].b)

    def _is_nothing(self, mutator: str) -> bool:
        """Tell whether `mutator` adds or subtracts a product with zero."""
        given = self.view.data_inputs(mutator)
        if not self.view.ops[mutator].startswith(("AssignAdd", "AssignSub")) or len(given) < 2:
            return False
        return _number(self.view, given[1], _DEEPEST) == 0

    def _variable(self, mutator: str) -> str | None:
        """Return the variable that `mutator` changes, None where that does not show."""
        name: str | None = mutator
        for _ in range(len(self.view.ops)):
            if name is None or self.view.ops[name] in VARIABLES:
                return name
            given = data_inputs(self.view.nodes[name])
            name = source(given[0]) if given and source(given[0]) in self.view.ops else None
        return None
