"""Which inputs of an operation are weights where they are constant: kernels, biases, tables.

An input of a call, a branch or a loop is one if the function uses it so; in a loop it must be the
same in every round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.graph import functions_named_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo import protos

PASS_ON = {
    "Cast",
    "Enter",
    "ExpandDims",
    "Identity",
    "ReadVariableOp",
    "Reshape",
    "Squeeze",
    "StopGradient",
    "Transpose",
}
"""Operations whose output is their first input, in another form."""

OPERANDS = {
    "BatchMatMul": (0, 1),
    "BatchMatMulV2": (0, 1),
    "BatchMatMulV3": (0, 1),
    "BiasAdd": (1,),
    "BiasAddV1": (1,),
    "BlockLSTM": (4, 5, 6, 7, 8),
    "BlockLSTMV2": (4, 5, 6, 7, 8),
    "Conv": (1,),
    "Conv2D": (1,),
    "Conv2DBackpropInput": (1,),
    "Conv3D": (1,),
    "Conv3DBackpropInputV2": (1,),
    "CudnnRNN": (3,),
    "DepthwiseConv2dNative": (1,),
    "DepthwiseConv2dNativeBackpropInput": (1,),
    "Dilation2D": (1,),
    "Einsum": (0, 1),
    "FusedBatchNorm": (1, 2, 3, 4),
    "FusedBatchNormV2": (1, 2, 3, 4),
    "FusedBatchNormV3": (1, 2, 3, 4),
    "GRUBlockCell": (2, 3, 4, 5),
    "Gather": (0,),
    "GatherNd": (0,),
    "GatherV2": (0,),
    "LSTMBlockCell": (3, 4, 5, 6, 7),
    "MatMul": (0, 1),
    "QuantizedConv2D": (1,),
    "QuantizedDepthwiseConv2D": (1,),
    "QuantizedMatMul": (1,),
    "SparseMatMul": (0, 1),
    "SparseTensorDenseMatMul": (3,),
}
"""Positions of the inputs that are weights, by operation."""

_LOOPS = {"While", "StatelessWhile"}
_BRANCHES = {"If", "StatelessIf", "Case", "StatelessCase"}


class Operands:
    """What the operations of `graph`, and the functions that they call, do with their inputs."""

    def __init__(self, graph: protos.GraphDef) -> None:
        self._library = {function.signature.name: function for function in graph.library.function}
        self._known: dict[tuple[str, int], bool] = {}

    def takes(self, node: protos.NodeDef, position: int) -> bool:
        """Tell whether `node` uses its input `position` as a weight."""
        if position in OPERANDS.get(node.op, ()):
            return True
        if not self._library:
            return False
        first = 1 if node.op in _BRANCHES else 0
        if position < first:
            return False
        called = [self._library[name] for name in functions_named_by(node) if name in self._library]
        if node.op in _LOOPS and not self._stays(node, position):
            return False
        return any(self._used(function, position - first) for function in called)

    def _stays(self, loop: protos.NodeDef, position: int) -> bool:
        """Tell whether the body of `loop` hands its argument `position` on as it is."""
        body = self._library.get(loop.attr["body"].func.name) if "body" in loop.attr else None
        if body is None or position >= min(
            len(body.signature.output_arg), len(body.signature.input_arg)
        ):
            return False
        edge = body.ret.get(body.signature.output_arg[position].name, "")
        nodes = {node.name: node for node in body.node_def}
        while (node := nodes.pop(edge.partition(":")[0], None)) is not None:
            if node.op != "Identity" or not node.input:
                return False
            edge = node.input[0]
        return bool(edge == body.signature.input_arg[position].name)

    def _used(self, function: protos.FunctionDef, position: int) -> bool:
        key = str(function.signature.name), position
        if key not in self._known:
            self._known[key] = False  # a function that calls itself adds nothing
            self._known[key] = position < len(function.signature.input_arg) and any(
                self.takes(node, at) for node, at in _uses(function, position)
            )
        return self._known[key]


def _uses(function: protos.FunctionDef, position: int) -> Iterator[tuple[protos.NodeDef, int]]:
    """Yield who uses an argument of `function`, also through what only changes its form."""
    todo = [str(function.signature.input_arg[position].name)]
    seen = set(todo)
    while todo:
        name = todo.pop()
        for node in function.node_def:
            for at, edge in enumerate(node.input):
                if edge.partition(":")[0] != name:
                    continue
                yield node, at
                if node.op in PASS_ON and at == 0 and node.name not in seen:
                    seen.add(node.name)
                    todo.append(node.name)
