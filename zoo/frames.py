"""The loops of TensorFlow 1: frames, into which values enter, go round, and exit.

A value goes round from its ``Merge`` over a ``Switch``, the body and a ``NextIteration`` back to
the ``Merge``; what the loop only looks at enters as a constant.

Source: ``tensorflow/python/ops/control_flow_ops.py`` (``WhileContext``).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import dtypes
from zoo.errors import UnsupportedError, some
from zoo.graph import port, source, tensor_name

if TYPE_CHECKING:
    from collections.abc import Collection

    from zoo import protos
    from zoo.view import View

_ENTER = ("Enter", "RefEnter")
_LEAVE = ("Exit", "RefExit")
_ARRAYS = ("TensorArray", "Stack")


@dataclass(frozen=True)
class Variable:
    """A value that goes round: the names of the nodes on its way."""

    enter: str
    merge: str
    next: str
    switches: tuple[str, ...]


@dataclass(frozen=True)
class Frame:
    """A frame: its name, the nodes by which it is entered, all in it, and those that let out."""

    name: str
    enters: tuple[str, ...]
    members: frozenset[str]
    exits: tuple[str, ...]


@dataclass(frozen=True)
class Loop:
    """What goes on in a frame.

    Attributes
    ----------
    frame
        The frame.
    variables
        The values that go round.
    constants
        The ``Enter`` nodes of what it only looks at.
    condition
        The ``LoopCond``.
    """

    frame: Frame
    variables: tuple[Variable, ...]
    constants: tuple[str, ...]
    condition: str

    @property
    def doors(self) -> set[str]:
        """The nodes that bring values into the body and into the condition."""
        found = {self.condition, *self.constants}
        for variable in self.variables:
            found |= {variable.enter, variable.merge, *variable.switches}
        return found

    def merges(self, view: View) -> list[str]:
        """Return the nodes at which branches meet."""
        around = {one.merge for one in self.variables}
        return [n for n in view.named("Merge") if n in self.frame.members - around]


def frames(view: View) -> list[Frame]:
    """Return the frames of a graph."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in view.named(*_ENTER):
        found[view.nodes[name].attr["frame_name"].s.decode(errors="replace")].append(name)
    return [entered(view, frame, enters) for frame, enters in found.items()]


def entered(view: View, name: str, enters: Collection[str]) -> Frame:
    """Return the frame `name`, which is entered by `enters`; those in it are part of it."""
    found: set[str] = set()
    exits: set[str] = set()
    todo = [(one, 1) for one in enters]
    while todo:
        current, depth = todo.pop()
        if current in found:
            continue
        found.add(current)
        after = depth - (view.ops[current] in _LEAVE)
        if not after:
            exits.add(current)
            continue
        users = [user for user, _ in view.users.get(current, ())]
        todo += [(user, after + (view.ops[user] in _ENTER)) for user in users]
    return Frame(name, tuple(enters), frozenset(found), tuple(n for n in view.nodes if n in exits))


def outermost(view: View) -> Frame | None:
    """Return a frame that is in no other, None if there is none."""
    found = frames(view)
    inside = [one for one in found if not any(_in(one, other) for other in found)]
    return inside[0] if inside else None


def _in(one: Frame, other: Frame) -> bool:
    return one is not other and not other.members.isdisjoint(one.enters)


def loop(view: View, frame: Frame) -> Loop:
    """Return the loop that `frame` is.

    Raises
    ------
    UnsupportedError
        It is not wired as ``tf.while_loop`` did it, or has arrays of tensors or stacks in it.
    """
    conditions = [name for name in frame.members if view.ops[name] == "LoopCond"]
    if len(conditions) != 1:
        raise UnsupportedError(f"it has {len(conditions)} conditions")
    odd = {view.ops[n] for n in frame.members if view.ops[n].startswith(("Ref", *_ARRAYS))}
    if odd:
        raise UnsupportedError(f"it uses {some(sorted(odd))}")
    if any(view.nodes[n].attr["T"].type == dtypes.RESOURCE.number for n in frame.enters):
        raise UnsupportedError("it changes a variable, or uses a table")
    constants = [n for n in frame.enters if _is_constant(view.nodes[n])]
    goes_round = [_variable(view, n, conditions[0]) for n in frame.enters if n not in constants]
    found = Loop(frame, tuple(goes_round), tuple(constants), conditions[0])
    _check_exits(view, found)
    return found


def _is_constant(enter: protos.NodeDef) -> bool:
    return "is_constant" in enter.attr and enter.attr["is_constant"].b


def _variable(view: View, enter: str, condition: str) -> Variable:
    """Return the way of the value that enters at `enter`."""
    merges = [user for user, _ in view.data_users.get(enter, ())]
    if len(merges) != 1 or view.ops[merges[0]] != "Merge":
        raise UnsupportedError(f"what enters at {enter!r} does not go round")
    merge = merges[0]
    others = [one for one in view.sources[merge] if one != enter]
    if len(others) != 1 or view.ops[others[0]] != "NextIteration":
        raise UnsupportedError(f"what enters at {enter!r} does not come round")
    users = view.data_users.get(merge, ())
    if any(port(view.inputs[user][at]) for user, at in users):
        raise UnsupportedError(f"somebody asks where the value of {merge!r} is from")
    switches = [u for u, at in users if view.ops[u] == "Switch" and at == 0]
    decided = [s for s in switches if source(view.inputs[s][1]) == condition]
    return Variable(enter, merge, others[0], tuple(decided))


def _check_exits(view: View, found: Loop) -> None:
    """Check that what exits is what went round, as it was when the loop ended."""
    ways = {f"{s}:0" for one in found.variables for s in one.switches}
    for name in found.frame.exits:
        if tensor_name(view.data_inputs(name)[0]) not in ways:
            raise UnsupportedError(f"{name!r} lets out what did not go round")
