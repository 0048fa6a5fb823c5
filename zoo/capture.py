"""What the variables of a session hold, as weights: the way back from training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.engine import failing, tensorflow
from zoo.errors import UsageError, some
from zoo.graph import by_name
from zoo.tensors import ArrayTensor, Tensor
from zoo.variables import is_variable

if TYPE_CHECKING:
    from zoo import protos
    from zoo.weights import Weights


def captured(meta_graph: protos.MetaGraphDef, weights: Weights, session: Any) -> Weights:
    """Return `weights` with the values that the variables of `meta_graph` have in `session`.

    Raises
    ------
    UsageError
        The session's graph lacks a variable.
    RunError
        A variable has no value there.
    """
    nodes = by_name(meta_graph.graph_def)
    names = [name for name, node in nodes.items() if is_variable(node)]
    present = {operation.name for operation in session.graph.get_operations()}
    missing = sorted(set(names) - present)
    if missing:
        raise UsageError(
            "the session is not one of this model", found=f"no {some(missing)} in its graph"
        )
    with failing("the session's variables cannot be read"), session.graph.as_default():
        values = session.run({name: _reading(session.graph, nodes[name]) for name in names})
    changed: dict[str, Tensor] = {name: ArrayTensor.of(value) for name, value in values.items()}
    return weights.overlay(changed)


def _reading(graph: Any, node: protos.NodeDef) -> Any:
    """Return the tensor that has the value of the variable `node`."""
    tf = tensorflow()
    variable = graph.get_tensor_by_name(f"{node.name}:0")
    if variable.dtype != tf.resource:
        return variable
    return tf.raw_ops.ReadVariableOp(resource=variable, dtype=tf.as_dtype(node.attr["dtype"].type))
