"""Layers with weights, as they stand in a graph: product, bias, and what keeps their form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from zoo.ends import is_backward
from zoo.graph import data_inputs, port, source, tensor_name
from zoo.operands import PASS_ON
from zoo.specs import output_dtypes
from zoo.tensor_protos import from_proto

if TYPE_CHECKING:
    from collections.abc import Collection

    from zoo import protos
    from zoo.view import View
    from zoo.weights import Weights

FORM = PASS_ON | {
    "ArgMax",
    "LogSoftmax",
    "Max",
    "Mean",
    "Sigmoid",
    "Softmax",
    "TopK",
    "TopKV2",
}
"""What comes after the logits without weights of its own; its value is its first input."""
ACTIVATIONS = {"Elu", "LeakyRelu", "Relu", "Relu6", "Selu", "Softplus", "Tanh"}
"""What may come after a dense layer that is the last; after a convolution it makes features."""
_SAME = {"Cast", "Enter", "Identity", "ReadVariableOp", "StopGradient"}
"""What hands a kernel on in its own shape, whose last axis is then the width."""
_BIASES = {"Add", "AddV2", "BiasAdd", "BiasAddV1"}
PRODUCTS = {"BatchMatMul", "BatchMatMulV2", "Conv2D", "MatMul"}
"""The operations in which a layer meets its kernel."""
_FEWEST_AXES = 2
"""Of a kernel, which has a last axis and the one before."""
_PLACES_GONE = {"Max", "Mean", "Reshape", "Squeeze"}
_RESHAPES, _REDUCES = {"Reshape"}, {"Max", "Mean"}
_FLIPPED = {"BatchMatMul": "adj_y", "BatchMatMulV2": "adj_y", "MatMul": "transpose_b"}


@dataclass(frozen=True)
class Head:
    """The head of a net.

    Attributes
    ----------
    features, logits
        The tensor before it, and the one it computes.
    weights
        Its weights: the kernel, and the bias if it has one.
    outputs
        Its width.
    why
        One sentence on how it was found.
    is_flipped
        Whether the kernel has the width on its last axis but one.
    """

    features: str
    logits: str
    weights: tuple[str, ...]
    outputs: int
    why: str
    is_flipped: bool = False


class Layers:
    """The layers of one graph, looked at from the outputs backwards."""

    def __init__(self, view: View, weights: Weights) -> None:
        self.view = view
        self.graph = view.graph
        self.nodes = view.nodes
        self.weights = weights

    def is_number(self, output: str) -> bool:
        """Tell whether `output` is floating-point, and not a class or its name."""
        node = self.nodes.get(source(output))
        given = [] if node is None else output_dtypes(self.graph, node)
        return port(output) < len(given) and given[port(output)].floating

    def last_layers(self) -> tuple[Head, ...]:
        """Return the layers after which no other comes, a last resort.

        A convolution counts as none: what it makes may be features.
        """
        products = [n for n in self.view.named(*PRODUCTS) if not is_backward(n)]
        early = self.view.upstream(
            (source(edge) for name in products for edge in self.view.data_inputs(name)),
            control=False,
        )
        last = [name for name in products if name not in early]
        found = (self.layer_before(self._biased(name)) for name in last)
        return tuple(layer for layer in found if layer is not None)

    def layer_at(self, product: str) -> Head | None:
        """Return the layer whose product is the node called so."""
        return self.layer_before(self._biased(product))

    def _biased(self, name: str) -> str:
        """Return the node that adds a bias to the product `name`, itself where none does."""
        users = [user for user, _ in self.view.data_users.get(name, ())]
        added = [user for user in users if self._bias(self.nodes[user]) is not None]
        return added[0] if len(added) == 1 else name

    def layer_before(self, output: str) -> Head | None:
        """Return the layer whose logits `output` shows."""
        edge, passed = self._before_form(output, FORM | ACTIVATIONS)
        node = self.nodes.get(source(edge))
        if node is None:
            return None
        bias = self._bias(node)
        if bias is not None:
            product = self.nodes.get(source(self._before_form(bias[0])[0]))
        else:
            product = node
        if product is None or product.op not in PRODUCTS:
            return None
        return self._layer(product, node, bias[1] if bias else None, passed)

    def _layer(
        self, product: protos.NodeDef, last: protos.NodeDef, bias: str | None, passed: list[str]
    ) -> Head | None:
        edges = data_inputs(product)
        kernel = self._weight(edges[1], _SAME) if len(edges) > 1 else None
        if kernel is None or self._weight(edges[0]) is not None:
            return None
        features, shape = edges[0], self.weights.tensor(kernel).shape
        if len(shape) < _FEWEST_AXES:
            return None
        flipped = product.op in _FLIPPED and product.attr[_FLIPPED[product.op]].b
        outputs = shape[-2] if flipped else shape[-1]
        if bias is not None and self.weights.tensor(bias).shape not in ((outputs,), (1, outputs)):
            return None
        ops = [str(self.nodes[name].op) for name in passed]
        if product.op == "Conv2D" and (set(ops) & ACTIVATIONS or not set(ops) & _PLACES_GONE):
            return None  # features, or an image that is the answer
        if not all(self._keeps_width(name, outputs, product) for name in passed):
            return None
        if self._uses(kernel, last.name) > 1:
            return None  # a recurrent or shared kernel: another one would change more than the end
        names = (kernel,) if bias is None else (kernel, bias)
        after = ", ".join(reversed(ops)) or "nothing"
        why = f"{product.op} with {' and '.join(names)}; after it {after}"
        return Head(tensor_name(features), f"{last.name}:0", names, outputs, why, flipped)

    def _keeps_width(self, name: str, width: int, product: protos.NodeDef) -> bool:
        """Tell whether the last axis after the node `name` is still that of the layer."""
        node, edges = self.nodes[name], self.view.data_inputs(name)
        if node.op not in _RESHAPES | _REDUCES or len(edges) < 2:
            return True
        numbers = self._numbers(edges[1])
        if numbers is None:
            return True
        if node.op in _RESHAPES:
            return not numbers or numbers[-1] in (-1, width)
        rank = 4 if product.op == "Conv2D" else 2
        return not {-1, rank - 1} & set(numbers)

    def _numbers(self, edge: str) -> list[int] | None:
        """Return the whole numbers that the constant `edge` holds, None where it is none."""
        node = self.nodes.get(source(edge))
        if node is None or node.op != "Const" or "value" not in node.attr:
            return None
        value = from_proto(node.attr["value"].tensor)
        if value.dtype.name not in ("int32", "int64"):
            return None
        data, size = value.tobytes(), value.dtype.itemsize
        places = range(0, len(data), size)
        return [int.from_bytes(data[at : at + size], "little", signed=True) for at in places]

    def _uses(self, kernel: str, last: str) -> int:
        """Return how many products that the layer's node `last` needs multiply by `kernel`."""
        products = self._products.get(kernel, [])
        if len(products) < 2:
            return len(products)
        needed = self.view.upstream([last], control=False)
        return sum(name in needed for name in products)

    @cached_property
    def _products(self) -> dict[str, list[str]]:
        """The products of the graph by the weight that they multiply by."""
        found: dict[str, list[str]] = {}
        for name in self.view.named(*PRODUCTS):
            for edge in self.view.data_inputs(name)[1:2]:
                kernel = self._weight(edge, _SAME | PASS_ON)
                if kernel is not None:
                    found.setdefault(kernel, []).append(name)
        return found

    def _before_form(self, edge: str, form: Collection[str] = FORM) -> tuple[str, list[str]]:
        """Return the edge that `edge` shows in another form, and the operations in between."""
        passed: list[str] = []
        seen: set[str] = set()
        while (node := self.nodes.get(source(edge))) is not None and node.name not in seen:
            seen.add(node.name)
            inputs = data_inputs(node)
            if node.op == "IdentityN" and port(edge) < len(inputs):
                edge = inputs[port(edge)]
            elif node.op in form and inputs:
                edge = inputs[0]
                passed += [node.name] if node.op != "Identity" else []
            else:
                break
        return edge, passed

    def _bias(self, node: protos.NodeDef) -> tuple[str, str] | None:
        """Return the edge that `node` adds a bias to, and the bias; None if it adds none."""
        edges = data_inputs(node)
        if node.op not in _BIASES or len(edges) < 2:
            return None
        one, other = edges[:2]
        for edge, added in ((one, other), (other, one)):
            weight = self._weight(added)
            if weight is not None and self._weight(edge) is None:
                return edge, weight
        return None

    def _weight(self, edge: str, form: Collection[str] = FORM) -> str | None:
        """Return the weight whose value `edge` carries, in one of the forms that `form` gives."""
        name = source(self._before_form(edge, form)[0])
        node = self.nodes.get(name)
        while node is not None and node.op == "ReadVariableOp" and node.input:
            name = source(node.input[0])
            node = self.nodes.get(name)
        if name not in self.weights or not self.weights.tensor(name).dtype.floating:
            return None
        return name
