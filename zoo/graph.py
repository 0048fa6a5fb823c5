"""Questions to a graph, and the one edit that asks nothing of its operations: pruning.

An edge is the string by which a node names an input: ``"conv1"`` or ``"conv1:0"`` for its first
output, ``"conv1:1"`` for its second, ``"^conv1"`` for "after conv1".

Source: ``tensorflow/core/framework/graph.proto`` and ``node_def.proto``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from zoo import ops, protos
from zoo.errors import UnknownNameError, counted, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CONTROL = "^"
_TENSOR = re.compile(r"[^:^]+(:\d+)?")
COLOCATED = "loc:@"
"""What the name of a node in ``_class`` begins with, beside which a node wants to stand."""
GRADIENT = "_gradient_op_type"
"""The attribute that names a gradient of one's own."""


def source(edge: str) -> str:
    """Return the name of the node that `edge` comes from.

    >>> source("^init"), source("split:1"), source("x")
    ('init', 'split', 'x')
    """
    return edge.removeprefix(CONTROL).partition(":")[0]


def port(edge: str) -> int:
    """Return the number of the output that `edge` takes, -1 for a control edge.

    >>> port("x"), port("split:1"), port("^init")
    (0, 1, -1)
    """
    if edge.startswith(CONTROL):
        return -1
    number = edge.partition(":")[2]
    return int(number) if number.isdigit() else 0


def tensor_name(name: str) -> str:
    """Return `name` as a tensor's: with ``:0`` where it is a node's.

    >>> tensor_name("x"), tensor_name("x:1")
    ('x:0', 'x:1')
    """
    return name if ":" in name else f"{name}:0"


def tensor_names(names: str | Iterable[str]) -> list[str]:
    """Return `names`, or the one name that it is, as those of tensors."""
    return [tensor_name(name) for name in ([names] if isinstance(names, str) else names)]


def by_name(graph: protos.GraphDef) -> dict[str, protos.NodeDef]:
    """Return the nodes of `graph` by name."""
    return {node.name: node for node in graph.node}


def data_inputs(node: protos.NodeDef) -> list[str]:
    """Return the edges of `node` that carry values."""
    return [edge for edge in node.input if not edge.startswith(CONTROL)]


def waits(node: protos.NodeDef) -> bool:
    """Tell whether `node` has control inputs.

    A constant with one lives in a frame of a loop or on one branch: a variable cannot.
    """
    return any(edge.startswith(CONTROL) for edge in node.input)


def consumers(nodes: Iterable[protos.NodeDef]) -> dict[str, list[tuple[protos.NodeDef, int]]]:
    """Return who of `nodes` uses each node: pairs of (user, position among its inputs)."""
    users: dict[str, list[tuple[protos.NodeDef, int]]] = defaultdict(list)
    for node in nodes:
        for position, edge in enumerate(node.input):
            users[source(edge)].append((node, position))
    return dict(users)


def upstream(
    nodes: dict[str, protos.NodeDef], roots: Iterable[str], stop: Iterable[str] = ()
) -> set[str]:
    """Return the names of `roots` and of all nodes that they need, not going beyond `stop`.

    Parameters
    ----------
    nodes
        The graph, by name; an edge from a node that is not there is passed over.
    roots
        Names of nodes or tensors.
    stop
        Names of nodes that are part of the answer but whose inputs are not followed.
    """
    walls = set(stop)
    found: set[str] = set()
    todo = [source(root) for root in roots]
    while todo:
        name = todo.pop()
        if name in found or name not in nodes:
            continue
        found.add(name)
        if name not in walls:
            todo.extend(source(edge) for edge in nodes[name].input)
    return found


def downstream(graph: protos.GraphDef, roots: Iterable[str], *, control: bool = True) -> set[str]:
    """Return the names of `roots` and of all nodes that need one of them.

    Parameters
    ----------
    control
        Whether waiting for a node counts as needing it.
    """
    users = consumers(graph.node)
    found: set[str] = set()
    todo = list(roots)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            pairs = users.get(name, ())
            todo.extend(u.name for u, at in pairs if control or not u.input[at].startswith(CONTROL))
    return found


def dangling(graph: protos.GraphDef) -> str:
    """Return a remark on an edge of `graph` that comes from nowhere, nothing if it has none.

    A file that was cut off between two nodes shows itself by this.
    """
    names = {node.name for node in graph.node}
    for node in graph.node:
        for edge in node.input:
            if edge not in names and source(edge) not in names:
                return f"node {node.name!r} takes {edge!r}, which is not there"
    return ""


def require(nodes: dict[str, protos.NodeDef], tensors: Iterable[str]) -> None:
    """Check that each of `tensors` belongs to one of `nodes`.

    Raises
    ------
    UnknownNameError
        One does not; the nearest names are offered.
    """
    for name in tensors:
        if source(name) not in nodes or not _TENSOR.fullmatch(name):
            raise UnknownNameError(
                f"the graph has no tensor {name!r}",
                found=counted(len(nodes), "node"),
                hint=did_you_mean(
                    source(name), nodes, "`zoo inspect` lists the inputs and outputs"
                ),
            )


def subgraph(graph: protos.GraphDef, names: set[str]) -> protos.GraphDef:
    """Return `graph` with the nodes called `names` only, and the functions that these still call.

    Control edges from nodes that are left out go, and the wish to stand where one of them stands;
    every other field stays.
    """
    kept = shell(graph)
    for node in graph.node:
        if node.name in names:
            copy = kept.node.add()
            copy.CopyFrom(node)
            edges = [e for e in node.input if not e.startswith(CONTROL) or source(e) in names]
            if len(edges) != len(node.input):
                del copy.input[:]
                copy.input.extend(edges)
            colocate_within(copy, names)
    keep_called_functions(kept)
    return kept


def colocate_within(node: protos.NodeDef, names: set[str]) -> None:
    """Take out of `node` that it stands with nodes that are not among `names`."""
    if "_class" not in node.attr:
        return
    stated = list(node.attr["_class"].list.s)
    texts = [item.decode(errors="replace") for item in stated]
    kept = [
        item
        for item, text in zip(stated, texts, strict=True)
        if not text.startswith(COLOCATED) or text.removeprefix(COLOCATED) in names
    ]
    if not kept:
        del node.attr["_class"]
    elif kept != stated:
        node.attr["_class"].list.s[:] = kept


def forget_output_shapes(nodes: Iterable[protos.NodeDef]) -> None:
    """Take out of `nodes` the shapes that were once inferred for their outputs.

    TensorFlow compares them with what it infers now, and refuses the graph where an edit has made
    a handle a value, or a value a handle.
    """
    for node in nodes:
        if "_output_shapes" in node.attr:
            del node.attr["_output_shapes"]


def shell(graph: protos.GraphDef) -> protos.GraphDef:
    """Return a copy of `graph` without its nodes."""
    bare = protos.GraphDef()
    for field, value in graph.ListFields():
        if field.name != "node":
            getattr(bare, field.name).CopyFrom(value) if hasattr(value, "CopyFrom") else setattr(
                bare, field.name, value
            )
    return bare


def functions_named_by(node: protos.NodeDef) -> Iterator[str]:
    """Yield the functions that `node` may call: its operation, and those in attributes."""
    yield node.op
    if GRADIENT in node.attr:
        yield node.attr[GRADIENT].s.decode(errors="replace")
    for value in node.attr.values() if ops.may_call(node.op) else ():
        yield from _functions_in(value)


def _functions_in(value: protos.AttrValue) -> Iterator[str]:
    """Yield the functions that an attribute names; one may be given others, to any depth."""
    kind = value.WhichOneof("value")
    for func in [value.func] if kind == "func" else value.list.func if kind == "list" else ():
        yield func.name
        for inner in func.attr.values():
            yield from _functions_in(inner)


def called_functions(graph: protos.GraphDef, nodes: Iterable[protos.NodeDef]) -> set[str]:
    """Return the names of the functions in the library of `graph` that `nodes` lead to."""
    library = {function.signature.name: function for function in graph.library.function}
    gradients = {g.function_name: g.gradient_func for g in graph.library.gradient}
    gradients |= {g.registered_op_type: g.gradient_func for g in graph.library.registered_gradients}
    found: set[str] = set()
    todo = [name for node in nodes for name in functions_named_by(node)]
    while todo:
        name = todo.pop()
        if name in gradients and gradients[name] not in found:
            todo.append(gradients[name])
        if name in found or name not in library:
            continue
        found.add(name)
        todo.extend(n for inner in library[name].node_def for n in functions_named_by(inner))
    return found


def keep_called_functions(graph: protos.GraphDef) -> None:
    """Take out of the library of `graph` what no node of it leads to."""
    library = graph.library
    if not library.function:
        return
    called = called_functions(graph, graph.node)
    kept = [f for f in library.function if f.signature.name in called]
    if len(kept) == len(library.function):
        return
    bare = type(library)()
    bare.function.extend(kept)
    bare.gradient.extend(g for g in library.gradient if g.function_name in called)
    bare.registered_gradients.extend(
        g for g in library.registered_gradients if g.gradient_func in called
    )
    library.CopyFrom(bare)


def unique(name: str, taken: set[str]) -> str:
    """Return `name`, or the first of ``name_1``, ``name_2``... that is not in `taken`; it is then.

    >>> taken = {"save", "save_1"}
    >>> unique("save", taken), "save_2" in taken
    ('save_2', True)
    """
    free, number = name, 0
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free)
    return free
