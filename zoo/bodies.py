"""Nodes of a graph made the body of a function, for a `While` or an `If` to call.

A function names its edges otherwise than a graph does: an argument by its name, an output of a
node by the output's own name, ``split:output:1``.

Source: ``tensorflow/core/framework/function.proto``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import ops, protos
from zoo.errors import UnsupportedError
from zoo.graph import CONTROL, port, source, tensor_name, unique

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from zoo.dtypes import DType
    from zoo.view import View

_STRANGE = re.compile(r"\W+")


@dataclass(frozen=True)
class Body:
    """What a function computes.

    Attributes
    ----------
    nodes
        Its nodes.
    given
        From a tensor of the graph to the number of the argument that has its value.
    arguments
        The dtypes of all arguments.
    results
        The tensors that it returns, each with its dtype.
    effects
        The nodes that have to run, whatever the results need.
    """

    nodes: Sequence[protos.NodeDef]
    given: Mapping[str, int]
    arguments: Sequence[DType]
    results: Sequence[tuple[str, DType]]
    effects: Sequence[str]


def region(view: View, roots: Iterable[str], walls: Collection[str]) -> set[str]:
    """Return the nodes that the edges `roots` need, those of `walls` and beyond left out."""
    found: set[str] = set()
    todo = [source(root) for root in roots]
    while todo:
        name = todo.pop()
        if name not in found and name not in walls and name in view.nodes:
            found.add(name)
            todo.extend(source(edge) for edge in view.inputs[name])
    return found


def effects(nodes: Iterable[protos.NodeDef]) -> list[str]:
    """Return the names of `nodes` that do more than they put out, or may do so."""
    known = ((one.name, ops.op(one.op)) for one in nodes)
    return [name for name, op in known if op is None or op.stateful]


def function(name: str, body: Body, library: Iterable[protos.FunctionDef]) -> protos.FunctionDef:
    """Return the function that computes `body`, its name like `name` and not yet in `library`.

    Control edges from nodes that are not in the body go: their work is done when it is called.

    Raises
    ------
    UnsupportedError
        An edge comes from elsewhere, or nobody knows an operation.
    """
    taken = {one.signature.name for one in library}
    made = protos.FunctionDef()
    made.signature.name = unique(_STRANGE.sub("_", name), taken)
    names = {node.name for node in body.nodes}
    formal = [unique(f"argument_{i}", names) for i in range(len(body.arguments))]
    for text, dtype in zip(formal, body.arguments, strict=True):
        made.signature.input_arg.add(name=text, type=dtype.number)
    _fill(made, body, {edge: formal[number] for edge, number in body.given.items()})
    return made


def _fill(made: protos.FunctionDef, body: Body, known: dict[str, str]) -> None:
    """Give `made` its nodes and results; `known` has the arguments, by the tensors they are."""
    inside = {node.name: node for node in body.nodes}

    def spelled(edge: str) -> str:
        """Return the tensor of `edge` as a function spells it."""
        if tensor_name(edge) in known:
            return known[tensor_name(edge)]
        node = inside.get(source(edge))
        if node is None:
            raise UnsupportedError(f"{made.signature.name} takes {edge!r} from elsewhere")
        return f"{node.name}:{ops.spelled(node, port(edge))}"

    for node in body.nodes:
        copy = made.node_def.add()
        copy.CopyFrom(node)
        data = [spelled(edge) for edge in node.input if not edge.startswith(CONTROL)]
        after = [e for e in node.input if e.startswith(CONTROL) and source(e) in inside]
        copy.input[:] = data + after
        copy.attr.pop("_class", None)
    for name in body.effects:
        made.signature.control_output.append(name)
        made.control_ret[name] = name
    for number, (edge, dtype) in enumerate(body.results):
        made.signature.output_arg.add(name=f"result_{number}", type=dtype.number)
        made.ret[f"result_{number}"] = spelled(edge)
