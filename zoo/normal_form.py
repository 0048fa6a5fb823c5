"""A graph in the one form in which two are compared, whatever format each was read from.

Calls are expanded, variables and constants alike hold a value, and what only passes a value on is
passed over: a read of a variable, an ``Identity``.  Where values stand in the place of handles, as
freezing puts them, operations are called by what they do with values.  Nothing is rewritten: nodes
are looked at through these glasses one by one, when they are asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from zoo import ops, protos
from zoo.attributes import ABSENT
from zoo.graph import CONTROL, GRADIENT, port, source
from zoo.nodes import whole_number
from zoo.tensor_protos import from_proto
from zoo.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zoo.tensors import Tensor

Point = tuple[str, int]
"""A node and the number of one of its outputs."""

ARGUMENT = "_Arg"
"""What stands in a function for a value that it is given."""
OUTPUT = "output"
"""What stands at the end of a graph, and hands on a value and what must have run before."""
RETURN = "output of the function"
"""The node that takes all that a function puts out; no other can have such a name."""
FILLS_TABLE = re.compile(r"InitializeTable.*|LookupTableImport(V2)?")

_PASSES = {"Identity", "IdentityN", "ReadVariableOp", "RefIdentity"}
_FLOW = {"Enter", "Exit", "Merge", "NextIteration", "Switch"}
_CALLERS = {
    "Case", "If", "PartitionedCall", "StatefulPartitionedCall", "StatelessCase", "StatelessIf",
    "StatelessWhile", "While",
}  # fmt: skip
_OF_VALUES = {
    "ResourceGather": "GatherV2",
    "ResourceGatherNd": "GatherNd",
    "Variable": "VarHandleOp",
    "VariableShape": "Shape",
    "VariableV2": "VarHandleOp",
}
"""What an operation on a handle is called where it works on the value."""
_WITHOUT_MEANING = {
    "T", "Taxis", "Tparams",  # follow from what comes in
    "allowed_devices", "config", "config_proto", "container", "debug_name", "executor_type",
    "frame_name", "parallel_iterations", "shared_name", "use_cudnn_on_gpu",
}  # fmt: skip
_TYPES_OF_CALLS = {"Tin", "Tout", "output_shapes"}
_GATHERS = {"dtype", "validate_indices"}
_QUIET = re.compile(
    r"Var(iable(V2|Shape)?|HandleOp|IsInitializedOp)|Resource(Gather|GatherNd)|ReadVariableOp"
    r"|.*(Random|Normal|Uniform|Multinomial).*|.*HashTable.*|LookupTable(Find|Size|Export).*"
    r"|TensorArray.*|Stack.*|CheckNumerics.*|Placeholder.*|" + "|".join(_FLOW)
)
"""Operations that TensorFlow calls stateful, but that change nothing another one sees."""


@dataclass(frozen=True)
class Operation:
    """A node in the one form.

    Attributes
    ----------
    op
        What it does.
    attrs
        Attributes that mean something for what it does.
    edges
        Where its values come from.
    effects
        The nodes that change something and must have run before.
    value
        What it holds, if it is a variable or a constant.
    changes
        Whether it is a variable that something changes.
    """

    name: str
    op: str
    attrs: Mapping[str, protos.AttrValue]
    edges: tuple[Point, ...] = ()
    effects: frozenset[str] = frozenset()
    value: Tensor | None = None
    changes: bool = False

    @property
    def unique(self) -> bool:
        """Tell whether two such operations are not the same as one that is used twice."""
        if self.value is not None:
            return self.changes
        known = ops.op(self.op)
        stateful = self.op != OUTPUT if known is None else known.stateful
        return stateful or self.op.startswith("Placeholder")


@dataclass(eq=False)
class Net:
    """The nodes of a graph, or of a function, in the one form.

    Attributes
    ----------
    nodes
        By name; calls are expanded already, and edges are those of graphs.
    values
        What variables and constants hold, by their nodes; other constants hold what they state.
    library
        The functions that the nodes may call.
    """

    nodes: dict[str, protos.NodeDef]
    values: Mapping[str, Tensor]
    library: Mapping[str, protos.FunctionDef]
    _known: dict[str, Operation] = field(default_factory=dict)
    _behind: dict[str, frozenset[str]] = field(default_factory=dict)

    def point(self, edge: str) -> Point:
        """Return where the value of `edge` is made, past all that hand it on."""
        return self._followed(edge)[0]

    def operation(self, name: str) -> Operation:
        """Return the node `name` in the one form."""
        if name not in self._known:
            self._known[name] = self._operation(name)
        return self._known[name]

    def value(self, name: str) -> Tensor | None:
        """Return what the variable or constant `name` holds, None if it is neither."""
        node = self.nodes[name]
        if node.op != "Const" and node.op not in VARIABLES:
            return None
        if name in self.values:
            return self.values[name]
        return from_proto(node.attr["value"].tensor) if "value" in node.attr else None

    def effects(self, edges: Iterable[str]) -> frozenset[str]:
        """Return what changes something on the way to `edges`, the nearest of each way."""
        names = [source(edge) for edge in edges] if self._acting else ()
        return frozenset(effect for name in names for effect in self._nearest(name))

    def _nearest(self, name: str) -> frozenset[str]:
        """Return what changes something on the ways to the node `name`, or is that node."""
        if name not in self._behind:
            found, seen, todo = set(), set(), [name]
            while todo:
                current = todo.pop()
                if current in self._acting:
                    found.add(current)
                elif current not in seen and current in self.nodes:
                    seen.add(current)
                    todo += map(source, self.nodes[current].input)
            self._behind[name] = frozenset(found)
        return self._behind[name]

    def output(self, tensor: str) -> Point:
        """Return a node that does nothing but take `tensor`."""
        name = f"{OUTPUT} {tensor}"
        self.nodes.setdefault(name, protos.NodeDef(name=name, op=OUTPUT, input=[tensor]))
        return name, 0

    @cached_property
    def _acting(self) -> set[str]:
        """The nodes that change something, or may do so."""
        return {name for name, node in self.nodes.items() if acts(node.op)}

    @cached_property
    def _changed(self) -> set[str]:
        """The nodes that others may change."""
        taken = (edge for name in self._acting for edge in self.nodes[name].input)
        return {self.point(edge)[0] for edge in taken}

    @cached_property
    def _fillers(self) -> dict[str, list[str]]:
        """What fills each table."""
        found: dict[str, list[str]] = {}
        for name, node in self.nodes.items():
            if FILLS_TABLE.fullmatch(node.op) and node.input:
                found.setdefault(self.point(node.input[0])[0], []).append(name)
        return found

    def _followed(self, edge: str) -> tuple[Point, list[str]]:
        """Return where the value of `edge` is made, and the control edges met on the way."""
        name, number = source(edge), port(edge)
        waits: list[str] = []
        seen = set()
        while name in self.nodes and self.nodes[name].op in _PASSES and name not in seen:
            seen.add(name)
            edges = self.nodes[name].input
            if number >= len(edges) or edges[number].startswith(CONTROL):
                break
            waits += [other for other in edges if other.startswith(CONTROL)]
            name, number = source(edges[number]), port(edges[number])
        return (name, number), waits

    def _operation(self, name: str) -> Operation:
        node = self.nodes.get(name)
        if node is None:
            return Operation(name, ABSENT, {})
        value = self.value(name)
        if value is not None:
            return Operation(name, "Const", {}, value=value, changes=name in self._changed)
        followed = [self._followed(edge) for edge in node.input if not edge.startswith(CONTROL)]
        waits = [edge for edge in node.input if edge.startswith(CONTROL)]
        waits += [wait for _, met in followed for wait in met]
        edges = [point for point, _ in followed] + self._implied(node)
        op = node.op.removeprefix("Ref") if node.op.removeprefix("Ref") in _FLOW else node.op
        kind = _OF_VALUES.get(op, op)
        return Operation(name, kind, _attributes(node), tuple(edges), self.effects(waits))

    def _implied(self, node: protos.NodeDef) -> list[Point]:
        """Return what `node` takes though no edge says so."""
        if node.op == "ResourceGather":  # frozen, it states the axis
            batch = node.attr["batch_dims"].i if "batch_dims" in node.attr else 0
            axis = f"{node.name}/axis"
            self.nodes.setdefault(axis, whole_number(axis, batch))
            return [(axis, 0)]
        return [(filler, 0) for filler in sorted(self._fillers.get(node.name, ()))]


def body(function: protos.FunctionDef, library: Mapping[str, protos.FunctionDef]) -> Net:
    """Return the nodes of `function`, with its arguments and `RETURN`, their edges as in graphs."""
    inner = {node.name: node for node in function.node_def}
    nodes = {}
    for number, argument in enumerate(function.signature.input_arg):
        nodes[argument.name] = protos.NodeDef(name=argument.name, op=ARGUMENT)
        nodes[argument.name].attr["index"].i = number
    for node in function.node_def:
        nodes[node.name] = protos.NodeDef()
        nodes[node.name].CopyFrom(node)
        nodes[node.name].input[:] = [_edge(edge, inner, library) for edge in node.input]
    returned = [function.ret[output.name] for output in function.signature.output_arg]
    edges = [_edge(edge, inner, library) for edge in returned]
    edges += [f"{CONTROL}{name}" for _, name in sorted(function.control_ret.items())]
    nodes[RETURN] = protos.NodeDef(name=RETURN, op=OUTPUT, input=edges)
    return Net(nodes, {}, library)


def _edge(
    edge: str, inner: Mapping[str, protos.NodeDef], library: Mapping[str, protos.FunctionDef]
) -> str:
    """Return `edge`, written as in functions, as an edge of a graph."""
    name, _, output = edge.partition(":")
    if edge.startswith(CONTROL) or not output or name not in inner:
        return edge
    node = inner[name]
    called, _, index = output.partition(":")
    number = int(index) if index.isdigit() else 0
    if node.op in library:
        names = [argument.name for argument in library[node.op].signature.output_arg]
        return f"{name}:{names.index(called) + number}" if called in names else edge
    known = ops.op(node.op)
    return f"{name}:{ops.position(node, called, number) if known is not None else number}"


def acts(kind: str) -> bool:
    """Tell whether operations called `kind` may change something that others see.

    >>> acts("Assert"), acts("AssignSub"), acts("ReadVariableOp"), acts("MatMul")
    (True, True, False, False)
    """
    known = ops.op(kind)
    if kind in _PASSES or kind == "NoOp" or kind == ARGUMENT or _QUIET.fullmatch(kind):
        return False
    return known is None or known.stateful or bool(known.refs)


def _attributes(node: protos.NodeDef) -> dict[str, protos.AttrValue]:
    without = set(_WITHOUT_MEANING)
    if node.op in _CALLERS:
        without |= _TYPES_OF_CALLS
    if node.op in ("ResourceGather", "ResourceGatherNd"):
        without |= _GATHERS
    return {
        key: value
        for key, value in node.attr.items()
        if key not in without
        and (not key.startswith("_") or key == GRADIENT)
        and value.WhichOneof("value") is not None
    }
