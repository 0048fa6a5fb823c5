"""Put values in the place of variables and handles, in a graph and in the functions that it calls.

A handle that is passed to a function, a loop or a branch is replaced there as well, by a copy of
the function that takes the value instead.

Source: ``tensorflow/python/framework/convert_to_constants.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo import dtypes, ops, protos
from zoo.errors import FormatError, UnsupportedError
from zoo.graph import forget_output_shapes, shell, source, subgraph, unique
from zoo.nodes import node as make_node
from zoo.nodes import shape, whole_number
from zoo.variables import is_resource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zoo.dtypes import DType

_READS = {"ReadVariableOp": "Identity", "VariableShape": "Shape", "ResourceGatherNd": "GatherNd"}
_FLOW = {"Enter", "Exit", "Identity", "Merge", "NextIteration", "Switch"}
_BRANCHES = {"If", "StatelessIf", "Case", "StatelessCase"}
_LOOPS = {"While", "StatelessWhile"}
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}


@dataclass(frozen=True)
class _Held:
    """What an edge carries in place of a variable: values of `dtype`, once a handle or not."""

    dtype: DType
    handle: bool


@dataclass
class Freezing:
    """One graph on its way from variables to constants.

    Attributes
    ----------
    graph
        Without calls on its top level.
    values
        The variables that become constants, each with its dtype.
    """

    graph: protos.GraphDef
    values: dict[str, DType]
    functions: list[protos.FunctionDef] = field(default_factory=list)
    copies: dict[tuple[str, tuple[tuple[int, _Held], ...]], tuple[str, dict[int, _Held]] | None] = (
        field(default_factory=dict)
    )
    """The copies of functions so far, by what they take; None while one is being made."""

    def __post_init__(self) -> None:
        self.library = {f.signature.name: f for f in self.graph.library.function}
        self.function_names = set(self.library)

    def frozen(self) -> protos.GraphDef:
        """Return the graph with constants for its variables, in its functions too."""
        graph = shell(self.graph)
        taken = {node.name for node in self.graph.node}
        body = _Body(self, list(self.graph.node), {}, taken, in_function=False)
        for node in self.graph.node:
            if node.name in self.values:
                body.note(node, [0], _Held(self.values[node.name], is_resource(node)))
        graph.node.extend(body.rewritten())
        graph.library.function.extend(self.functions)
        forget_output_shapes(graph.node)
        for function in self.functions:
            forget_output_shapes(function.node_def)
        return subgraph(graph, {node.name for node in graph.node})

    def specialized(self, name: str, values: dict[int, _Held]) -> tuple[str, dict[int, _Held]]:
        """Return a copy of the function `name` that takes `values` where it took handles.

        The copy goes into the library; its name comes back, and which of its outputs were handles.

        Raises
        ------
        UnsupportedError
            The function calls itself.
        """
        if name not in self.library:
            raise FormatError("the graph is damaged", found=f"no function {name!r}")
        key = name, tuple(sorted(values.items(), key=lambda item: item[0]))
        if key not in self.copies:
            self.copies[key] = None
            self.copies[key] = self._copy(name, values)
        copy = self.copies[key]
        if copy is None:
            raise UnsupportedError(f"function {name!r} calls itself")
        return copy

    def _copy(self, name: str, values: dict[int, _Held]) -> tuple[str, dict[int, _Held]]:
        original = self.library[name]
        copy = protos.FunctionDef()
        copy.CopyFrom(original)
        copy.signature.name = unique(f"{name}_frozen", self.function_names)
        copy.attr.pop("_input_shapes", None)
        handles = {}
        for position, held in values.items():
            argument = copy.signature.input_arg[position]
            argument.type = held.dtype.number
            handles[argument.name] = held
            copy.arg_attr.pop(position, None)
        body = _Body(self, list(original.node_def), handles, set(), in_function=True)
        nodes = body.rewritten()
        del copy.node_def[:]
        copy.node_def.extend(nodes)
        given = {}
        for position, output in enumerate(copy.signature.output_arg):
            edge = copy.ret[output.name]
            if edge in body.values:
                output.type = body.values[edge].dtype.number
                given[position] = body.values[edge]
            elif edge.partition(":")[0] in body.read_outputs:
                copy.ret[output.name] = f"{edge.partition(':')[0]}:output:0"
        self.functions.append(copy)
        return str(copy.signature.name), given


@dataclass
class _Body:
    """The nodes of a graph or of a function, and which of their edges were handles.

    In a function an output is written ``node:name:0``, in a graph ``node:0`` or ``node``.
    """

    owner: Freezing
    nodes: list[protos.NodeDef]
    values: dict[str, _Held]
    """Edges that carried a handle or reference, and carry the value now."""
    taken: set[str]
    in_function: bool
    read_outputs: set[str] = field(default_factory=set)
    """Nodes of a function whose one output changed its name to ``output``."""

    def rewritten(self) -> list[protos.NodeDef]:
        """Return the nodes that take the place of those of this body."""
        self.taken |= {node.name for node in self.nodes}
        self._spread()
        out: list[protos.NodeDef] = []
        for node in self.nodes:
            out += self._rewrite(node)
        return [self._renamed_outputs(node) for node in out] if self.in_function else out

    def note(self, node: protos.NodeDef, outputs: Iterable[int], held: _Held) -> bool:
        """Note that `outputs` of `node` carry what `held` says; tell whether that was news."""
        edges = [edge for number in outputs for edge in self._spellings(node, number)]
        news = [edge for edge in edges if edge not in self.values]
        self.values.update(dict.fromkeys(news, held))
        return bool(news)

    def _spread(self) -> None:
        """Note every edge that passes a handle on, until there are no more."""
        found = True
        while found:
            found = False
            for node in self.nodes:
                if node.op in _LOOPS:
                    passed = [(i, self.values[e]) for i, e in enumerate(node.input)
                              if e in self.values]  # fmt: skip
                elif node.input and node.op.removeprefix("Ref") in _FLOW:
                    held = self.values.get(node.input[0])
                    count = 2 if node.op.endswith("Switch") else 1
                    passed = [(i, held) for i in range(count)] if held else []
                else:
                    continue
                for number, held in passed:
                    found |= self.note(node, [number], held)

    def _spellings(self, node: protos.NodeDef, number: int) -> list[str]:
        if not self.in_function:
            return [f"{node.name}:{number}"] + ([node.name] if number == 0 else [])
        if node.op.endswith("Switch"):
            return [f"{node.name}:output_{'true' if number else 'false'}:0"]
        return [f"{node.name}:output:{number}"]

    def _rewrite(self, node: protos.NodeDef) -> list[protos.NodeDef]:
        if not self.in_function and node.name in self.owner.values:
            dtype = self.owner.values[node.name]
            return [make_node(node.name, "Const", device=node.device, dtype=dtype)]
        taken = {i: self.values[e] for i, e in enumerate(node.input) if e in self.values}
        if not taken:
            return [node]
        made = protos.NodeDef()
        made.CopyFrom(node)
        if node.op.removeprefix("Ref") in _FLOW:
            made.op = node.op.removeprefix("Ref")
            made.attr["T"].type = next(iter(taken.values())).dtype.number
        elif node.op in _READS and list(taken) == [0]:
            self._make_plain_read(made, taken[0].dtype)
        elif node.op == "ResourceGather" and list(taken) == [0]:
            return self._gather(node, taken[0].dtype)
        elif node.op in _LOOPS | _BRANCHES | _CALLS:
            self._specialize(made, taken)
        elif any(held.handle for held in taken.values()) or _has_references(node):
            raise UnsupportedError(
                "the outputs need more of a variable than its value",
                found=f"{node.op} {node.name!r}",
                hint="choose other outputs with -o, or a format that keeps variables",
            )
        return [made]

    def _make_plain_read(self, made: protos.NodeDef, dtype: DType) -> None:
        made.op = _READS[made.op]
        if "dtype" in made.attr:
            del made.attr["dtype"]
        if made.op == "GatherNd":
            made.attr["Tparams"].type = dtype.number
        else:
            made.attr["T"].type = dtype.number
        if made.op != "Shape":
            self.read_outputs.add(made.name)

    def _gather(self, node: protos.NodeDef, dtype: DType) -> list[protos.NodeDef]:
        """Return a gather from values in place of `node`, a gather through a handle."""
        batch = node.attr["batch_dims"].i if "batch_dims" in node.attr else 0
        axis = whole_number(unique(f"{node.name}/axis", self.taken), batch)
        edge = f"{axis.name}:output:0" if self.in_function else axis.name
        if not self.in_function and source(node.input[0]) not in self.owner.values:
            axis.input.append(f"^{source(node.input[1])}")  # it may be in the frame of a loop
        made = make_node(
            node.name,
            "GatherV2",
            [node.input[0], node.input[1], edge, *node.input[2:]],
            device=node.device,
            Tparams=dtype,
            Tindices=dtypes.dtype(node.attr["Tindices"].type),
            Taxis=dtypes.INT32,
            batch_dims=int(batch),
        )
        return [axis, made]

    def _specialize(self, made: protos.NodeDef, taken: dict[int, _Held]) -> None:
        """Make the call, loop or branch `made` use copies of its functions that take values."""
        first = 1 if made.op in _BRANCHES else 0
        values = {position - first: held for position, held in taken.items()}
        types = made.attr["T" if made.op in _LOOPS else "Tin"].list.type
        if max(values) >= len(types):
            raise FormatError("the graph is damaged", found=f"types of {made.name!r} are missing")
        for position, held in values.items():
            types[position] = held.dtype.number
            if made.op in _LOOPS and "output_shapes" in made.attr:
                shapes = made.attr["output_shapes"].list.shape
                if position < len(shapes):
                    shapes[position].CopyFrom(shape(None))
        for attribute in made.attr.values():
            functions = [attribute.func] if attribute.HasField("func") else attribute.list.func
            for function in functions:
                function.name, given = self.owner.specialized(function.name, values)
                if made.op not in _LOOPS:
                    self._note_given(made, given)

    def _note_given(self, made: protos.NodeDef, given: dict[int, _Held]) -> None:
        for position, held in given.items():
            made.attr["Tout"].list.type[position] = held.dtype.number
            self.note(made, [position], held)

    def _renamed_outputs(self, node: protos.NodeDef) -> protos.NodeDef:
        """Return `node` with edges from reads as their new operation names its output."""
        if not any(e.partition(":")[0] in self.read_outputs for e in node.input):
            return node
        made = protos.NodeDef()
        made.CopyFrom(node)
        for position, edge in enumerate(made.input):
            name, colon, _ = edge.partition(":")
            if colon and name in self.read_outputs:
                made.input[position] = f"{name}:output:0"
        return made


def _has_references(node: protos.NodeDef) -> bool:
    """Tell whether `node` takes a reference where it now would be given a value."""
    op = ops.op(node.op)
    return op is None or bool(op.refs)
