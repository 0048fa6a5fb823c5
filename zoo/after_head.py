"""What comes after a head of another width: activations, forms, and what signatures say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from zoo import dtypes, protos
from zoo.errors import some
from zoo.graph import by_name, consumers, forget_output_shapes, source, tensor_name, unique
from zoo.layers import ACTIVATIONS, FORM, Head
from zoo.nodes import node as make_node
from zoo.nodes import shape, whole_number, whole_numbers
from zoo.signatures import sides
from zoo.specs import spec_of
from zoo.tensor_protos import from_proto
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator

Activation = Literal["softmax", "sigmoid", "none"]
_OPS = {"softmax": "Softmax", "sigmoid": "Sigmoid", "none": "Identity"}
_PROBABILITIES = {"LogSoftmax", "Sigmoid", "Softmax"}
_SAME_SHAPE = {"Add", "AddV2", "BiasAdd", "Identity", *_PROBABILITIES}
_READS = {"Cast", "ExpandDims", "Identity", "ReadVariableOp", "Reshape", "Squeeze"}
_LOOKS_UP = ("LookupTableFind", "LookupTableFindV2")
_LOGITS = "logits"


def adapted(
    meta_graph: protos.MetaGraphDef, head: Head, outputs: int, activation: Activation | None
) -> tuple[protos.MetaGraphDef, tuple[str, ...]]:
    """Return a copy of `meta_graph` that goes on from a head of `outputs` outputs, and remarks.

    Parameters
    ----------
    meta_graph
        The graph, without calls; the weights of `head` have their new width.
    head
        The head as it was.
    activation
        As in `zoo.new_head.with_new_head`.
    """
    made = protos.MetaGraphDef()
    made.CopyFrom(meta_graph)
    forget_output_shapes(made.graph_def.node)
    adapting = _Adapting(made, head, outputs)
    adapting.resize_biases()
    adapting.drop_activations()
    adapting.set_probabilities(activation)
    adapting.resize_forms()
    adapting.restate()
    return made, tuple(adapting.notes)


class _Adapting:
    """One graph behind its head, edited in place."""

    def __init__(self, meta_graph: protos.MetaGraphDef, head: Head, outputs: int) -> None:
        self.meta_graph, self.head, self.outputs = meta_graph, head, outputs
        self.graph = meta_graph.graph_def
        self.nodes = by_name(self.graph)
        self.taken = set(self.nodes)
        self.notes: list[str] = []
        self.after = [*self._after()]

    def _after(self) -> Iterator[str]:
        """Yield the nodes that show the logits in another form, near ones first."""
        users, todo = consumers(self.graph.node), [source(self.head.logits)]
        seen = set(todo)
        for name in todo:
            for user, at in users.get(name, ()):
                form = user.op in FORM | ACTIVATIONS or user.op == "IdentityN"
                if user.name not in seen and form and (at == 0 or user.op == "IdentityN"):
                    seen.add(user.name)
                    todo.append(user.name)
                    yield user.name

    def drop_activations(self) -> None:
        """Let nothing bend the logits before they are compared with labels."""
        bending = [name for name in self.after if self.nodes[name].op in ACTIVATIONS]
        for name in bending:
            self.notes.append(f"took out {self.nodes[name].op} {name} after the logits")
            self.nodes[name].op = "Identity"
            self._keep_attributes(name, "T")

    def set_probabilities(self, activation: Activation | None) -> None:
        """Make what follows the logits be `activation`."""
        there = [name for name in self.after if self.nodes[name].op in _PROBABILITIES]
        if activation is None and self.outputs > 1:
            return
        if activation is None and not any(self.nodes[name].op != "Sigmoid" for name in there):
            return
        wanted = _OPS[activation or "sigmoid"]
        for name in there:
            if self.nodes[name].op != wanted:
                self.notes.append(f"made {wanted} of {self.nodes[name].op} {name}")
                self.nodes[name].op = wanted
        if not there and activation not in (None, "none"):
            self._append(wanted)

    def _append(self, op: str) -> None:
        """Put `op` behind the logits in every signature that puts them out."""
        dtype = spec_of(self.graph, self.head.logits, self.nodes).dtype
        name = unique("probabilities", self.taken)
        self.graph.node.append(make_node(name, op, [self.head.logits], T=dtype))
        self.nodes = by_name(self.graph)
        shown = {tensor_name(self.head.logits), *(f"{one}:0" for one in self.after)}
        for stated in self.meta_graph.signature_def.values():
            for info in stated.outputs.values():
                if info.name in shown:
                    info.name = f"{name}:0"
        self.after.append(name)
        self.notes.append(f"put {op} behind the logits, {self.head.logits}")

    def resize_biases(self) -> None:
        """Give the reshapes that a bias goes through on its way to the logits the new width."""
        for edge in self.nodes[source(self.head.logits)].input:
            passed, node = [], self.nodes[source(edge)]
            while node.name not in self.head.weights and node.op in _READS and node.input:
                passed.append(node)
                node = self.nodes[source(node.input[0])]
            if node.name in self.head.weights[1:]:
                for reshape in passed:
                    if reshape.op == "Reshape":
                        self._resize(reshape)

    def resize_forms(self) -> None:
        """Give reshapes and choices of the best behind the head the new width."""
        for name in self.after:
            node = self.nodes[name]
            if node.op == "Reshape":
                self._resize(node)
            elif node.op == "TopKV2" and (count := self._numbers(node)) and count[0] > self.outputs:
                self._replace(node, whole_number(self._name(node, "k"), self.outputs))
            elif node.op == "TopK" and node.attr["k"].i > self.outputs:
                node.attr["k"].i = self.outputs
        self.nodes = by_name(self.graph)

    def _resize(self, reshape: protos.NodeDef) -> None:
        sizes = self._numbers(reshape)
        if sizes and sizes[-1] == self.head.outputs:
            name = self._name(reshape, "shape")
            self._replace(reshape, whole_numbers(name, [*sizes[:-1], self.outputs]))
        elif not sizes:
            self._repack(reshape)

    def _repack(self, reshape: protos.NodeDef) -> None:
        """Resize `reshape` where its shape is put together, as that of a batch of any size."""
        given = self.nodes.get(source(reshape.input[1]))
        if given is None or given.op != "Pack" or given.attr["T"].type != dtypes.INT32.number:
            return
        last = given.attr["N"].i - 1
        number = self.nodes[source(given.input[last])]
        if number.op != "Const" or _numbers_of(number) != [self.head.outputs]:
            return
        packed = self.graph.node.add()
        packed.CopyFrom(given)
        packed.name = self._name(reshape, "shape")
        width = whole_number(self._name(reshape, "width"), self.outputs)
        packed.input[last] = width.name
        reshape.input[1] = packed.name
        self.graph.node.append(width)

    def _numbers(self, node: protos.NodeDef) -> list[int]:
        """Return the whole numbers that the second input of `node` is, none where that is open."""
        given = self.nodes.get(source(node.input[1]))
        return _numbers_of(given) if given is not None and given.op == "Const" else []

    def _name(self, node: protos.NodeDef, what: str) -> str:
        return unique(f"{node.name}/{what}", self.taken)

    def _replace(self, node: protos.NodeDef, constant: protos.NodeDef) -> None:
        """Make the second input of `node` the int32 `constant`."""
        for key in ("Tshape", "Tk"):
            node.attr.pop(key, None)
        node.input[1] = constant.name
        self.graph.node.append(constant)

    def _keep_attributes(self, name: str, *keys: str) -> None:
        node = self.nodes[name]
        for key in [key for key in node.attr if key not in keys]:
            del node.attr[key]

    def restate(self) -> None:
        """Make signatures say the new width, and put out numbers to learn from."""
        view = View(self.graph)
        later = view.downstream([source(self.head.logits)], control=False)
        for key, stated in self.meta_graph.signature_def.items():
            self._drop_names(view, key, stated, later)
            for info in stated.outputs.values():
                if source(info.name) in later:
                    self._widen(info)
            shown = [tensor for tensor in sides(stated)[1] if source(tensor) in later]
            if shown and not any(self._is_number(tensor) for tensor in shown):
                self._put_out_logits(key, stated)

    def _drop_names(
        self, view: View, key: str, stated: protos.SignatureDef, later: set[str]
    ) -> None:
        """Leave out of a signature what names the classes there were."""
        gone = []
        for name, info in stated.outputs.items():
            between = view.upstream([info.name], control=False) & later
            if any(view.ops[one] in _LOOKS_UP for one in between):
                gone.append(name)
        for name in gone:
            del stated.outputs[name]
        if gone:
            self.notes.append(f"left out of {key} what names the old classes: {some(gone)}")

    def _widen(self, info: protos.TensorInfo) -> None:
        sizes = info.tensor_shape.dim
        if sizes and sizes[-1].size == self.head.outputs:
            sizes[-1].size = self.outputs
        elif info.tensor_shape.unknown_rank and self._shows_rows(source(info.name)):
            info.tensor_shape.CopyFrom(shape([None, self.outputs]))

    def _shows_rows(self, name: str) -> bool:
        """Tell whether the node `name` has the shape of a product of matrices."""
        while self.nodes[name].op in _SAME_SHAPE:
            name = source(self.nodes[name].input[0])
        return bool(self.nodes[name].op == "MatMul")

    def _is_number(self, tensor: str) -> bool:
        return spec_of(self.graph, tensor, self.nodes).dtype.floating

    def _put_out_logits(self, key: str, stated: protos.SignatureDef) -> None:
        spec = spec_of(self.graph, self.head.logits, self.nodes)
        name = unique(_LOGITS, set(stated.outputs))
        stated.outputs[name].name = self.head.logits
        stated.outputs[name].dtype = spec.dtype.number
        for size in (-1, self.outputs):
            stated.outputs[name].tensor_shape.dim.add(size=size)
        self.notes.append(f"{key} puts out the logits, {self.head.logits}, as {name}")


def _numbers_of(constant: protos.NodeDef) -> list[int]:
    """Return the whole numbers that `constant` is."""
    values = from_proto(constant.attr["value"].tensor).read().reshape(-1)
    return [int(value) for value in values]
