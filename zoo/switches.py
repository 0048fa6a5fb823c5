"""Placeholders that should be constants by now: rates of dropout, switches between two modes.

Who forgets to feed them gets an error, who feeds the wrong value gets wrong answers in silence.

Source: ``tensorflow/python/ops/nn_ops.py`` (``dropout``, whose ways of computing changed over the
years) and ``keras/src/legacy`` (``keras_learning_phase``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import dtypes
from zoo.graph import source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.view import View

_FORMS = {"Cast", "Enter", "ExpandDims", "Identity", "Reshape", "StopGradient"}
_RANDOM = {"RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2"}
_AROUND_RANDOM = {"Add", "AddV2", "Mul", "Sub", *_FORMS}
_ADDS = {"Add", "AddV2"}
_COMPARES = {"Greater", "GreaterEqual", "Less", "LessEqual"}
_MODES = {
    "Case", "If", "LogicalAnd", "LogicalNot", "Select", "SelectV2", "StatelessIf",
    "StatelessWhile", "Switch", "While",
}  # fmt: skip
_TRAINING = re.compile(
    r"(?<!cons)(?<!res)train(?!ed|able)|learning_phase|phase$|is_test|inference", re.IGNORECASE
)
_TESTING = re.compile(r"is_test|inference|is_eval", re.IGNORECASE)
_KEEPS = re.compile(r"keep_?(prob|rate|ratio|share|p$|$)|keep.*drop|drop.*keep", re.IGNORECASE)
_DROPS = re.compile(r"drop_?(out)?_?(rate|prob)?$", re.IGNORECASE)
_STEPS = 8


@dataclass(frozen=True)
class Switch:
    """What a placeholder should be when the model is used, and how that shows."""

    value: Any
    why: str


def constant_of(view: View, name: str) -> Switch | None:
    """Return what the placeholder `name` should be when the model is used, None for an input."""
    dtype = dtypes.dtype(view.nodes[name].attr["dtype"].type)
    last = name.rpartition("/")[2]
    if _sizes(view, name):
        return None
    if dtype.floating:
        return _rate(view, name, last)
    if _TRAINING.search(last) and (dtype.name == "bool" or "learning_phase" in last):
        testing = bool(_TESTING.search(last))
        value: Any = testing if dtype.name == "bool" else 0
        if dtype.name != "bool" or any(view.ops[user] in _MODES for user, _ in _uses(view, name)):
            return Switch(value, "a switch between training and use")
    return None


def _rate(view: View, name: str, last: str) -> Switch | None:
    """Return what the number `name` should be if dropout depends on it."""
    keeps, drops = _of_dropout(view, name)
    if keeps or (not drops and _KEEPS.search(last)):
        return Switch(1.0, "the share that dropout keeps")
    if drops or _DROPS.search(last):
        return Switch(0.0, "the share that dropout drops")
    return None


def _of_dropout(view: View, name: str) -> tuple[bool, bool]:
    """Tell whether `name` is the share that dropout keeps, and whether it is what it drops."""
    for user, position in _uses(view, name):
        op = view.ops[user]
        edges = view.inputs[user]
        if len(edges) < 2 or position > 1:
            continue
        random = _is_random(view, source(edges[1 - position]))
        if op in _ADDS and random:
            return True, False
        if op in _COMPARES and random:
            return (True, False) if op.startswith("Less") == (position == 1) else (False, True)
        if op == "Sub" and position == 1:
            keeps, drops = _of_dropout_after(view, user)
            if keeps or drops:
                return drops, keeps  # one minus the other
    return False, False


def _of_dropout_after(view: View, name: str) -> tuple[bool, bool]:
    """Tell whether `name`, one minus a number, is the share that dropout keeps, and drops."""
    keeps = drops = False
    for user, at in _uses(view, name):
        edges = view.inputs[user]
        if at < 2 <= len(edges) and _is_random(view, source(edges[1 - at])):
            keeps = keeps or view.ops[user] in _ADDS
            drops = drops or view.ops[user] in _COMPARES
    return keeps, drops


def _uses(view: View, name: str) -> Iterator[tuple[str, int]]:
    """Yield who uses the values of `name`, also through what only changes their form."""
    todo, seen = [name], {name}
    while todo:
        for user, at in view.data_users.get(todo.pop(), ()):
            yield user, at
            if view.ops[user] in _FORMS and user not in seen:
                seen.add(user)
                todo.append(user)


def _is_random(view: View, name: str) -> bool:
    """Tell whether `name` is made of random numbers between zero and one."""
    todo = [(name, 0)]
    while todo:
        current, steps = todo.pop()
        op = view.ops.get(current)
        if op in _RANDOM:
            return True
        if op in _AROUND_RANDOM and steps < _STEPS:
            todo.extend((source(edge), steps + 1) for edge in view.data_inputs(current))
    return False


def _sizes(view: View, name: str) -> bool:
    """Tell whether the placeholder `name` is stated to be more than one number."""
    attributes = view.nodes[name].attr
    return "shape" in attributes and len(attributes["shape"].shape.dim) > 0
