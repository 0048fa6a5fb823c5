"""Tensors inside a graph that somebody may want besides its ends: endpoints.

A graph does not say which of its tensors its author called for.  Three kinds are likely: results
of loops, further outputs of an operation that has several, and what bears a name that nobody but
the author can have given.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zoo import dtypes, ops
from zoo.ends import is_backward
from zoo.specs import INPUTS, output_dtypes
from zoo.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from zoo.view import View

MOST = 50
"""Endpoints of one kind that are worth a look: the last of them, nearest to the outputs."""

_COUNTED = re.compile(r"_\d+$")
_MADE_BY_LOOPS = {"Enter", "Exit", "LoopCond", "Merge", "NextIteration", "Switch"}


def endpoints(view: View, aside: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield tensors of the graph in `view`, each with one clause on why somebody may want it.

    Parameters
    ----------
    aside
        The nodes that save, initialize and train, which nobody asks for.
    """
    names = [name for name in view.ops if name not in aside and not is_backward(name)]
    exits = [name for name in names if view.ops[name] == "Exit"]
    yield from ((f"{name}:0", "a loop ends with it") for name in exits[-MOST:])
    several = [tensor for name in names for tensor in _further(view, name)]
    yield from ((tensor, "one of several outputs") for tensor in several[-MOST:])
    named = [name for name in names if _is_named(view, name) and _is_used(view, name, aside)]
    yield from ((f"{name}:0", "its author gave it a name") for name in named[-MOST:])
    unused = [n for n in names if view.ops[n] == "Const" and not view.users.get(n)]
    yield from ((f"{name}:0", "a constant that no operation uses") for name in unused[-MOST:])


def _is_used(view: View, name: str, aside: Collection[str]) -> bool:
    """Tell whether more than initializing and saving needs `name`, which is no handle."""
    users = view.data_users.get(name, ())
    given = output_dtypes(view.graph, view.nodes[name])
    wanted = not users or any(user not in aside for user, _ in users)
    return wanted and bool(given) and given[0] is not dtypes.RESOURCE


def _further(view: View, name: str) -> list[str]:
    """Return the outputs of `name` but the first, if it has several and is no part of a loop."""
    op = ops.op(view.ops[name])
    if op is None or view.ops[name] in _MADE_BY_LOOPS or not op.outputs:
        return []
    if len(op.outputs) == 1 and not (op.outputs[0].repeat or op.outputs[0].types):
        return []
    given = output_dtypes(view.graph, view.nodes[name])
    return [f"{name}:{at}" for at in range(1, len(given)) if given[at] is not dtypes.RESOURCE]


def _is_named(view: View, name: str) -> bool:
    """Tell whether `name` is neither its operation's, nor made of another node's."""
    kind = view.ops[name]
    scope, _, last = name.rpartition("/")
    if kind in INPUTS or kind in VARIABLES or kind == "NoOp" or scope in view.ops:
        return False
    reads = kind == "ReadVariableOp" or (kind == "Identity" and last in ("read", "Read"))
    read = f"{name}/read" in view.ops
    return not (reads or read) and _COUNTED.sub("", last) != kind
