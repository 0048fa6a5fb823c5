"""Dropout that is built into a graph, with a rate that nobody can feed, switched off.

Source: ``tensorflow/python/ops/nn_ops.py`` (``dropout``): values are scaled up by the share that
is kept, and multiplied by, or chosen by, random numbers that are held against the rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import facts, protos
from zoo.errors import some
from zoo.graph import by_name, source
from zoo.repairs import Repaired
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

_AROUND = {"Add", "AddV2", "Cast", "Floor", "GreaterEqual", "Identity", "Less", "Mul", "Sub"}
_SCALES = {"Div", "Mul", "RealDiv"}
_DEEPEST = 10


def without_dropout(meta_graph: protos.MetaGraphDef, outputs: Sequence[str]) -> Repaired:
    """Return the graph with `outputs` of all values, where dropout would leave some of them."""
    view = View(meta_graph.graph_def)
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    nodes, done = by_name(edited.graph_def), []
    for random in facts.training(view, view.upstream(outputs))["dropout"]:
        last = _last(view, random)
        value = None if last is None else _value(view, last, random)
        if last is not None and value is not None:
            _pass_on(nodes[last], value)
            done.append(last)
    if not done:
        return Repaired(meta_graph)
    return Repaired(edited, f"switched off {some(done, 5)}")


def _last(view: View, random: str) -> str | None:
    """Return the node where the numbers `random` meet the values that they decide on."""
    todo, seen = [(random, 0)], {random}
    while todo:
        name, steps = todo.pop()
        for user, at in view.data_users.get(name, ()):
            if user in seen or steps > _DEEPEST:
                continue
            seen.add(user)
            if _meets(view, user, at, random):
                return user
            if view.ops[user] in _AROUND:
                todo.append((user, steps + 1))
    return None


def _meets(view: View, user: str, at: int, random: str) -> bool:
    """Tell whether `user` puts values and a mask at its input `at` together."""
    if view.ops[user] in ("Select", "SelectV2"):
        return at == 0
    others = [edge for place, edge in enumerate(view.data_inputs(user)) if place != at]
    if view.ops[user] != "Mul" or len(others) != 1 or _is_one_number(view, others[0]):
        return False
    mask = view.upstream([view.inputs[user][at]], control=False)
    return bool({view.ops[n] for n in mask} & {"Cast", "Floor"}) and random in mask


def _value(view: View, last: str, random: str) -> str | None:
    """Return what is scaled up before the node `last`; None where that is not what happens."""
    sides = view.data_inputs(last)
    if view.ops[last] != "Mul":
        sides = sides[1:]
    scaled = [one for one in sides if random not in view.upstream([one], control=False)]
    for edge in scaled:
        name = source(edge)
        if view.ops[name] in _SCALES and len(view.data_inputs(name)) > 1:
            first, second = view.data_inputs(name)[:2]
            if _is_one_number(view, second):
                return first
    return None


def _is_one_number(view: View, edge: str) -> bool:
    """Tell whether `edge` is computed of constants alone."""
    before = view.upstream([edge], control=False)
    starts = {view.ops[name] for name in before if not view.data_inputs(name)}
    return starts == {"Const"} and not {view.ops[name] for name in before} & set(facts.RANDOM)


def _pass_on(node: protos.NodeDef, value: str) -> None:
    """Make `node` an ``Identity`` of `value`."""
    kept = [edge for edge in node.input if edge.startswith("^")]
    dtype = node.attr["T"].type
    node.op = "Identity"
    node.input[:] = [value, *kept]
    node.ClearField("attr")
    node.attr["T"].type = dtype
