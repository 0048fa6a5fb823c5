"""What the operations of a graph may do to the machine that runs them.

An operation is judged by the table of `zoo.op_levels`, then by where it stands: what saves and
restores is fine where nothing but the saver runs it and tells it the file, what reads a file where
the file is one of the model's own.  All of the graph is looked at, and all functions of its
library, whether anything leads to them or not.
"""

from __future__ import annotations

import functools
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zoo import libraries, ops, protos
from zoo.assets import asset_files
from zoo.findings import LEVELS, Finding
from zoo.graph import source
from zoo.levels import Context
from zoo.op_levels import PURE, Judgement, judgement, table
from zoo.reaching import UNNAMED, Program, callees

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FIELD_OP = b"\x12"
"""What stands before the operation of a node in its message."""


@dataclass(frozen=True)
class Suspect:
    """A node that is more than computing: its body, what of it, and what the table says."""

    body: str
    node: protos.NodeDef
    op: str
    said: Judgement


@dataclass(frozen=True)
class Scanned:
    """What a graph does.

    Attributes
    ----------
    findings
        Every operation that does more than compute, in the order of nodes.
    operations
        How many operations there are.
    """

    findings: tuple[Finding, ...]
    operations: int

    def levels(self) -> dict[str, int]:
        """Return how many operations there are of each level that occurs."""
        counts = Counter(one.level for one in self.findings)
        pure = max(self.operations - sum(counts.values()), 0)
        counts[PURE] += pure
        return {level: counts[level] for level in LEVELS if counts[level]}


def scan(
    meta_graph: protos.MetaGraphDef, wanted: Iterable[str] | None = None
) -> tuple[Finding, ...]:
    """Return every operation of `meta_graph` that does more than compute, in the order of nodes.

    Parameters
    ----------
    wanted
        Tensors or nodes; if given, only what these need is looked at, functions that they call
        among it.

    Raises
    ------
    FormatError
        The list of its files is damaged.
    """
    return look(meta_graph, wanted).findings


def look(meta_graph: protos.MetaGraphDef, wanted: Iterable[str] | None = None) -> Scanned:
    """Return what `meta_graph` does, as `scan` has it, and how many operations there are."""
    found = _Walk(meta_graph)
    program = Program(meta_graph, found.calls, None if wanted is None else tuple(wanted))
    findings = [*_judged(program, found.suspects)]
    if wanted is None:
        findings += _escaping(meta_graph)
        findings += _hidden(meta_graph)
    return Scanned(tuple(findings), found.operations)


class _Walk:
    """One walk over every node: which are suspect, and which call functions."""

    def __init__(self, meta_graph: protos.MetaGraphDef) -> None:
        graph = meta_graph.graph_def
        self.suspects: list[Suspect] = []
        self.calls: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.operations = 0
        self._functions = {one.signature.name for one in graph.library.function}
        self._look("", graph.node)
        for one in graph.library.function:
            self._look(one.signature.name or UNNAMED, one.node_def)

    def _look(self, body: str, nodes: Iterable[protos.NodeDef]) -> None:
        known, functions = table(), self._functions
        for node in nodes:
            self.operations += 1
            op = node.op
            said = known.get(op)
            if said:
                self._suspect(body, node, op)
            elif said is None and op not in functions:
                self.suspects.append(Suspect(body, node, op, foreign(op)))
            if op in functions:
                self.calls[body].append((node.name, op))
            if ops.may_call(op):
                self._called(body, node)

    def _called(self, body: str, node: protos.NodeDef) -> None:
        for name in callees(node):
            if name in self._functions:
                self.calls[body].append((node.name, name))
            elif table().get(name):
                self._suspect(body, node, name)

    def _suspect(self, body: str, node: protos.NodeDef, op: str) -> None:
        said = judgement(op)
        if said is not None:
            self.suspects.append(Suspect(body, node, op, said))


def foreign(op: str) -> Judgement:
    """Return what is said of an operation that TensorFlow does not have."""
    home = libraries.home(op)
    if home is not None:
        return Judgement("custom-op", f"needs {home.name}, whose code nobody looked at here")
    return Judgement("unknown", f"TensorFlow {ops.RELEASE} has no such operation")


def _judged(program: Program, suspects: Iterable[Suspect]) -> Iterator[Finding]:
    suspects = list(suspects)
    if not suspects:
        return
    files = asset_files(program.meta_graph)
    named = {source(file.tensor_info.name): file.filename for file in files}
    context = Context(program, named)
    needed = program.needed
    for one in suspects:
        name = one.node.name
        if needed is not None:
            there = one.body in needed.functions if one.body else name in needed.nodes
            if not there:
                continue
        level, why = context.judged(one.body, one.node, one.op, one.said)
        if level != PURE:
            full = f"{one.body}/{name}" if one.body else name
            yield Finding(one.op, full, why, level, one.body, program.path(one.body, name))


def _escaping(meta_graph: protos.MetaGraphDef) -> Iterator[Finding]:
    """Yield a finding for each file that is said to be the model's own, and lies elsewhere."""
    for file in asset_files(meta_graph):
        parts = re.split(r"[/\\]", file.filename)
        if parts[0] == "" or ".." in parts or ":" in file.filename:
            why = f"names a file outside of the model as its own: {file.filename!r}"
            yield Finding("AssetFileDef", source(file.tensor_info.name), why, "io", "", ("assets",))


def _hidden(meta_graph: protos.MetaGraphDef) -> Iterator[Finding]:
    """Yield a finding for each operation in a message that a collection carries along."""
    for key in sorted(meta_graph.collection_def):
        collection, label = meta_graph.collection_def[key], f"collection {key}"
        carried = [*collection.bytes_list.value]
        for item in collection.any_list.value:
            graph = _graph_in(item)
            if graph is None:
                carried.append(item.value)
            else:
                for one in look(_beside(meta_graph, graph)).findings:
                    yield replace(one, path=(label, *one.path))
        for op in sorted({op for item in carried for op in _operations_in(item)}):
            said = judgement(op)
            if said is not None:
                level = "io" if said.level == "saver" else said.level
                why = f"{said.why}; a node of it is hidden in a collection"
                yield Finding(op, key, why, level, "", (label,))


def _graph_in(item: Any) -> protos.GraphDef | None:
    """Return the graph that an entry of a collection is, as of the oldest served models."""
    from google.protobuf.message import DecodeError

    if not item.type_url.endswith("/tensorflow.GraphDef"):
        return None
    try:
        return protos.GraphDef.FromString(item.value)
    except DecodeError:
        return None


def _beside(meta_graph: protos.MetaGraphDef, graph: protos.GraphDef) -> protos.MetaGraphDef:
    """Return `graph` with the saver of `meta_graph`, for which it was made."""
    made = protos.MetaGraphDef(saver_def=meta_graph.saver_def)
    made.graph_def.CopyFrom(graph)
    return made


def _operations_in(message: bytes) -> set[str]:
    """Return the operations beyond computing of the nodes that seem to lie in `message`."""
    found, at = set(), message.find(_FIELD_OP)
    while 0 <= at < len(message) - 1:
        start = at + 2
        name = message[start : start + message[at + 1]]
        if name in _beyond_computing():
            found.add(name.decode())
        at = message.find(_FIELD_OP, at + 1)
    return found


@functools.cache
def _beyond_computing() -> frozenset[bytes]:
    return frozenset(op.encode() for op, said in table().items() if said)
