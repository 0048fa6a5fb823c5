"""Turn the reference variables of TensorFlow 1 into the resource variables of TensorFlow 2.

TensorFlow 2 loads a graph with reference variables but shows no variables to train, and refuses it
where a mutation's result is used.  Each variable becomes a handle under the same name; who read it
by an ``Identity`` reads it by a ``ReadVariableOp`` of that name; who changed it uses the operation
made for handles; anyone else gets a read of its own.

Source: ``tensorflow/core/ops/state_ops.cc``, ``resource_variable_ops.cc``, ``training_ops.cc``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from zoo import ops, protos
from zoo.dtypes import RESOURCE, DType
from zoo.errors import UnsupportedError
from zoo.graph import (
    CONTROL,
    by_name,
    consumers,
    forget_output_shapes,
    port,
    shell,
    source,
    tensor_name,
    unique,
)
from zoo.listed import all_definitions
from zoo.nodes import node as make_node
from zoo.variables import dtype_of, handle, listed_tensors, mark_resources, rename_listed

_REFERENCE = {"Variable", "VariableV2"}
_FLOW = {"RefEnter", "RefExit", "RefIdentity", "RefMerge", "RefNextIteration", "RefSwitch"}
_RENAMED = {
    "Assign": "AssignVariableOp",
    "AssignAdd": "AssignAddVariableOp",
    "AssignSub": "AssignSubVariableOp",
    "IsVariableInitialized": "VarIsInitializedOp",
}


def to_resources(meta_graph: protos.MetaGraphDef) -> protos.MetaGraphDef:
    """Return `meta_graph` with every reference variable made a resource; itself if there is none.

    Weights keep their names.  The graph's saver, which knows references, is not looked after: take
    it out first.

    Raises
    ------
    UnsupportedError
        A reference is used by an operation that has no counterpart for handles.
    """
    if not any(node.op in _REFERENCE for node in meta_graph.graph_def.node):
        return meta_graph
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    rewriter = _Rewriter(meta_graph)
    edited.graph_def.CopyFrom(rewriter.rewritten())
    for _, signature in sorted(edited.signature_def.items()):
        for _, info in sorted(signature.outputs.items()):
            info.name = rewriter.value_of(info.name)
    rename_listed(edited, rewriter.value_of)
    mark_resources(edited, rewriter.variables)
    return edited


@dataclass
class _Rewriter:
    """One graph on its way from references to handles."""

    meta_graph: protos.MetaGraphDef
    variables: set[str] = field(default_factory=set)
    """Names of the reference variables."""
    references: dict[tuple[str, int], DType] = field(default_factory=dict)
    """Outputs that are a reference now and will be a handle, with the dtype behind it."""
    updates: dict[str, str] = field(default_factory=dict)
    """From a mutation whose result is used to the new name of the mutation itself."""
    reads: dict[str, str] = field(default_factory=dict)
    """From a variable that a signature puts out to the node that reads it for this."""

    def __post_init__(self) -> None:
        self.graph = self.meta_graph.graph_def
        self.nodes = by_name(self.graph)
        self.users = consumers(self.graph.node)
        self.taken = set(self.nodes)
        self.out: list[protos.NodeDef] = []
        self.wanted = {
            tensor_name(info.name)
            for signature in self.meta_graph.signature_def.values()
            for info in signature.outputs.values()
        } | set(listed_tensors(self.meta_graph))
        for node in self.graph.node:
            if node.op in _REFERENCE:
                self.variables.add(node.name)
                self._follow(node.name, 0, dtype_of(node))
        self._name_updates()
        initializers = _initializers(self.meta_graph)
        self.changed = {
            source(self._handle_edge(edge)[0])
            for node in self.graph.node
            if self._is_mutation(node) and node.name not in initializers
            for position, edge in enumerate(node.input)
            if self._mutates(node, position) and self._reference(edge)
        }

    def rewritten(self) -> protos.GraphDef:
        """Return the graph with resource variables for its reference variables."""
        for node in self.graph.node:
            self._rewrite(node)
        graph = shell(self.graph)
        graph.node.extend(self.out)
        forget_output_shapes(graph.node)
        return graph

    def value_of(self, tensor: str) -> str:
        """Return the tensor that has the value which `tensor` referred to."""
        name = source(tensor)
        return f"{self.reads[name]}:0" if name in self.reads else tensor

    def _follow(self, name: str, number: int, dtype: DType) -> None:
        """Note output `number` of `name` as a reference, and all that pass it on."""
        if (name, number) in self.references:
            return
        self.references[name, number] = dtype
        for user, position in self.users.get(name, ()):
            if port(user.input[position]) != number:
                continue
            if user.op in _FLOW:
                for output in range(2 if user.op == "RefSwitch" else 1):
                    self._follow(user.name, output, dtype)
            elif self._mutates(user, position) and self._gives_reference(user):
                self._follow(user.name, 0, dtype)

    def _mutates(self, node: protos.NodeDef, position: int) -> bool:
        op = ops.op(node.op)
        return op is not None and position in op.refs

    def _gives_reference(self, node: protos.NodeDef) -> bool:
        op = ops.op(node.op)
        return op is not None and bool(op.outputs) and op.outputs[0].ref

    def _reference(self, edge: str) -> DType | None:
        return self.references.get((source(edge), port(edge)))

    def _is_mutation(self, node: protos.NodeDef) -> bool:
        return node.op not in _FLOW and any(
            self._mutates(node, position) and self._reference(edge)
            for position, edge in enumerate(node.input)
        )

    def _name_updates(self) -> None:
        """Choose the mutations that make room under their name for a read of the result."""
        initializers = _initializers(self.meta_graph)
        for node in self.graph.node:
            if not self._is_mutation(node) or not self._gives_reference(node):
                continue
            used = f"{node.name}:0" in self.wanted or any(
                port(user.input[position]) == 0 for user, position in self.users.get(node.name, ())
            )
            if used and node.name not in initializers:
                self.updates[node.name] = unique(f"{node.name}/update", self.taken)

    def _rewrite(self, node: protos.NodeDef) -> None:
        if node.name in self.variables:
            self._make_handle(node)
        elif node.op in _FLOW and node.input and self._reference(node.input[0]):
            self._make_flow(node)
        elif self._is_mutation(node):
            self._make_mutation(node)
        elif node.op == "Identity" and node.input and self._reference(node.input[0]):
            self._make_read(node.name, node.input[0], self._after(node), node)
        else:
            self.out.append(self._with_reads(node))

    def _make_handle(self, node: protos.NodeDef) -> None:
        sizes = tuple(dim.size for dim in node.attr["shape"].shape.dim)
        made = handle(node.name, dtype_of(node), sizes, node.device)
        shared = node.attr["shared_name"].s if "shared_name" in node.attr else b""
        if shared:
            made.attr["shared_name"].s = shared
        made.attr["shape"].CopyFrom(node.attr["shape"])
        self.out.append(made)
        if f"{node.name}:0" in self.wanted:
            self.reads[node.name] = unique(f"{node.name}/Read/ReadVariableOp", self.taken)
            self._make_read(self.reads[node.name], node.name, [], node)

    def _make_flow(self, node: protos.NodeDef) -> None:
        made = self._copy(node)
        made.op = node.op.removeprefix("Ref")
        made.attr["T"].type = RESOURCE.number
        handles = [self._handle_edge(edge) for edge in node.input]
        made.input.extend(edge for edge, _ in handles)
        self.out.append(made)

    def _make_mutation(self, node: protos.NodeDef) -> None:
        made = self._copy(node)
        made.op = _RENAMED.get(node.op, f"Resource{node.op}")
        if ops.op(made.op) is None:
            raise UnsupportedError(
                f"{node.op} has no counterpart for resource variables", found=f"node {node.name!r}"
            )
        made.name = self.updates.get(node.name, node.name)
        _adapt_attributes(made, node)
        after: list[str] = []
        for position, edge in enumerate(node.input):
            if self._mutates(node, position) and self._reference(edge):
                handle_edge, waits = self._handle_edge(edge)
                made.input.append(handle_edge)
                after += waits
            else:
                made.input.append(self._value_edge(node, edge))
        made.input.extend(after)
        self.out.append(made)
        if node.name in self.updates:
            variable = next(e for e in node.input if self._reference(e))
            self._make_read(node.name, variable, [f"^{made.name}"], node)

    def _handle_edge(self, edge: str) -> tuple[str, list[str]]:
        """Return the handle behind the reference `edge`, and what has to come before its use."""
        waits: list[str] = []
        node = self.nodes[source(edge)]
        while self._reference(edge) and self._is_mutation(node):
            waits.append(f"^{self.updates.get(node.name, node.name)}")
            edge = next(e for e in node.input if self._reference(e))
            node = self.nodes[source(edge)]
        return edge, waits

    def _make_read(self, name: str, edge: str, after: list[str], like: protos.NodeDef) -> None:
        dtype = self.references[source(edge), port(edge)]
        handle_edge, waits = self._handle_edge(edge)
        made = make_node(
            name, "ReadVariableOp", [handle_edge, *waits, *after], device=like.device, dtype=dtype
        )
        if like.name == name and "_class" in like.attr:
            made.attr["_class"].CopyFrom(like.attr["_class"])
        self.out.append(made)

    def _with_reads(self, node: protos.NodeDef) -> protos.NodeDef:
        if not any(self._reference(edge) for edge in node.input):
            return node
        made = self._copy(node)
        made.input.extend(self._value_edge(node, edge) for edge in node.input)
        return made

    def _value_edge(self, node: protos.NodeDef, edge: str) -> str:
        """Return an edge with the value of `edge`; a reference is read for `node`."""
        if not self._reference(edge) or source(edge) in self.updates:
            return edge
        name = unique(f"{node.name}/ReadVariableOp", self.taken)
        after = [*self._after(node), *self._before_reading(node, edge)]
        self._make_read(name, edge, after, self.nodes[source(edge)])
        return name

    def _before_reading(self, node: protos.NodeDef, reference: str) -> list[str]:
        """Return what must be done before `node` looks at `reference`: all that it waits for.

        A reference is looked at when its user runs, so that the user's other inputs may have
        changed the variable first.
        """
        variable = source(self._handle_edge(reference)[0])
        if node.op == "Merge" or variable not in self.changed:
            return []
        others = {source(e): None for e in node.input if not e.startswith(CONTROL)}
        return [f"^{name}" for name in others if name not in self.variables | {source(reference)}]

    def _after(self, node: protos.NodeDef) -> list[str]:
        return [edge for edge in node.input if edge.startswith(CONTROL)]

    def _copy(self, node: protos.NodeDef) -> protos.NodeDef:
        made = protos.NodeDef()
        made.CopyFrom(node)
        del made.input[:]
        return made


def _adapt_attributes(made: protos.NodeDef, node: protos.NodeDef) -> None:
    """Rename the attributes of `made` to those of its operation."""
    plain = node.op in _RENAMED or (node.op.startswith("Scatter") and "Nd" not in node.op)
    if not plain:
        return
    for key in ("T", "use_locking", "validate_shape"):
        if key in made.attr:
            del made.attr[key]
    if node.op != "IsVariableInitialized":
        made.attr["dtype"].type = node.attr["T"].type
    elif "dtype" in made.attr:
        del made.attr["dtype"]


def _initializers(meta_graph: protos.MetaGraphDef) -> set[str]:
    return {entry.initializer_name for entry in all_definitions(meta_graph).values()}
