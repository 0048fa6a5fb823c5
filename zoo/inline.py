"""Put the bodies of called functions in the place of the calls.

TensorFlow 2 keeps a net in the function library of its graph and calls it once.  Freezing,
pruning and swapping a head all want to see the operations themselves.  The call's name stays, as
an ``Identity`` over what the function returns, so that signatures need no change.  ``While`` and
``If`` stay calls: their functions run any number of times.

Source: ``tensorflow/core/framework/function.proto`` and ``inline_function_utils.cc``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo import dtypes, ops, protos
from zoo.errors import FormatError, UnsupportedError
from zoo.graph import (
    COLOCATED,
    CONTROL,
    data_inputs,
    keep_called_functions,
    shell,
    unique,
)
from zoo.nodes import node as make_node

if TYPE_CHECKING:
    from collections.abc import Collection

    from zoo.dtypes import DType

_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
_DEEPEST = 200
_MOST = 1_000_000
_UNGATED = {"Const", "VarHandleOp", "Placeholder"}


def inline(graph: protos.GraphDef) -> protos.GraphDef:
    """Return `graph` without calls on its top level, and functions that nobody calls then.

    Raises
    ------
    UnsupportedError
        Functions call each other without end, or one contains an operation of several outputs that
        is in no table.
    FormatError
        A call or a function body speaks of what is not there.
    """
    flat = shell(graph)
    flat.node.extend(expanded(graph))
    keep_called_functions(flat)
    return flat


def inlined(meta_graph: protos.MetaGraphDef) -> protos.MetaGraphDef:
    """Return a copy of `meta_graph` with its calls inlined, all else as it is."""
    flat = protos.MetaGraphDef()
    flat.CopyFrom(meta_graph)
    if meta_graph.graph_def.library.function:
        flat.graph_def.CopyFrom(inline(meta_graph.graph_def))
    return flat


def expanded(graph: protos.GraphDef, only: Collection[str] | None = None) -> list[protos.NodeDef]:
    """Return the nodes of `graph`, bodies in the place of calls; the graph stays as it is.

    Parameters
    ----------
    only
        The nodes that are wanted, by name; all by default.

    Raises
    ------
    UnsupportedError, FormatError
        As `inline` does.
    """
    library = {function.signature.name: function for function in graph.library.function}
    wanted = [node for node in graph.node if only is None or node.name in only]
    if not library:
        return wanted
    flat: list[protos.NodeDef] = []
    taken = {node.name for node in graph.node}
    todo = [(node, 0) for node in reversed(wanted)]
    while todo:
        node, depth = todo.pop()
        function = library.get(_callee(node))
        if function is None:
            flat.append(node)
            continue
        if depth > _DEEPEST:
            raise UnsupportedError(f"function {function.signature.name!r} calls itself")
        body = _Call(node, function, library, taken).expanded()
        todo.extend((inner, depth + 1) for inner in reversed(body))
        if len(todo) + len(flat) > _MOST:
            raise UnsupportedError(
                "the functions call each other too often", found=f"more than {_MOST} nodes"
            )
    return flat


def is_call(node: protos.NodeDef, library: dict[str, protos.FunctionDef]) -> bool:
    """Tell whether `node` calls a function of `library` once."""
    return _callee(node) in library


def _callee(node: protos.NodeDef) -> str:
    """Return the name of the function that `node` calls if it is a call."""
    if node.op in _CALLS and "f" in node.attr:
        name: str = node.attr["f"].func.name
        return name
    return str(node.op)  # old graphs use the function's name as the operation


@dataclass
class _Call:
    """One call, about to be replaced by the body of its function."""

    node: protos.NodeDef
    function: protos.FunctionDef
    library: dict[str, protos.FunctionDef]
    taken: set[str]
    names: dict[str, str] = field(default_factory=dict)
    """From a node of the body to its name in the graph."""

    def expanded(self) -> list[protos.NodeDef]:
        """Return the nodes that stand for the call, the last of them under its name."""
        self.arguments = self._arguments()
        self.body = {inner.name: inner for inner in self.function.node_def}
        for name in self.body:
            self.names[name] = unique(f"{self.node.name}/{name}", self.taken)
        before = [edge for edge in self.node.input if edge.startswith(CONTROL)]
        gate = []
        if before:
            gate = [make_node(unique(f"{self.node.name}/before", self.taken), "NoOp", before)]
        inner = [self._inner(node, gate) for node in self.function.node_def]
        return [*gate, *inner, self._returned(before)]

    def _arguments(self) -> dict[str, str]:
        formal = [argument.name for argument in self.function.signature.input_arg]
        actual = data_inputs(self.node)
        if len(formal) != len(actual):
            raise FormatError(
                f"call {self.node.name!r} does not fit its function",
                found=f"{len(actual)} arguments for {len(formal)} parameters",
            )
        return dict(zip(formal, actual, strict=True))

    def _inner(self, inner: protos.NodeDef, gate: list[protos.NodeDef]) -> protos.NodeDef:
        copy = protos.NodeDef()
        copy.CopyFrom(inner)
        copy.name = self.names[inner.name]
        copy.device = inner.device or self.node.device
        del copy.input[:]
        copy.input.extend(self._edge(edge) for edge in inner.input)
        if gate and self._starts(inner):
            copy.input.append(f"^{gate[0].name}")
        self._fill_in(copy)
        self._colocate(copy)
        return copy

    def _starts(self, inner: protos.NodeDef) -> bool:
        """Tell whether nothing in the body that is itself held back comes before `inner`."""
        if inner.op in _UNGATED:
            return False
        before = (edge.removeprefix(CONTROL).partition(":")[0] for edge in inner.input)
        return all(name not in self.body or self.body[name].op in _UNGATED for name in before)

    def _edge(self, edge: str) -> str:
        """Return `edge`, written as in function bodies, as an edge of the graph."""
        if edge.startswith(CONTROL):
            name = edge[1:]
            return f"^{self.names[name]}" if name in self.names else self._after_argument(edge)
        if edge in self.arguments:
            return self.arguments[edge]
        name, _, output = edge.partition(":")
        if name not in self.body:
            raise self._dangling(edge)
        number = self._output(self.body[name], output)
        return f"{self.names[name]}:{number}" if number else self.names[name]

    def _after_argument(self, edge: str) -> str:
        if edge[1:] not in self.arguments:
            raise self._dangling(edge)
        return "^" + self.arguments[edge[1:]].partition(":")[0]

    def _dangling(self, edge: str) -> FormatError:
        name = self.function.signature.name
        return FormatError(f"function {name!r} is damaged", found=f"an edge from {edge!r}")

    def _output(self, inner: protos.NodeDef, output: str) -> int:
        """Return the number of the `output` (``"name:index"``) of `inner`."""
        name, _, index = output.partition(":")
        number = int(index) if index.isdigit() else 0
        called = self.library.get(inner.op)
        if called is not None:
            names = [argument.name for argument in called.signature.output_arg]
            if name not in names:
                raise self._dangling(f"{inner.name}:{output}")
            return names.index(name) + number
        if ops.op(inner.op) is None and number == 0:
            return 0  # an operation of a library that is not loaded: it can only have one output
        return ops.position(inner, name, number)

    def _fill_in(self, copy: protos.NodeDef) -> None:
        """Replace attributes that stand for the call's own ones."""
        given = self.node.attr["f"].func.attr if self.node.op in _CALLS else self.node.attr
        for key in [k for k, value in copy.attr.items() if value.placeholder]:
            wanted = copy.attr[key].placeholder
            if wanted not in given:
                raise self._dangling(f"attribute {wanted}")
            copy.attr[key].CopyFrom(given[wanted])

    def _colocate(self, copy: protos.NodeDef) -> None:
        """Let `copy` stay with the nodes of the body that it stood with."""
        if "_class" not in copy.attr:
            return
        stated = [item.decode(errors="replace") for item in copy.attr["_class"].list.s]
        named = [item.removeprefix(COLOCATED) for item in stated if item.startswith(COLOCATED)]
        kept = [f"{COLOCATED}{self.names[name]}" for name in named if name in self.names]
        copy.attr["_class"].list.s[:] = [item.encode() for item in kept]
        if not kept:
            del copy.attr["_class"]

    def _returned(self, before: list[str]) -> protos.NodeDef:
        """Return the node that has the call's name and outputs.

        It waits for what the call waited for, and for everything in the body that has an effect.
        """
        outputs = self.function.signature.output_arg
        edges = [self._edge(self._ret(output.name)) for output in outputs]
        after = [f"^{self.names[name]}" for name in self._effects()] + before
        types = self._types()
        if not edges:
            return make_node(self.node.name, "NoOp", after)
        if len(edges) == 1:
            return make_node(self.node.name, "Identity", edges + after, T=types[0])
        return make_node(self.node.name, "IdentityN", edges + after, T=types)

    def _ret(self, output: str) -> str:
        if output not in self.function.ret:
            raise self._dangling(f"nothing for the output {output!r}")
        return str(self.function.ret[output])

    def _effects(self) -> list[str]:
        """Return the nodes of the body that run though no output may need them."""
        stated = [name for _, name in sorted(self.function.control_ret.items())]
        strange = [name for name in stated if name not in self.body]
        if strange:
            raise self._dangling(strange[0])
        results = [edge.partition(":")[0] for edge in self.function.ret.values()]
        seen: set[str] = set()
        todo = [*stated, *results]
        while todo:
            name = todo.pop()
            if name in self.body and name not in seen:
                seen.add(name)
                todo += [e.removeprefix(CONTROL).partition(":")[0] for e in self.body[name].input]
        return stated + [name for name in self.body if name not in seen and self._acts(name)]

    def _acts(self, name: str) -> bool:
        inner = self.body[name]
        if inner.op in _UNGATED:
            return False
        op = ops.op(inner.op)
        return op is None or op.stateful

    def _types(self) -> list[DType]:
        if "Tout" in self.node.attr:
            numbers = list(self.node.attr["Tout"].list.type)
        else:
            numbers = [output.type for output in self.function.signature.output_arg]
        return [dtypes.dtype(number) for number in numbers]
