"""Loops of TensorFlow 1 made the functional ``While`` of TensorFlow 2, which has a gradient.

A gradient through frames is built with what Python knew of the loop when it was made, which no
file keeps; a ``While`` calls two functions, and these are in the graph.  Its first two values are
the number of rounds and their greatest number, as the gradient wants them, then come those that
go round, and then what the loop only looks at: handed round unchanged, they get gradients too.

A loop that cannot be rewritten goes into a function of its own: in the function that is traced,
TensorFlow would let the end wait for nodes inside of the loop, and then refuse to run it.  To whoever
wants a gradient of the call, it says why there is none.

Source: ``tensorflow/python/ops/while_v2.py``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zoo import dtypes, protos
from zoo.bodies import Body, effects, function, region
from zoo.branches import with_ifs
from zoo.errors import UnsupportedError, some
from zoo.frames import Frame, Loop, frames, holds, loop, members
from zoo.graph import CONTROL, GRADIENT, source, subgraph, tensor_name, unique
from zoo.nodes import node, shape, whole_number
from zoo.tensor_lists import with_lists
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from zoo.dtypes import DType

REFUSES = "ZooLoopWithoutGradient"
"""The gradient of a call of a function with a loop: a function that raises."""
WHY = "_zoo_loop"
"""The attribute with the loop's name and why it stayed."""


def functional(graph: protos.GraphDef, wanted: Collection[str]) -> protos.GraphDef:
    """Return `graph` without frames: each is a ``While``, or else in a function that is called.

    Parameters
    ----------
    wanted
        The tensors that are fetched.

    Raises
    ------
    UnsupportedError
        One of these, or one that is fed, is inside of a loop.
    """
    if not frames(View(graph)):
        return graph
    graph = with_lists(graph, wanted)
    while entered := frames(view := View(graph)):
        inside = {frame: members(view, enters) for frame, enters in entered.items()}
        plain = [f for f, names in inside.items() if not holds(view, entered[f], names)]
        if not plain:
            raise UnsupportedError("loops are entered from each other", found=some(inside))
        frame = Frame(plain[0], tuple(entered[plain[0]]), inside[plain[0]])
        _check_wanted(view, frame, wanted)
        graph = _without(graph, frame)
    return graph


def _check_wanted(view: View, frame: Frame, wanted: Collection[str]) -> None:
    """Check that none of the tensors `wanted` has as many values as `frame` has rounds."""
    for tensor in wanted:
        if source(tensor) in frame.members and view.ops[source(tensor)] != "Exit":
            raise UnsupportedError(
                f"{tensor!r} is inside of the loop {frame.name!r}",
                found="a value for each round", hint="what exits from a loop can be an output",
            )  # fmt: skip


def _without(graph: protos.GraphDef, frame: Frame) -> protos.GraphDef:
    """Return `graph` without `frame`."""
    try:
        return _with_while(graph, frame)
    except UnsupportedError as error:
        why = error.problem
    try:
        return _with_call(View(graph), frame, why)
    except UnsupportedError as error:
        raise UnsupportedError(
            f"the loop {frame.name!r} cannot be part of a function", found=error.problem
        ) from error


def _with_while(graph: protos.GraphDef, frame: Frame) -> protos.GraphDef:
    """Return `graph` with a ``While`` for `frame`."""
    graph = with_ifs(graph, loop(View(graph), frame))
    view = View(graph)
    found = loop(view, replace(frame, members=members(view, frame.enters)))
    made = protos.GraphDef()
    made.CopyFrom(graph)
    call = _call(view, found, made)
    numbers = {f"{s}:0": at for at, one in enumerate(found.variables, 2) for s in one.switches}
    exits = {}
    for name in found.frame.exits(view):
        exits[name] = f"{call}:{numbers[tensor_name(view.inputs[name][0])]}"
    return _let_out(made, found.frame, exits)


def _with_call(view: View, frame: Frame, why: str) -> protos.GraphDef:
    """Return the graph with a call of a function that `frame` is in, and that has no gradient."""
    made = protos.GraphDef()
    made.CopyFrom(view.graph)
    entering = [tensor_name(view.data_inputs(enter)[0]) for enter in frame.enters]
    exits = frame.exits(view)
    nodes = [view.nodes[name] for name in view.nodes if name in frame.members]
    types = [_dtype(view, name) for name in frame.enters]
    results = [(name, _dtype(view, name)) for name in exits]
    numbers = {tensor: number for number, tensor in enumerate(entering)}
    body = Body(nodes, numbers, types, results, exits)  # to wait for others is to wait inside
    one = function(frame.name, body, made.library.function)
    made.library.function.add().CopyFrom(one)
    name = unique(f"{frame.name}/Call", set(view.nodes))
    call = node(
        name, "StatefulPartitionedCall", [*entering, *_after(view, frame)],
        Tin=types, Tout=[dtype for _, dtype in results],
    )  # fmt: skip
    call.attr["f"].func.name = one.signature.name
    call.attr[GRADIENT].s = REFUSES.encode()
    call.attr[WHY].s = f"{frame.name}: {why}".encode()
    made.node.add().CopyFrom(call)
    return _let_out(made, frame, {exit_: f"{name}:{at}" for at, exit_ in enumerate(exits)})


def _let_out(made: protos.GraphDef, frame: Frame, exits: dict[str, str]) -> protos.GraphDef:
    """Return `made` without `frame`, each of its `exits` a copy of the tensor it is mapped to."""
    for one in made.node:
        if one.name in exits:
            one.op = "Identity"
            one.input[0] = exits[one.name]
    return subgraph(made, {one.name for one in made.node} - (frame.members - exits.keys()))


def _after(view: View, frame: Frame) -> list[str]:
    """Return the control edges of what enters `frame`."""
    edges = [edge for name in frame.enters for edge in view.inputs[name]]
    return list(dict.fromkeys(edge for edge in edges if edge.startswith(CONTROL)))


def _call(view: View, found: Loop, made: protos.GraphDef) -> str:
    """Add the ``While`` for the loop `found` to `made`; return its name."""
    taken = set(view.nodes)
    name = unique(f"{found.frame.name}/While", taken)
    enters = [*(one.enter for one in found.variables), *found.constants]
    entering = [view.data_inputs(enter)[0] for enter in enters]
    first = f"^{source(entering[0])}"  # a constant in a frame has to wait for something in it
    rounds, most = (unique(f"{name}/{text}", taken) for text in ("rounds", "most"))
    for text, value in ((rounds, 0), (most, -1)):
        made.node.add().CopyFrom(whole_number(text, value))
        made.node[-1].input.append(first)
    types = [dtypes.INT32, dtypes.INT32, *(_dtype(view, enter) for enter in enters)]
    call = made.node.add()
    call.CopyFrom(
        node(name, "While", [rounds, most, *entering, *_after(view, found.frame)], T=types)
    )
    numbers = {f"{rounds}:0": 0, f"{most}:0": 1}
    numbers |= {f"{one.merge}:0": at for at, one in enumerate(found.variables, 2)}
    numbers |= {f"{n}:0": at for at, n in enumerate(found.constants, len(numbers))}
    condition = _condition(view, found, types, numbers)
    body = _body(view, found, types, numbers)
    _check_effects(condition, body)
    _add_functions(call, made.library, found, condition, body)
    call.attr["output_shapes"].list.shape.extend(
        shape([] if number < 2 else None) for number in range(len(types))
    )
    call.attr["parallel_iterations"].i = view.nodes[enters[0]].attr["parallel_iterations"].i or 10
    call.attr["_num_original_outputs"].i = len(types)
    return name


def _condition(view: View, found: Loop, types: Sequence[DType], numbers: dict[str, int]) -> Body:
    """Return what decides whether the loop `found` goes on."""
    asked = view.data_inputs(found.condition)[0]
    inside = _nodes(view, found, [asked])
    return Body(inside, numbers, types, [(asked, dtypes.BOOL)], effects(inside))


def _body(view: View, found: Loop, types: Sequence[DType], numbers: dict[str, int]) -> Body:
    """Return one round of the loop `found`; it counts the rounds."""
    rounds, most, *_ = numbers
    inside = _nodes(view, found, [one.next for one in found.variables])
    taken = {one.name for one in inside}
    one, more = (unique(text, taken) for text in ("one", "more"))
    inside += [whole_number(one, 1), node(more, "AddV2", [rounds, one], T=dtypes.INT32)]
    given = dict(numbers)
    for variable in found.variables:
        given |= {f"{switch}:1": numbers[f"{variable.merge}:0"] for switch in variable.switches}
    results = [more, most, *(one.next for one in found.variables), *found.constants]
    return Body(inside, given, types, list(zip(results, types, strict=True)), effects(inside))


def _nodes(view: View, found: Loop, roots: Sequence[str]) -> list[protos.NodeDef]:
    """Return copies of the nodes in the loop `found` that `roots` need."""
    needed = region(view, roots, found.doors) & found.frame.members
    copies = []
    for name in view.nodes:
        if name in needed:
            copy = protos.NodeDef()
            copy.CopyFrom(view.nodes[name])
            copy.op = "Identity" if copy.op == "NextIteration" else copy.op
            copies.append(copy)
    return copies


def _check_effects(condition: Body, body: Body) -> None:
    """Check that nothing is done twice."""
    if not set(condition.effects).isdisjoint(body.effects):
        raise UnsupportedError("its condition and its body share what has an effect")


def _add_functions(
    call: protos.NodeDef,
    library: protos.FunctionDefLibrary,
    found: Loop,
    condition: Body,
    body: Body,
) -> None:
    """Add both functions to `library` and let `call` call them."""
    for key, one in (("cond", condition), ("body", body)):
        made = function(f"{found.frame.name}_{key}", one, library.function)
        library.function.add().CopyFrom(made)
        call.attr[key].func.name = made.signature.name
    if not condition.effects and not body.effects:
        call.op = "StatelessWhile"
    call.attr["_lower_using_switch_merge"].b = True


def _dtype(view: View, name: str) -> DType:
    return dtypes.dtype(view.nodes[name].attr["T"].type)
