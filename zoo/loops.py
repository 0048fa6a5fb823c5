"""Loops of TensorFlow 1 made what a function of TensorFlow 2 can run, and differentiate.

A gradient through frames is built with what Python knew of the loop when it was made, which no
file keeps: loops become ``While``, the arrays that they fill become lists, and the branches in and
around them ``If``.  A loop that cannot be rewritten goes as it is into a function of its own, since
TensorFlow would let the end of the one that is traced wait for nodes inside of the loop, and then
refuse to run it.  To whoever wants a gradient of the call, it says why there is none.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from zoo import protos
from zoo.bodies import Body, function
from zoo.branches import guarded, with_ifs
from zoo.errors import UnsupportedError
from zoo.frames import Frame, frames, outermost
from zoo.graph import GRADIENT, by_name, subgraph, tensor_name, unique, upstream
from zoo.nodes import node
from zoo.tensor_arrays import MADE
from zoo.tensor_lists import with_lists
from zoo.view import View
from zoo.whiles import let_out, types_of, waits_of, with_while

if TYPE_CHECKING:
    from collections.abc import Collection

_REMEMBER = ("StatelessWhile", "TensorList", "While")
REFUSES = "ZooNoGradient"
"""The gradient of what has none: a function that raises."""
WHY = "_zoo_no_gradient"
"""The attribute that says what has no gradient, a line break, and why."""


def functional(graph: protos.GraphDef, wanted: Collection[str]) -> protos.GraphDef:
    """Return `graph` without frames; itself if it has none, and no arrays of tensors.

    Parameters
    ----------
    wanted
        The tensors that are fetched.

    Raises
    ------
    UnsupportedError
        One of these, or one that is fed, is inside of a loop.
    """
    if not View(graph).named("Enter", "RefEnter", MADE):
        return graph
    graph = with_lists(graph, wanted)
    while found := outermost(View(graph)):
        _check_wanted(found, wanted)
        graph = _without(graph, found)
    graph = _without_branches(graph, wanted)
    _mark_arrays(graph)
    return graph


def _check_wanted(frame: Frame, wanted: Collection[str]) -> None:
    """Check that none of the tensors `wanted` has as many values as `frame` has rounds."""
    inside = {f"{name}:{port}" for name in frame.members for port in range(2)}
    inside -= {f"{name}:0" for name in frame.exits}
    found = [tensor for tensor in wanted if tensor_name(tensor) in inside]
    if found:
        raise UnsupportedError(
            f"{found[0]!r} is inside of the loop {frame.name!r}",
            found="a value for each round", hint="what exits from a loop can be an output",
        )  # fmt: skip


def _without(graph: protos.GraphDef, frame: Frame) -> protos.GraphDef:
    """Return `graph` without `frame` and those in it: a ``While`` for each, or one call for all."""
    made = graph
    try:
        while left := [one for one in frames(View(made)) if one.enters[0] in frame.members]:
            made = with_while(made, min(left, key=lambda one: len(one.members)))
    except UnsupportedError as error:
        return _with_call(View(graph), frame, error.problem)
    return made


def _with_call(view: View, frame: Frame, why: str) -> protos.GraphDef:
    """Return the graph with a call of a function that `frame` is in, and that has no gradient."""
    made = protos.GraphDef()
    made.CopyFrom(view.graph)
    entering = [view.data_inputs(enter)[0] for enter in frame.enters]
    types, kinds = types_of(view, frame.enters), types_of(view, frame.exits)
    body = Body(
        [view.nodes[name] for name in view.nodes if name in frame.members],
        {tensor_name(edge): number for number, edge in enumerate(entering)},
        types,
        list(zip(frame.exits, kinds, strict=True)),
        frame.exits,  # nobody outside may wait for what is inside
    )
    try:
        one = function(frame.name, body, made.library.function)
    except UnsupportedError as error:
        raise UnsupportedError(
            f"the loop {frame.name!r} cannot be part of a function", found=error.problem
        ) from error
    made.library.function.add().CopyFrom(one)
    name = unique(f"{frame.name}/Call", set(view.nodes))
    edges = [*entering, *waits_of(view, frame)]
    call = node(name, "StatefulPartitionedCall", edges, Tin=types, Tout=kinds)
    call.attr["f"].func.name = one.signature.name
    _refuse_gradient(call, f"the loop {frame.name!r}", why)
    made.node.add().CopyFrom(call)
    return let_out(made, frame, {exit_: f"{name}:{at}" for at, exit_ in enumerate(frame.exits)})


def _without_branches(graph: protos.GraphDef, wanted: Collection[str]) -> protos.GraphDef:
    """Return `graph` with an ``If`` for each choice between branches, if a loop or list is on one.

    What a ``While`` on a branch remembers for the gradient would be missing if it is not taken;
    and so would a list.
    """
    view = View(graph)
    made = graph
    if any(view.ops[name].startswith(_REMEMBER) for name in guarded(view)):
        with suppress(UnsupportedError):
            made = with_ifs(graph, view.named("Merge"))
    return subgraph(made, upstream(by_name(made), wanted))


def _mark_arrays(graph: protos.GraphDef) -> None:
    """Let the arrays that are no lists say so to whoever wants a gradient."""
    for one in graph.node:
        if one.op.startswith("TensorArray"):
            _refuse_gradient(one, f"the array behind {one.name!r}", "no list can take its place")


def _refuse_gradient(one: protos.NodeDef, what: str, why: str) -> None:
    one.attr[GRADIENT].s = REFUSES.encode()
    one.attr[WHY].s = f"{what}\n{why}".encode()
