"""A loop of TensorFlow 1 made the functional ``While`` of TensorFlow 2.

A ``While`` calls two functions.  Its first two values are the number of rounds and their greatest
number, as its gradient wants them; then come those that go round, and then what the loop only looks
at: handed round unchanged, they get gradients too.

Source: ``tensorflow/python/ops/while_v2.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import dtypes, protos
from zoo.bodies import Body, effects, function, region
from zoo.branches import with_ifs
from zoo.errors import UnsupportedError
from zoo.frames import Frame, Loop, entered, loop
from zoo.graph import CONTROL, source, subgraph, tensor_name, unique
from zoo.nodes import node, shape, whole_number
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.dtypes import DType

_COUNTERS = 2


def with_while(graph: protos.GraphDef, frame: Frame) -> protos.GraphDef:
    """Return `graph` with a ``While`` for `frame`, which holds no other.

    Raises
    ------
    UnsupportedError
        What goes on in the frame is no plain loop.
    """
    view = View(graph)
    found = loop(view, frame)
    view = View(with_ifs(graph, found.merges(view), found.doors))
    found = loop(view, entered(view, frame.name, frame.enters))
    call, functions = _While(view, found).made()
    made = protos.GraphDef()
    made.CopyFrom(view.graph)
    made.node.extend(call)
    for one in functions:
        made.library.function.add().CopyFrom(one)
    ways = [[f"{switch}:0" for switch in one.switches] for one in found.variables]
    numbers = {way: at for at, some in enumerate(ways, _COUNTERS) for way in some}
    exits = {}
    for name in found.frame.exits:
        exits[name] = f"{call[-1].name}:{numbers[tensor_name(view.inputs[name][0])]}"
    return let_out(made, found.frame, exits)


def let_out(graph: protos.GraphDef, frame: Frame, exits: dict[str, str]) -> protos.GraphDef:
    """Return `graph` without `frame`, each of its `exits` a copy of the tensor it is mapped to."""
    for one in graph.node:
        if one.name in exits:
            one.op = "Identity"
            one.input[0] = exits[one.name]
    return subgraph(graph, {one.name for one in graph.node} - (frame.members - exits.keys()))


def waits_of(view: View, frame: Frame) -> list[str]:
    """Return the control edges of what enters `frame`."""
    edges = [edge for name in frame.enters for edge in view.inputs[name]]
    return list(dict.fromkeys(edge for edge in edges if edge.startswith(CONTROL)))


def types_of(view: View, names: Sequence[str]) -> list[DType]:
    """Return the dtypes of what the nodes called `names` pass on."""
    return [dtypes.dtype(view.nodes[name].attr["T"].type) for name in names]


@dataclass
class _While:
    """The ``While`` of a loop, in the making."""

    view: View
    loop: Loop

    def __post_init__(self) -> None:
        taken = set(self.view.nodes)
        self.frame = self.loop.frame
        self.name = unique(f"{self.frame.name}/While", taken)
        self.counters = [unique(f"{self.name}/{text}", taken) for text in ("rounds", "most")]
        goes_round = [one.merge for one in self.loop.variables]
        self.arguments = [*self.counters, *goes_round, *self.loop.constants]
        self.numbers = {f"{name}:0": number for number, name in enumerate(self.arguments)}
        self.types = [dtypes.INT32] * _COUNTERS
        self.types += types_of(self.view, self.arguments[_COUNTERS:])

    def made(self) -> tuple[list[protos.NodeDef], list[protos.FunctionDef]]:
        """Return the nodes to add, the ``While`` last, and the functions that it calls."""
        enters = [*(one.enter for one in self.loop.variables), *self.loop.constants]
        entering = [self.view.data_inputs(enter)[0] for enter in enters]
        counters = [whole_number(name, at) for name, at in zip(self.counters, (0, -1), strict=True)]
        for one in counters:  # in the frame of another loop, a constant has to wait for it
            one.input.append(f"^{source(entering[0])}")
        after = waits_of(self.view, self.frame)
        call = node(self.name, "While", [*self.counters, *entering, *after], T=self.types)
        known = self.view.nodes[enters[0]].attr
        if "parallel_iterations" in known:
            call.attr["parallel_iterations"].CopyFrom(known["parallel_iterations"])
        call.attr["output_shapes"].list.shape.extend([shape([])] * _COUNTERS)
        call.attr["output_shapes"].list.shape.extend([shape(None)] * len(enters))
        call.attr["_num_original_outputs"].i = len(self.types)
        call.attr["_lower_using_switch_merge"].b = True
        return [*counters, call], self._functions(call)

    def _functions(self, call: protos.NodeDef) -> list[protos.FunctionDef]:
        """Return the condition and the body, which `call` then calls."""
        condition, body = self._condition(), self._body()
        if not set(condition.effects).isdisjoint(body.effects):
            raise UnsupportedError("its condition and its body share what has an effect")
        if not condition.effects and not body.effects:
            call.op = "StatelessWhile"
        made: list[protos.FunctionDef] = []
        for key, one in (("cond", condition), ("body", body)):
            known = [*self.view.graph.library.function, *made]
            made.append(function(f"{self.frame.name}_{key}", one, known))
            call.attr[key].func.name = made[-1].signature.name
        return made

    def _condition(self) -> Body:
        """Return what decides whether there is another round."""
        asked = self.view.data_inputs(self.loop.condition)[0]
        inside = self._nodes([asked])
        return Body(inside, self.numbers, self.types, [(asked, dtypes.BOOL)], effects(inside))

    def _body(self) -> Body:
        """Return one round, which is counted."""
        last = [one.next for one in self.loop.variables]
        inside = self._nodes(last)
        taken = {one.name for one in inside}
        one, more = (unique(text, taken) for text in ("one", "more"))
        rounds, most = self.counters
        inside += [whole_number(one, 1), node(more, "AddV2", [rounds, one], T=dtypes.INT32)]
        given = dict(self.numbers)
        for variable in self.loop.variables:
            number = self.numbers[f"{variable.merge}:0"]
            given |= {f"{switch}:1": number for switch in variable.switches}
        edges = [more, most, *last, *self.loop.constants]
        results = list(zip(edges, self.types, strict=True))
        return Body(inside, given, self.types, results, effects(inside))

    def _nodes(self, roots: Sequence[str]) -> list[protos.NodeDef]:
        """Return copies of the nodes of the loop that `roots` need."""
        needed = region(self.view, roots, self.loop.doors) & self.frame.members
        copies = []
        for name in self.view.nodes:
            if name in needed:
                copy = protos.NodeDef()
                copy.CopyFrom(self.view.nodes[name])
                copy.op = "Identity" if copy.op == "NextIteration" else copy.op
                copies.append(copy)
        return copies
