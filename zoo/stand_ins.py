"""A graph without what may not run: nodes that give no values stand in its place.

An operation that is not trusted is not given to TensorFlow at all, which evaluates constants while
it imports a graph, and reads a file for that.  What comes after it stays, and can be fed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from zoo import dtypes, ops, protos
from zoo.errors import UnsupportedError
from zoo.graph import downstream, functions_named_by, shell, subgraph
from zoo.nodes import Dims, node, placeholder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from zoo.findings import Finding

_EMPTY = "zoo_nothing"
"""What the names of nodes begin with that were added."""


def barred(graph: protos.GraphDef, found: Iterable[Finding]) -> dict[str, Finding]:
    """Return the nodes of `graph` that have or call what was `found`, each with the first of it."""
    findings = list(found)
    if not findings:
        return {}
    inner: dict[str, Finding] = {}
    for one in findings:
        if one.function:
            inner.setdefault(one.function, one)
    inner = _callers(graph, inner)
    own = {one.node: one for one in reversed(findings) if not one.function}
    those = {}
    for one in graph.node:
        held = own.get(one.name) or _first(functions_named_by(one), inner)
        if held is not None:
            those[one.name] = held
    return those


def _first(names: Iterable[str], inner: Mapping[str, Finding]) -> Finding | None:
    return next((inner[name] for name in names if name in inner), None) if inner else None


def _callers(graph: protos.GraphDef, inner: dict[str, Finding]) -> dict[str, Finding]:
    """Return `inner`, findings by function, with the functions that call these or derive them."""
    if not inner:
        return inner
    calls = {
        one.signature.name: {name for inside in one.node_def for name in functions_named_by(inside)}
        for one in graph.library.function
    }
    for gradient in graph.library.gradient:
        calls.setdefault(gradient.function_name, set()).add(gradient.gradient_func)
    for registered in graph.library.registered_gradients:
        calls.setdefault(registered.registered_op_type, set()).add(registered.gradient_func)
    found = dict(inner)
    while new := {
        name: held
        for name, called in calls.items()
        if name not in found and (held := _first(sorted(called), found)) is not None
    }:
        found |= new
    return found


def without(
    meta_graph: protos.MetaGraphDef, those: Collection[str], found: Iterable[Finding] = ()
) -> protos.MetaGraphDef:
    """Return `meta_graph` with others in the place of the nodes `those`, which give no values.

    A node of whose outputs nobody knows the kinds goes, and with it what needs it.  So do the
    functions in which something was `found`, and those that no node leads to any more.
    """
    bad = _callers(meta_graph.graph_def, {one.function: one for one in found if one.function})
    if not those and not bad:
        return meta_graph
    kept = protos.MetaGraphDef()
    kept.CopyFrom(meta_graph)
    graph, library = shell(meta_graph.graph_def), meta_graph.graph_def.library
    results = {one.signature.name: one.signature.output_arg for one in library.function}
    lost = []
    for one in meta_graph.graph_def.node:
        made = _stand_in(one, results) if one.name in those else [one]
        graph.node.extend(made)
        if not made:
            lost.append(one.name)
    gone = downstream(meta_graph.graph_def, lost) if lost else set()
    graph = subgraph(graph, {one.name for one in graph.node} - gone)
    left = [one for one in graph.library.function if one.signature.name not in bad]
    if len(left) < len(graph.library.function):
        bare = type(graph.library)()
        bare.function.extend(left)
        graph.library.CopyFrom(bare)
    kept.graph_def.CopyFrom(graph)
    return kept


def _stand_in(one: protos.NodeDef, results: Mapping[str, Any]) -> list[protos.NodeDef]:
    """Return nodes of which the last has the name of `one` and outputs like its, without values.

    None where nobody knows what these are.
    """
    kinds = _kinds(one, results)
    if kinds is None:
        return []
    if not kinds:
        return [node(one.name, "NoOp")]
    known = ops.op(one.op)
    if known is not None and any(output.ref for output in known.outputs):
        variable = node(one.name, "VariableV2", dtype=kinds[0], shape=Dims([]))
        return [variable] if len(kinds) == 1 else []
    if len(kinds) == 1:
        return [placeholder(one.name, kinds[0])]
    given = [placeholder(f"{_EMPTY}/{one.name}/{n}", kind) for n, kind in enumerate(kinds)]
    return [*given, node(one.name, "IdentityN", [each.name for each in given], T=kinds)]


def _kinds(one: protos.NodeDef, results: Mapping[str, Any]) -> list[dtypes.DType] | None:
    """Return the dtypes of what `one`, an operation or a call of a function, gives."""
    with suppress(UnsupportedError):
        return ops.dtypes_of(one)
    if one.op not in results or any(a.number_attr or a.type_list_attr for a in results[one.op]):
        return None
    numbers = [
        one.attr[arg.type_attr].type if arg.type_attr and arg.type_attr in one.attr else arg.type
        for arg in results[one.op]
    ]
    with suppress(UnsupportedError):
        return [dtypes.dtype(number) for number in numbers]
    return None
