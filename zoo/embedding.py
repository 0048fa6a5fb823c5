"""A model as a part of another TensorFlow graph, its inputs taken from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo import graph_file, signatures
from zoo.engine import failing, tensorflow
from zoo.freeze import freeze
from zoo.graph import tensor_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo import protos
    from zoo.policy import Guard
    from zoo.specs import TensorSpec
    from zoo.weights import Weights


def import_graph_def(
    meta_graph: protos.MetaGraphDef,
    weights: Weights,
    input_map: Mapping[str, Any],
    return_elements: Sequence[str] | None,
    name: str,
    guard: Guard,
) -> list[Any]:
    """Add the model, frozen, to TensorFlow's current graph and return some of its tensors there."""
    stated = signatures.signature(meta_graph)
    if return_elements is None:
        return_elements = [spec.tensor for spec in stated.outputs.values()]
    wanted = [_meant(element, stated.outputs) for element in return_elements]
    given = {_meant(element, stated.inputs): tensor for element, tensor in input_map.items()}
    frozen, values = freeze(meta_graph, weights, wanted)
    guard.require_part(frozen.graph_def, wanted, ())
    whole = graph_file.filled(frozen.graph_def, values)
    tf = tensorflow()
    with failing("the model cannot be a part of this graph"):
        ours = tf.compat.v1.GraphDef.FromString(whole.SerializeToString())
        found: list[Any] = tf.graph_util.import_graph_def(
            ours, input_map=given, return_elements=wanted, name=name
        )
    return found


def _meant(name: str, specs: Mapping[str, TensorSpec]) -> str:
    return specs[name].tensor if name in specs else tensor_name(name)
