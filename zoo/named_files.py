"""Where the names of files come from that an operation of a graph is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

from zoo.assets import asset_files
from zoo.graph import CONTROL, data_inputs, source
from zoo.name_origins import (
    ASSET,
    COMPUTED,
    CONSTANT,
    FED,
    MOST,
    SAVER,
    UNSURE,
    USUAL_NAME,
    Origin,
    Origins,
    begun,
    constants,
    few,
    one_of_many,
    shared_name,
)
from zoo.reaching import INIT, USER, callees, savers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zoo import protos
    from zoo.reaching import Program

_FIRST = {
    "EnsureShape", "Enter", "Exit", "ExpandDims", "GuaranteeConst", "Identity", "NextIteration",
    "PreventGradient", "RandomShuffle", "RefEnter", "RefIdentity", "RefSwitch", "Reshape",
    "Snapshot", "Squeeze", "StopGradient", "Switch",
}  # fmt: skip
"""Operations that hand on their first input, or begin with it."""
_ANY = {"Concat", "ConcatV2", "IdentityN", "Merge", "Pack", "RefMerge"}
_CHOICES = {"Select", "SelectV2"}
_BRANCHES = {"Case", "If", "StatelessCase", "StatelessIf"}
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
_OF_VARIABLES = {"AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp"}
_DEEPEST = 200
_MOST_STEPS = 100_000
"""Edges that are followed for one graph: a few nodes can be joined in more ways than that."""
_SHARDED = {"ShardedFilename", "ShardedFilespec"}


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
            return UNSURE
        return self._of((body, edges[number], "" if body else str(node.name)))

    def _of(self, place: Place) -> Origins:
        if place in self._open:
            return frozenset()  # a loop adds nothing to what enters it
        self._steps += 1
        if len(self._open) > _DEEPEST or self._steps > _MOST_STEPS:
            return UNSURE
        self._open.add(place)
        try:
            found = self._at(*place)
        finally:
            self._open.discard(place)
        return found if len(found) <= MOST else UNSURE

    def _at(self, body: str, edge: str, asker: str) -> Origins:
        name = source(edge)
        node = self._nodes(body).get(name)
        if not body and name in self.saved_to and self._is_told(node):
            return frozenset({Origin(SAVER)})
        fed: Origins = frozenset()
        if not body and name in self.assets:
            if self._only_loading(asker):
                return frozenset({Origin(ASSET, self.assets[name].encode())})
            fed = frozenset({Origin(FED)})  # or what stands in the graph: it depends on who runs it
        if node is None:
            return self._argument(body, name) if body else UNSURE
        return fed | self._made(body, node, asker)

    def _is_told(self, node: protos.NodeDef | None) -> bool:
        """Tell whether a saver is told the file at `node`, or has a usual one there."""
        if node is None or node.op.startswith("Placeholder"):
            return True
        found = constants(node) if node.op == "Const" else UNSURE
        return all(one.kind == CONSTANT and USUAL_NAME.fullmatch(one.value) for one in found)

    def _made(self, body: str, node: protos.NodeDef, asker: str) -> Origins:
        """Return where what `node` puts out comes from."""
        op, edges = node.op, data_inputs(node)
        if op == "Const":
            return constants(node)
        if op.startswith("Placeholder"):
            fed = frozenset({Origin(FED)})
            return fed | self._any(body, edges, asker)
        if op in _SHARDED:
            return frozenset(map(one_of_many, self._any(body, edges[:1], asker)))
        if op in _FIRST:
            return self._any(body, edges[:1], asker)
        if op in _ANY or op in _CHOICES:
            return self._any(body, edges[op in _CHOICES :], asker)
        if op == "StringJoin" and edges:
            return self._joined([self._of((body, edge, asker)) for edge in edges], node)
        if op == "ReadVariableOp" and not body and edges:
            return self._variable(node, asker)
        return UNSURE

    def _any(self, body: str, edges: Iterable[str], asker: str) -> Origins:
        return frozenset().union(*(self._of((body, edge, asker)) for edge in edges))

    def _joined(self, parts: list[Origins], node: protos.NodeDef) -> Origins:
        """Return where texts come from that are put together of `parts`."""
        stated = node.attr.get("separator")
        if stated is not None and stated.WhichOneof("value") != "s":
            return UNSURE
        between = b"" if stated is None else stated.s
        plain = all(one.kind == CONSTANT for part in parts[1:] for one in part)
        inside = plain and not any(b".." in one.value for part in parts[1:] for one in part)
        stated_first = [one.value for one in parts[0] if one.kind == CONSTANT]
        found = set[Origin]()
        if plain and few([parts[0], *parts[1:]]):
            rows = product(stated_first, *([one.value for one in part] for part in parts[1:]))
            found.update(Origin(CONSTANT, between.join(row)) for row in rows)
        else:
            found.update(begun(value) for value in stated_first)
        for one in parts[0]:
            if one.kind != CONSTANT:
                kept = one.kind == FED or (one.kind == SAVER and inside)
                found.add(one if kept else Origin(COMPUTED))
        return frozenset(found)

    def _variable(self, read: protos.NodeDef, asker: str) -> Origins:
        """Return where the value of a variable comes from, which TensorFlow 2 keeps an asset's in.

        That is sure only where `read` waits for what sets it, and only assets do: a checkpoint
        may hold another value, and another variable may share its own.
        """
        name = source(read.input[0])
        users = self._users.get(name, [])
        set_by = [user for user in users if user.op == "AssignVariableOp"]
        waits = {source(edge) for edge in read.input if edge.startswith(CONTROL)}
        if any(user.op not in _OF_VARIABLES for user in users) or self._is_shared(name):
            return UNSURE
        if not any(user.name in waits for user in set_by):
            return UNSURE
        values = [edge for user in set_by for edge in data_inputs(user)[1:2]]
        found = self._any("", values, asker)
        return found if found and all(one.kind == ASSET for one in found) else UNSURE

    def _is_shared(self, name: str) -> bool:
        """Tell whether another variable of the program may be the variable `name` too."""
        bodies = (
            self.program.nodes.values(),
            *(f.node_def for f in self.program.functions.values()),
        )
        kinds = [node for body in bodies for node in body if node.op == "VarHandleOp"]
        if any(one.attr["shared_name"].WhichOneof("value") == "placeholder"
               for one in kinds if "shared_name" in one.attr):  # fmt: skip
            return True
        called = [shared_name(one) for one in kinds]
        return called.count(shared_name(self.program.nodes[name])) > 1

    @cached_property
    def _users(self) -> dict[str, list[protos.NodeDef]]:
        found: dict[str, list[protos.NodeDef]] = {}
        for name, sources in self.program.sources.items():
            for used in {*sources}:
                found.setdefault(used, []).append(self.program.nodes[name])
        return found

    def _argument(self, body: str, name: str) -> Origins:
        """Return where the argument `name` of the function `body` comes from, at all its calls."""
        function = self.program.functions[body]
        names = [argument.name for argument in function.signature.input_arg]
        if name not in names:
            return UNSURE
        number = names.index(name)
        callers = self._callers.get(body, ())
        found = [self._handed(above, node, number, body) for above, node in callers]
        bound = self._bound.get(body)
        if bound is not None:
            found.append(bound.get(number - len(names), frozenset({Origin(FED)})))
        elif body in self._started:
            found.append(UNSURE)
        return frozenset().union(*found) if found else UNSURE

    def _handed(self, body: str, node: protos.NodeDef, number: int, called: str) -> Origins:
        """Return where what `node` hands to its function `called` comes from.

        What a loop hands to the next round, and to a function that a function is given, is not
        followed.
        """
        direct = [called] * (node.op == called)
        for value in node.attr.values():
            listed = [value.func] if value.WhichOneof("value") == "func" else value.list.func
            direct += [one.name for one in listed if one.name == called]
        named = [*callees(node)].count(called) + (node.op == called)
        if not direct or named != len(direct):
            return UNSURE
        if node.op == called or node.op in _CALLS:
            return self.given(body, node, number)
        return self.given(body, node, number + 1) if node.op in _BRANCHES else UNSURE

    @cached_property
    def _started(self) -> set[str]:
        """The functions that something else than a node calls: gradients, objects."""
        return {start.function for start in self.program.starts if start.function}

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
            return UNSURE
        if kind == "asset":
            files = asset_files(self.program.meta_graph)
            place = node.asset.asset_file_def_index
            name = files[place].filename if 0 <= place < len(files) else ""
            return frozenset({Origin(ASSET, name.encode())})
        return self._of(("", node.constant.operation, ""))
