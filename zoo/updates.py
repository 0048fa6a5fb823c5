"""Changes of variables that happen whenever the outputs are computed: averages, counters.

A graph of TensorFlow 1 lets its outputs wait for the updates of batch normalisation. Where the
outputs do not look at what is changed, they are the same without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import ops, protos
from zoo.errors import counted, some
from zoo.graph import CONTROL, data_inputs, source
from zoo.repairs import Repaired
from zoo.variables import VARIABLES
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable

_HANDED_ON = {"Enter", "Exit", "Identity", "Merge", "NextIteration", "Switch"}
_WRITES = ("Assign", "ResourceApply", "ResourceScatter", "ResourceSparseApply")


def without_updates(
    meta_graph: protos.MetaGraphDef, outputs: Iterable[str], unseen: Iterable[str] = ()
) -> Repaired:
    """Return the graph with `outputs` that do not wait for changes of variables.

    A change of a variable whose value the outputs need stays: they may be to see it.

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
            node.input[:] = [edge for edge in node.input if edge not in gone[node.name]]
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


class _Cutting:
    """One graph, looked at for the waits that can be left out."""

    def __init__(
        self, view: View, mutators: set[str], outputs: list[str], unseen: set[str]
    ) -> None:
        self.view = view
        self.mutators = mutators
        self.outputs = outputs
        self.unseen = unseen
        self.later = view.downstream(mutators)
        self.changed: dict[str, set[str]] = {}
        """By the edge that was left out, the variables that are not changed any more."""

    def gone(self) -> dict[str, set[str]]:
        """Return the control edges that can be left out, by the node that they lead to."""
        needed = self.view.upstream(self.outputs, control=False)
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
                todo += new
        return found

    def _is_idle(self, edge: str, needed: set[str]) -> bool:
        """Tell whether waiting by `edge` changes nothing but variables that nobody looks at."""
        if source(edge) not in self.later:
            return False
        before = self.view.upstream([source(edge)])
        changing = (before & self.mutators) - needed
        variables = {self._variable(name) for name in changing}
        if not changing or None in variables or (variables & needed) - self.unseen:
            return False
        self.changed[edge] = {str(name) for name in variables}
        return True

    def _variable(self, mutator: str) -> str | None:
        """Return the variable that `mutator` changes, None where that does not show."""
        name: str | None = mutator
        for _ in range(len(self.view.ops)):
            if name is None or self.view.ops[name] in VARIABLES:
                return name
            given = data_inputs(self.view.nodes[name])
            name = source(given[0]) if given and source(given[0]) in self.view.ops else None
        return None
