"""Where the names of files come from that an operation of a graph is given."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

from zoo.assets import asset_files
from zoo.dtypes import STRING
from zoo.errors import FormatError
from zoo.graph import data_inputs, source
from zoo.reaching import INIT, USER, savers
from zoo.tensor_protos import texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zoo import protos
    from zoo.reaching import Program

CONSTANT, FED, ASSET, SAVER, COMPUTED = "constant", "fed", "asset", "saver", "computed"
_FIRST = {
    "EnsureShape", "Enter", "Exit", "ExpandDims", "GuaranteeConst", "Identity", "NextIteration",
    "PreventGradient", "RandomShuffle", "RefEnter", "RefIdentity", "RefSwitch", "Reshape",
    "ShardedFilename", "ShardedFilespec", "Snapshot", "Squeeze", "StopGradient", "Switch",
}  # fmt: skip
"""Operations that hand on their first input, or begin with it."""
_ANY = {"Concat", "ConcatV2", "IdentityN", "Merge", "Pack", "RefMerge"}
_CHOICES = {"Select", "SelectV2"}
_BRANCHES = {"Case", "If", "StatelessCase", "StatelessIf"}
_CALLS = {"PartitionedCall", "StatefulPartitionedCall", "StatelessWhile", "While"}
_OF_VARIABLES = {"AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp"}
_MOST = 1000
"""Names of which one operation is asked."""
_DEEPEST = 200
_MOST_STEPS = 100_000
"""Edges that are followed for one graph: a few nodes can be joined in more ways than that."""
_ROOTED = re.compile(rb"\.?/|[a-zA-Z][\w+.-]*://")


@dataclass(frozen=True)
class Origin:
    """Where a name comes from: it stands in the graph, or is fed, or the loader gives it..."""

    kind: str
    value: bytes = b""


Origins = frozenset[Origin]
_UNSURE: Origins = frozenset({Origin(COMPUTED)})
Place = tuple[str, str, str]
"""A body, an edge in it, and the node of the graph for which it is asked."""


@dataclass
class NamedFiles:
    """Answers where names of files come from in the bodies of `program`.

    Attributes
    ----------
    assets
        The nodes to which the loader gives the paths of the model's own files.
    """

    program: Program
    assets: Mapping[str, str]
    _open: set[Place] = field(default_factory=set)
    _steps: int = 0

    def given(self, body: str, node: protos.NodeDef, number: int) -> Origins:
        """Return where the names come from that the input `number` of `node` takes."""
        edges = data_inputs(node)
        if number >= len(edges):
            return _UNSURE
        return self._of((body, edges[number], "" if body else str(node.name)))

    def _of(self, place: Place) -> Origins:
        if place in self._open:
            return frozenset()  # a loop adds nothing to what enters it
        self._steps += 1
        if len(self._open) > _DEEPEST or self._steps > _MOST_STEPS:
            return _UNSURE
        self._open.add(place)
        try:
            found = self._at(*place)
        finally:
            self._open.discard(place)
        return found if len(found) <= _MOST else _UNSURE

    def _at(self, body: str, edge: str, asker: str) -> Origins:
        name = source(edge)
        if not body and name in self.saved_to:
            return frozenset({Origin(SAVER)})
        if not body and name in self.assets and self._only_loading(asker):
            return frozenset({Origin(ASSET, self.assets[name].encode())})
        node = self._nodes(body).get(name)
        if node is None:
            return self._argument(body, name) if body else _UNSURE
        return self._made(body, node, asker)

    def _made(self, body: str, node: protos.NodeDef, asker: str) -> Origins:
        """Return where what `node` puts out comes from."""
        op, edges = node.op, data_inputs(node)
        if op == "Const":
            return _constants(node)
        if op.startswith("Placeholder"):
            fed = frozenset({Origin(FED)})
            return fed | self._any(body, edges, asker)
        if op in _FIRST:
            return self._any(body, edges[:1], asker)
        if op in _ANY or op in _CHOICES:
            return self._any(body, edges[op in _CHOICES :], asker)
        if op == "StringJoin" and edges:
            return self._joined([self._of((body, edge, asker)) for edge in edges], node)
        if op == "ReadVariableOp" and not body and edges:
            return self._variable(source(edges[0]), asker)
        return _UNSURE

    def _any(self, body: str, edges: Iterable[str], asker: str) -> Origins:
        return frozenset().union(*(self._of((body, edge, asker)) for edge in edges))

    def _joined(self, parts: list[Origins], node: protos.NodeDef) -> Origins:
        """Return where texts come from that are put together of `parts`."""
        between = node.attr["separator"].s if "separator" in node.attr else b""
        plain = all(one.kind == CONSTANT for part in parts[1:] for one in part)
        inside = plain and not any(b".." in one.value for part in parts[1:] for one in part)
        constants = [one.value for one in parts[0] if one.kind == CONSTANT]
        found = set[Origin]()
        if plain and _few([parts[0], *parts[1:]]):
            rows = product(constants, *([one.value for one in part] for part in parts[1:]))
            found.update(Origin(CONSTANT, between.join(row)) for row in rows)
        else:
            found.update(_begun(value) for value in constants)
        for one in parts[0]:
            if one.kind != CONSTANT:
                kept = one.kind == FED or (one.kind == SAVER and inside)
                found.add(one if kept else Origin(COMPUTED))
        return frozenset(found)

    def _variable(self, name: str, asker: str) -> Origins:
        """Return where the value of the variable `name` comes from, if only the graph sets it."""
        users = self._users.get(name, [])
        if not users or any(user.op not in _OF_VARIABLES for user in users):
            return _UNSURE
        set_by = [user for user in users if user.op == "AssignVariableOp"]
        values = [data_inputs(user)[1:2] for user in set_by]
        return self._any("", [edge for value in values for edge in value], asker) or _UNSURE

    def _argument(self, body: str, name: str) -> Origins:
        """Return where the argument `name` of the function `body` comes from, at all its calls."""
        function = self.program.functions[body]
        names = [argument.name for argument in function.signature.input_arg]
        if name not in names:
            return _UNSURE
        number = names.index(name)
        found = [self._handed(above, node, number) for above, node in self._callers.get(body, ())]
        bound = self._bound.get(body)
        if bound is not None:
            found.append(bound.get(number - len(names), frozenset({Origin(FED)})))
        return frozenset().union(*found) if found else _UNSURE

    def _handed(self, body: str, node: protos.NodeDef, number: int) -> Origins:
        if node.op in _CALLS or node.op in self.program.functions:
            return self.given(body, node, number)
        return self.given(body, node, number + 1) if node.op in _BRANCHES else _UNSURE

    def _only_loading(self, asker: str) -> bool:
        """Tell whether loading runs the node `asker` and no user does: he gives it no paths."""
        there = self.program.started_by("", asker)
        return INIT in there and USER not in there

    def _nodes(self, body: str) -> Mapping[str, protos.NodeDef]:
        if body not in self._bodies:
            function = self.program.functions[body]
            self._bodies[body] = {node.name: node for node in function.node_def}
        return self._bodies[body]

    @cached_property
    def _bodies(self) -> dict[str, dict[str, protos.NodeDef]]:
        return {"": self.program.nodes}

    @cached_property
    def saved_to(self) -> set[str]:
        """The nodes to which savers give the name of the file they write or read."""
        names = {source(saver.filename_tensor_name) for saver in savers(self.program.meta_graph)}
        return names - {""}

    @cached_property
    def _users(self) -> dict[str, list[protos.NodeDef]]:
        found: dict[str, list[protos.NodeDef]] = {}
        for name, sources in self.program.sources.items():
            for used in {*sources}:
                found.setdefault(used, []).append(self.program.nodes[name])
        return found

    @cached_property
    def _callers(self) -> dict[str, list[tuple[str, protos.NodeDef]]]:
        found: dict[str, list[tuple[str, protos.NodeDef]]] = {}
        for body, pairs in self.program.calls.items():
            for node, function in pairs:
                if function in self.program.functions:
                    found.setdefault(function, []).append((body, self._nodes(body)[node]))
        return found

    @cached_property
    def _bound(self) -> dict[str, dict[int, Origins]]:
        """What objects hand to each function, by places counted from the end of its arguments."""
        objects = self.program.meta_graph.object_graph_def
        found = {}
        for name, function in objects.concrete_functions.items():
            places = enumerate(function.bound_inputs, -len(function.bound_inputs))
            found[name] = {place: self._object(objects, number) for place, number in places}
        return found

    def _object(self, objects: protos.SavedObjectGraph, number: int) -> Origins:
        node = objects.nodes[number] if 0 <= number < len(objects.nodes) else None
        kind = None if node is None else node.WhichOneof("kind")
        if node is None or kind not in ("asset", "constant"):
            return _UNSURE
        if kind == "asset":
            files = asset_files(self.program.meta_graph)
            place = node.asset.asset_file_def_index
            name = files[place].filename if 0 <= place < len(files) else ""
            return frozenset({Origin(ASSET, name.encode())})
        return self._of(("", node.constant.operation, ""))


def _constants(node: protos.NodeDef) -> Origins:
    """Return the texts that the constant `node` holds; none where it holds numbers."""
    tensor = node.attr["value"].tensor if "value" in node.attr else None
    if tensor is None or tensor.dtype != STRING.number:
        return frozenset() if tensor is not None else _UNSURE
    if not tensor.string_val and not tensor.tensor_content:
        return _UNSURE  # its value was left in the file
    if len(tensor.string_val) + len(tensor.tensor_content) // 4 > _MOST * 100:
        return _UNSURE
    try:
        return frozenset(Origin(CONSTANT, text) for text in texts(tensor))
    except FormatError:
        return _UNSURE


def _begun(value: bytes) -> Origin:
    """Return where a text comes from that begins with `value`, and goes on nobody knows how."""
    if _ROOTED.match(value):
        return Origin(CONSTANT, value)
    return Origin(COMPUTED)  # what follows may make it the address of another machine


def _few(parts: list[Origins]) -> bool:
    count = 1
    for part in parts:
        count *= len(part)
    return count <= _MOST
