"""What older releases of Keras had and today's has not: functions, and operations as layers.

Source: ``tf_keras/src/backend.py`` (``hard_sigmoid``), ``tf_keras/src/layers/core/tf_op_layer.py``.
"""

from __future__ import annotations

import functools
import json
import operator
from typing import TYPE_CHECKING, Any

from zoo.engine import tensorflow
from zoo.errors import UnsupportedError
from zoo.keras_nodes import TENSOR

if TYPE_CHECKING:
    from collections.abc import Sequence

HARD_SIGMOID = "zoo>hard_sigmoid"
"""The name of the function that was ``hard_sigmoid``: today's is another one of that name."""

_OPERATORS = {
    "add": operator.add, "eq": operator.eq, "floordiv": operator.floordiv, "ge": operator.ge,
    "gt": operator.gt, "le": operator.le, "lt": operator.lt, "matmul": operator.matmul,
    "mod": operator.mod, "mul": operator.mul, "ne": operator.ne, "neg": operator.neg,
    "pow": operator.pow, "sub": operator.sub, "truediv": operator.truediv,
}  # fmt: skip
_GETITEM = "__operators__.getitem"
_FUNCTIONS = {
    "": (
        "abs add argmax argmin broadcast_to cast clip_by_value concat convert_to_tensor "
        "stop_gradient "
        "cumsum divide einsum exp expand_dims fill floor gather greater greater_equal "
        "identity less less_equal logical_and logical_not logical_or matmul maximum minimum "
        "multiply negative one_hot ones_like pad pow range rank reduce_max reduce_mean "
        "reduce_min reduce_prod reduce_sum repeat reshape reverse round shape sigmoid sign "
        "slice split sqrt square squeeze stack strided_slice subtract tanh tile transpose "
        "truediv unstack where zeros_like "
    ),
    "compat.v1": ("shape transpose "),
    "compat.v1.image": ("resize_bilinear resize_nearest_neighbor "),
    "image": ("resize "),
    "linalg": ("l2_normalize matmul "),
    "math": (
        "abs add argmax ceil cos cumsum divide divide_no_nan erf exp floor floordiv greater "
        "l2_normalize less log log1p maximum minimum mod multiply negative not_equal pow "
        "reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod "
        "reduce_std reduce_sum reduce_variance round rsqrt scalar_mul sigmoid sign sin "
        "softplus sqrt square squared_difference subtract tanh top_k truediv "
    ),
    "nn": (
        "avg_pool avg_pool2d bias_add conv2d depth_to_space elu gelu l2_normalize leaky_relu "
        "log_softmax max_pool max_pool2d moments relu relu6 selu sigmoid silu softmax "
        "softplus space_to_depth swish tanh "
    ),
}
"""Functions of TensorFlow, by module, that compute and neither read nor write anything."""


@functools.cache
def register() -> dict[str, Any]:
    """Tell Keras of what it has not, and return that by name."""
    import keras  # type: ignore[import-untyped]

    ours = keras.saving.register_keras_serializable(package="zoo")

    @ours  # type: ignore[untyped-decorator]
    def hard_sigmoid(x: Any) -> Any:
        """Return 0.2 x + 0.5 between 0 and 1, which was a hard sigmoid up to Keras 2."""
        return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)

    @ours
    class TFOpLambda(keras.layers.Layer):  # type: ignore[misc]
        """A function of TensorFlow."""

        def __init__(self, function: str, operands: dict[str, Any], **options: Any) -> None:
            super().__init__(**options)
            self._compute = operation(function)
            self._operands = json.dumps(operands)  # Keras would make objects of its own of them

        def call(self, *tensors: Any) -> Any:
            """Return what the function gives."""
            operands = _filled(json.loads(self._operands), tensors)
            named = {key: value for key, value in operands["named"].items() if key != "name"}
            return self._compute(*operands["positional"], **named)

    @ours
    class SlicingOpLambda(TFOpLambda):
        """A piece of a tensor, ``x[:, 0]``."""

    return {one.__name__: one for one in (hard_sigmoid, TFOpLambda, SlicingOpLambda)}


def operation(name: str) -> Any:
    """Return the function that TensorFlow's Keras called `name`, ``"math.add"``.

    Raises
    ------
    UnsupportedError
        It is not among those that only compute.
    """
    if not only_computes(name):
        raise UnsupportedError(f"tf.{name} is not known to compute and to do no more")
    if name == _GETITEM:
        return _piece
    module, _, last = name.rpartition(".")
    if module == "__operators__":
        return functools.partial(_applied, _OPERATORS[last])
    return functools.reduce(getattr, name.split("."), tensorflow())


def only_computes(name: str) -> bool:
    """Tell whether the function that TensorFlow's Keras called `name` is known to do no more."""
    module, _, last = name.rpartition(".")
    if module == "__operators__":
        return name == _GETITEM or last in _OPERATORS
    return last in _FUNCTIONS.get(module, "").split()


def _applied(function: Any, *values: Any, **named: Any) -> Any:
    """Return what an operator gives for operands of which some are named x and y."""
    return function(*values, *(named[key] for key in ("x", "y") if key in named))


def _piece(value: Any, slice_spec: Any = (), **_: Any) -> Any:
    """Return the piece of `value` that `slice_spec` names, as Keras 2 wrote it."""
    parts = slice_spec if isinstance(slice_spec, list | tuple) else [slice_spec]
    return value[tuple(map(_slice, parts))]


def _slice(part: Any) -> Any:
    if not isinstance(part, dict):
        return ... if part == "..." else part
    return slice(part.get("start"), part.get("stop"), part.get("step"))


def _filled(value: Any, tensors: Sequence[Any]) -> Any:
    """Return `value` with `tensors` in the places that are kept for them."""
    if isinstance(value, list):
        return [_filled(inner, tensors) for inner in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {TENSOR}:
        return tensors[value[TENSOR]]
    return {key: _filled(inner, tensors) for key, inner in value.items()}
