"""What a MetaGraph may start, and what each start leads to: nodes, and functions through calls.

A function counts as run whole where it is called, though TensorFlow leaves out of it what its
outputs do not need; so what is said to be out of reach is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from zoo import protos
from zoo.graph import source

if TYPE_CHECKING:
    from collections.abc import Iterator

SAVE, RESTORE, INIT, USER, LOOSE = "save", "restore", "init", "user", "loose"
"""Who starts something: the saver, twice; loading; whoever uses the model; and, for what none of
them starts, whoever asks the graph for a node by its name."""

UNNAMED = "(function without a name)"
"""What a function without a name is called, since "" is the graph."""
_INIT_SIGNATURE = "__saved_model_init_op"
_INIT_COLLECTIONS = {
    "init_op", "legacy_init_op", "local_init_op", "saved_model_main_op", "table_initializer",
}  # fmt: skip
_SAVERS = "savers"
_VARIABLES = {"AutoReloadVariable", "VarHandleOp", "Variable", "VariableV2"}
_ORDER = (USER, INIT, RESTORE, SAVE, LOOSE)
_THE_GRAPH = "the graph"


@dataclass(frozen=True)
class Start:
    """Something that runs nodes of the graph: who, what it is called, and which nodes."""

    who: str
    label: str
    nodes: tuple[str, ...] = ()
    function: str = ""


@dataclass
class Reached:
    """What one of the starters leads to.

    Attributes
    ----------
    nodes
        The nodes of the graph, each with the label of what leads to it first.
    functions
        The functions, each with the body and the node that call it first; of one that is started
        itself, the label and nothing.
    """

    nodes: dict[str, str] = field(default_factory=dict)
    functions: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """The bodies of a MetaGraph, that of its graph called "", and who calls whom.

    Attributes
    ----------
    calls
        For each body its calls: pairs of a node and a function of the library.
    wanted
        Nodes that are started besides, by name; if given, nothing else of the graph counts.
    """

    meta_graph: protos.MetaGraphDef
    calls: dict[str, list[tuple[str, str]]]
    wanted: tuple[str, ...] | None = None

    @cached_property
    def nodes(self) -> dict[str, protos.NodeDef]:
        """The nodes of the graph by name."""
        return {node.name: node for node in self.meta_graph.graph_def.node}

    @cached_property
    def functions(self) -> dict[str, protos.FunctionDef]:
        """The functions of the library by name."""
        library = self.meta_graph.graph_def.library
        return {one.signature.name or UNNAMED: one for one in library.function}

    @cached_property
    def sources(self) -> dict[str, list[str]]:
        """The nodes that each node of the graph needs."""
        return {name: [source(edge) for edge in node.input] for name, node in self.nodes.items()}

    @cached_property
    def starts(self) -> list[Start]:
        """What may be started."""
        found = [*_starts(self.meta_graph)]
        loading = {source(name) for one in found if one.who == INIT for name in one.nodes}
        for name in self.wanted or ():
            who = INIT if source(name) in loading else USER
            found.append(Start(who, f"output {name}", (name,)))
        return found

    @cached_property
    def reached(self) -> dict[str, Reached]:
        """What each of the starters leads to."""
        found = {who: Reached() for who in _ORDER}
        for one in self.starts:
            self._follow(one, found[one.who])
        rooted = {name for one in found.values() for name in one.nodes}
        loose = tuple(name for name in self.nodes if name not in rooted)
        self._follow(Start(LOOSE, _THE_GRAPH, loose), found[LOOSE])
        for reached in found.values():
            self._enter(reached)
        return found

    @cached_property
    def needed(self) -> Reached | None:
        """What the nodes `wanted` lead to, None where nothing is wanted in particular."""
        if self.wanted is None:
            return None
        found = Reached()
        self._follow(Start(USER, "", self.wanted), found)
        self._enter(found)
        return found

    def started_by(self, body: str, node: str) -> set[str]:
        """Return who leads to the node `node` of the body `body`."""
        return {
            who
            for who, one in self.reached.items()
            if (body in one.functions if body else node in one.nodes)
        }

    def path(self, body: str, node: str) -> tuple[str, ...]:
        """Return how a node is reached: what starts it, then each node that calls a function."""
        there = self.started_by(body, node)
        who = next((who for who in _ORDER if who in there), None)
        if who is None:
            return ()
        reached, calls = self.reached[who], list[str]()
        while body:
            above, caller = reached.functions[body]
            if not caller:
                return (above, *reversed(calls))
            calls.append(f"{above}/{caller}" if above else caller)
            body, node = above, caller
        return (reached.nodes[node], *reversed(calls))

    def _follow(self, start: Start, reached: Reached) -> None:
        todo = [source(name) for name in start.nodes]
        while todo:
            name = todo.pop()
            if name not in reached.nodes and name in self.sources:
                reached.nodes[name] = start.label
                todo += self.sources[name]
        if start.function in self.functions:
            reached.functions.setdefault(start.function, (start.label, ""))

    def _enter(self, reached: Reached) -> None:
        """Add the functions that `reached` calls, and those that these call."""
        todo = [*reached.functions]
        for node, function in self.calls.get("", ()):
            if node in reached.nodes and function not in reached.functions:
                reached.functions[function] = ("", node)
                todo.append(function)
        while todo:
            body = todo.pop()
            for node, function in self.calls.get(body, ()):
                if function not in reached.functions:
                    reached.functions[function] = (body, node)
                    todo.append(function)


def callees(node: protos.NodeDef) -> Iterator[str]:
    """Yield the names of the functions that the attributes of `node` name.

    A function may be given others as its own attributes, to any depth.
    """
    for value in node.attr.values():
        yield from _named(value)


def _named(value: protos.AttrValue) -> Iterator[str]:
    kind = value.WhichOneof("value")
    listed = [value.func] if kind == "func" else value.list.func if kind == "list" else ()
    for function in listed:
        yield function.name
        for inner in function.attr.values():
            yield from _named(inner)


def _starts(meta_graph: protos.MetaGraphDef) -> Iterator[Start]:
    """Yield what may be started in `meta_graph`, wherever it says so."""
    held = tuple(one.name for one in meta_graph.graph_def.node if _is_held(one.op))
    yield Start(USER, "loading a variable", held)
    for saver in savers(meta_graph):
        yield Start(SAVE, "saver", (saver.save_tensor_name,))
        yield Start(RESTORE, "restore", (saver.restore_op_name,))
    for key in sorted(meta_graph.signature_def):
        names = tuple(_outputs(meta_graph.signature_def[key]))
        initial = key == _INIT_SIGNATURE
        yield Start(INIT, "init", names) if initial else Start(USER, f"signature {key}", names)
    for key in sorted(meta_graph.collection_def):
        names = tuple(meta_graph.collection_def[key].node_list.value)
        initial = key in _INIT_COLLECTIONS
        yield Start(INIT, "init", names) if initial else Start(USER, f"collection {key}", names)
    for name in sorted(_functions_of_objects(meta_graph.object_graph_def)):
        yield Start(USER, f"function {name} of the object graph", (), name)
    library = meta_graph.graph_def.library
    for one in library.gradient:
        yield Start(USER, f"gradient of {one.function_name}", (), one.gradient_func)
    for one in library.registered_gradients:
        yield Start(USER, f"gradient of {one.registered_op_type}", (), one.gradient_func)


def _is_held(op: str) -> bool:
    """Tell whether loading gives a value to what the operation `op` makes."""
    return op in _VARIABLES or "HashTable" in op


def savers(meta_graph: protos.MetaGraphDef) -> list[protos.SaverDef]:
    """Return the savers of `meta_graph`: its own, and those that a collection lists."""
    from google.protobuf.message import DecodeError

    found = [meta_graph.saver_def]
    listed = _SAVERS in meta_graph.collection_def
    for item in meta_graph.collection_def[_SAVERS].bytes_list.value if listed else ():
        try:
            found.append(protos.SaverDef.FromString(item))
        except DecodeError:
            continue  # lists nothing, so that what it would have saved is anybody's
    return [one for one in found if one.save_tensor_name or one.restore_op_name]


def _outputs(signature: protos.SignatureDef) -> Iterator[str]:
    for info in signature.outputs.values():
        yield from _tensors(info)


def _tensors(info: protos.TensorInfo) -> Iterator[str]:
    kind = info.WhichOneof("encoding")
    if kind == "coo_sparse":
        sparse = info.coo_sparse
        yield from (
            sparse.values_tensor_name,
            sparse.indices_tensor_name,
            sparse.dense_shape_tensor_name,
        )
    elif kind == "composite_tensor":
        for part in info.composite_tensor.components:
            yield from _tensors(part)
    else:
        yield info.name


def _functions_of_objects(objects: protos.SavedObjectGraph) -> set[str]:
    named = {*objects.concrete_functions}
    for node in objects.nodes:
        named.update(node.function.concrete_functions)
        named.add(node.bare_concrete_function.concrete_function_name)
    return named - {""}
