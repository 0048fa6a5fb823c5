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
from zoo.tensor_protos import from_proto, number
from zoo.tensors import FilledTensor
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

_DECIDES = {"Floor", "Greater", "GreaterEqual", "Less", "LessEqual"}
_AROUND = {"Add", "AddV2", "Cast", "Identity", "Mul", "Sub", *_DECIDES}
_SCALES = {"Div", "Mul", "RealDiv"}


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
    todo, seen = [(random, False)], {random}
    while todo:
        name, decided = todo.pop()
        for user, at in view.data_users.get(name, ()):
            if decided and _meets(view, user, at):
                return user
            if user not in seen and view.ops[user] in _AROUND:
                seen.add(user)
                todo.append((user, decided or view.ops[user] in _DECIDES))
    return None


def _meets(view: View, user: str, at: int) -> bool:
    """Tell whether `user` puts values together with the decisions that are its input `at`."""
    if view.ops[user] in ("Select", "SelectV2"):
        return at == 0
    if view.ops[user] != "Mul":
        return False
    other = view.nodes.get(source(view.data_inputs(user)[1 - at]))
    return other is None or other.op != "Const" or number(other.attr["value"].tensor) is None


def _value(view: View, last: str, random: str) -> str | None:
    """Return what is scaled up before the node `last`; None where that is not what happens."""
    sides = view.data_inputs(last)
    if view.ops[last] != "Mul":
        sides = sides[1:]
        if not any(_is_zero(view, one) for one in sides):
            return None
    scaled = [one for one in sides if random not in view.upstream([one], control=False)]
    for edge in scaled:
        name = source(edge)
        if view.ops[name] in _SCALES and len(view.data_inputs(name)) > 1:
            first, second = view.data_inputs(name)[:2]
            if _is_one_number(view, second):
                return first
    return None


def _is_zero(view: View, edge: str) -> bool:
    """Tell whether `edge` is nothing but zeros: what is put for values that are dropped."""
    node = view.nodes.get(source(edge))
    if node is None or node.op == "ZerosLike":
        return node is not None
    if node.op == "Fill":
        return _is_zero(view, view.data_inputs(node.name)[1])
    value = from_proto(node.attr["value"].tensor) if node.op == "Const" else None
    return isinstance(value, FilledTensor) and not any(value.element)


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
