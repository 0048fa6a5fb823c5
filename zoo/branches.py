"""Branches of TensorFlow 1 around and inside of loops made the functional ``If`` of TensorFlow 2.

A gradient through a ``While`` remembers what each round computed; what was not computed, because
its branch was not taken, would end the loop.  So a ``Merge`` becomes an ``If``, inner ones first.

Source: ``tensorflow/python/ops/control_flow_ops.py`` (``CondContext``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import dtypes, ops, protos
from zoo.bodies import Body, effects, function, region
from zoo.errors import UnsupportedError
from zoo.graph import CONTROL, port, source, tensor_name, unique
from zoo.nodes import node
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Collection

    from zoo.dtypes import DType


@dataclass(frozen=True)
class _Side:
    """What comes to a ``Merge`` from one branch."""

    edge: str
    nodes: frozenset[str]
    switches: frozenset[str]
    ports: frozenset[int]
    direct: frozenset[str]
    """Tensors that are taken from outside of the branch as they are."""


@dataclass(frozen=True)
class _Choice:
    """A ``Merge`` with its branches, the one that is taken for False first."""

    merge: str
    predicate: str
    sides: tuple[_Side, _Side]

    @property
    def switches(self) -> set[str]:
        """The switches through which values come into the branches."""
        return set(self.sides[0].switches | self.sides[1].switches)


def with_ifs(
    graph: protos.GraphDef, merges: Collection[str], doors: Collection[str] = ()
) -> protos.GraphDef:
    """Return `graph` with an ``If`` for each choice between branches that ends in one of `merges`.

    Parameters
    ----------
    doors
        The nodes that bring values into the loop that they are in.

    Raises
    ------
    UnsupportedError
        Branches are not wired as ``tf.cond`` did it.
    """
    while True:
        view = View(graph)
        left = [name for name in view.named("Merge") if name in merges]
        if not left:
            return graph
        inside = guarded(view, doors)
        choices = [one for name in left if (one := _choice(view, name, inside))]
        if not choices:
            raise UnsupportedError(f"the branches before {left[0]!r} are no plain condition")
        graph = _with_if(view, _together(view, choices, doors))


def guarded(view: View, doors: Collection[str] = ()) -> set[str]:
    """Return the nodes on branches, without the switches and merges at their ends."""
    found: set[str] = set()
    todo = [name for name in view.named("Switch") if name not in doors]
    while todo:
        for user, _ in view.users.get(todo.pop(), ()):
            if user not in found and view.ops[user] not in ("Merge", "Switch"):
                found.add(user)
                todo.append(user)
    return found - set(doors)


def _choice(view: View, merge: str, inside: Collection[str]) -> _Choice | None:
    """Return the choice that ends at `merge`, None if there is another on its branches."""
    sides = [_side(view, edge, inside) for edge in view.data_inputs(merge)]
    if len(sides) != 2 or sides[0] is None or sides[1] is None:
        return None
    switches = sides[0].switches | sides[1].switches
    predicates = {_origin(view, view.inputs[name][1]) for name in switches}
    taken = {one.ports: one for one in sides if one is not None}
    if taken.keys() != {frozenset([0]), frozenset([1])} or len(predicates) != 1:
        raise UnsupportedError(f"the branches before {merge!r} are no plain condition")
    if any(port(view.inputs[user][at]) == 1 for user, at in view.users.get(merge, ())):
        raise UnsupportedError(f"somebody asks where the value of {merge!r} is from")
    return _Choice(merge, predicates.pop(), (taken[frozenset([0])], taken[frozenset([1])]))


def _side(view: View, edge: str, inside: Collection[str]) -> _Side | None:
    """Return the branch that ends in `edge`, None if another choice is on it."""
    nodes, switches, ports, direct = set(), set(), set(), set()
    todo = [edge]
    while todo:
        current = todo.pop()
        name = source(current)
        if view.ops[name] == "Merge":
            return None
        if view.ops[name] == "Switch":
            switches.add(name)
            ports |= {port(current)} - {-1}
        elif name not in inside:
            direct |= set() if current.startswith(CONTROL) else {tensor_name(current)}
        elif name not in nodes:
            nodes.add(name)
            todo += view.inputs[name]
    return _Side(
        edge, frozenset(nodes), frozenset(switches), frozenset(ports), frozenset(direct)
    )  # fmt: skip


def _origin(view: View, edge: str) -> str:
    """Return the tensor whose value `edge` is, behind copies."""
    while view.ops[source(edge)] == "Identity":
        edge = view.data_inputs(source(edge))[0]
    return tensor_name(edge)


def _together(view: View, choices: list[_Choice], doors: Collection[str]) -> list[_Choice]:
    """Return the choices that are one with the first: of one predicate, none after another."""
    first = choices[0]
    same: list[_Choice] = []
    before: set[str] = set()
    for one in choices:
        needed = region(view, [view.inputs[name][0] for name in one.switches], doors)
        merges = {other.merge for other in same}
        if one.predicate == first.predicate and not needed & merges and one.merge not in before:
            same.append(one)
            before |= needed
    return same


def _with_if(view: View, choices: list[_Choice]) -> protos.GraphDef:
    """Return the graph with one ``If`` for `choices`."""
    made = protos.GraphDef()
    made.CopyFrom(view.graph)
    given = _arguments(view, choices)
    numbers = {edge: at for at, edge in enumerate(dict.fromkeys(given.values()))}
    name = unique(f"{choices[0].merge}/If", set(view.nodes))
    results = [_dtype(view, f"{choice.merge}:0") for choice in choices]
    call = node(
        name, "StatelessIf", [choices[0].predicate, *numbers], Tcond=dtypes.BOOL,
        Tin=[_dtype(view, edge) for edge in numbers], Tout=results,
    )  # fmt: skip
    for key, at in (("else_branch", 0), ("then_branch", 1)):
        inside = set[str]().union(*(choice.sides[at].nodes for choice in choices))
        nodes = [view.nodes[n] for n in view.nodes if n in inside]
        body = Body(
            nodes, {edge: numbers[actual] for edge, actual in given.items()},
            [_dtype(view, edge) for edge in numbers],
            [(c.sides[at].edge, t) for c, t in zip(choices, results, strict=True)],
            effects(nodes),
        )  # fmt: skip
        one = function(f"{name}_{key}", body, made.library.function)
        made.library.function.add().CopyFrom(one)
        call.attr[key].func.name = one.signature.name
        call.op = "If" if body.effects else call.op
    call.attr["_lower_using_switch_merge"].b = True
    made.node.add().CopyFrom(call)
    _merge(made, choices, name)
    return made


def _arguments(view: View, choices: list[_Choice]) -> dict[str, str]:
    """Return what the branches of `choices` take: from an edge inside to a tensor outside."""
    given: dict[str, str] = {}
    for choice in choices:
        for side in choice.sides:
            for name in sorted(side.switches):
                outside = tensor_name(view.inputs[name][0])
                given |= {f"{name}:{number}": outside for number in (0, 1)}
            given |= {edge: edge for edge in sorted(side.direct)}
    return given


def _merge(made: protos.GraphDef, choices: list[_Choice], call: str) -> None:
    """Let each ``Merge`` of `choices` in `made` take its value from `call`."""
    numbers = {choice.merge: number for number, choice in enumerate(choices)}
    for one in made.node:
        if one.name in numbers:
            after = [edge for edge in one.input if edge.startswith(CONTROL)]
            dtype = dtypes.dtype(one.attr["T"].type)
            edge = f"{call}:{numbers[one.name]}"
            one.CopyFrom(node(one.name, "Identity", [edge, *after], T=dtype))


def _dtype(view: View, edge: str) -> DType:
    return ops.dtypes_of(view.nodes[source(edge)])[port(edge)]
