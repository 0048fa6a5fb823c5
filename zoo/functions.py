"""A model as a differentiable function of TensorFlow 2, over variables of its own.

The graph is imported inside of a function that is then called: an import on its own leaves no
trace for a gradient.  Values of weights are passed in; only where an operation wants a handle does
the function capture one.
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any

from zoo import claimed, protos
from zoo.engine import failing, tensorflow
from zoo.errors import InputError, UnsupportedError, some
from zoo.graph import source
from zoo.loops import REFUSES, WHY
from zoo.portable import Portable, portable
from zoo.specs import spec_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.policy import Guard
    from zoo.weights import Weights

_numbers = itertools.count()


class Function:
    """A model's graph as a function: call it with tensors, ask it for its variables.

    Attributes
    ----------
    variables
        The weights, as ``tf.Variable``, in the order of the graph.
    """

    def __init__(
        self,
        meta_graph: protos.MetaGraphDef,
        weights: Weights,
        inputs: Sequence[str] | None,
        outputs: str | Sequence[str] | None,
        *,
        trainable: bool,
        guard: Guard,
    ) -> None:
        self._shape = outputs
        wanted = [outputs] if isinstance(outputs, str) else outputs
        self.portable = portable(meta_graph, weights, inputs, wanted)
        guard.require_part(self.portable.graph, self.portable.outputs, self.portable.inputs)
        held = {name: self.portable.weights.tensor(name) for name in self.portable.weights}
        claimed.afford(self.portable.graph.node, held, "what the function computes with")
        tf = tensorflow()
        self.variables = [
            tf.Variable(
                self.portable.weights[name],
                trainable=trainable and name in self.portable.trained,
                name=name,
            )
            for name in self.portable.weights
        ]
        self._call = importing(self.portable, self.variables)

    @property
    def trainable_variables(self) -> list[Any]:
        """The variables that training changes."""
        return [variable for variable in self.variables if variable.trainable]

    @property
    def inputs(self) -> list[str]:
        """The tensors that the arguments stand for, in their order."""
        return list(self.portable.inputs)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Return the outputs for `arguments`, in the order of `inputs`, or by their nodes' names.

        Raises
        ------
        InputError
            One is missing, or there is one too many.
        RunError
            TensorFlow refuses a value.
        """
        values = arranged(self.portable, arguments, named)
        with failing("TensorFlow failed to run the function"):
            found = self._call(values)
        if isinstance(self._shape, str):
            return found[0]
        keyed = zip(self.portable.keys, found, strict=True)
        return dict(keyed) if self._shape is None else found


def arranged(part: Portable, arguments: Sequence[Any], named: dict[str, Any]) -> list[Any]:
    """Return the values for the inputs of `part`, in their order.

    Raises
    ------
    InputError
        One is missing, or there is one too many.
    """
    names = [source(tensor) for tensor in part.inputs]
    given = dict(zip(names, arguments, strict=False)) | named
    if len(arguments) > len(names) or set(given) != set(names):
        raise InputError(
            f"the function takes {some(names) or 'no inputs'}",
            found=some(given) or "nothing", hint="in this order, or by name",
        )  # fmt: skip
    return [given[name] for name in names]


def importing(part: Portable, variables: Sequence[Any]) -> Any:
    """Return what gives the outputs of `part` for its inputs, its weights held by `variables`."""
    tf = tensorflow()
    graph_def = tf.compat.v1.GraphDef.FromString(_renamed(part.graph).SerializeToString())
    held = dict(zip(part.weights, variables, strict=True))
    handles = [name for name in held if name in part.handles]
    values = [name for name in held if name not in part.handles]
    kinds = {
        one.name: tf.as_dtype(one.attr["dtype"].type) for one in graph_def.node if one.name in held
    }
    dtypes = [spec_of(part.graph, tensor).dtype.name for tensor in part.inputs]

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def imported(weights: list[Any], inputs: list[Any]) -> Any:
        """Return the outputs, of the graph imported into the function that is being traced."""
        given = dict(zip((f"{name}:0" for name in values), weights, strict=True))
        for name in handles:
            held[name].read_value()  # so that a tape around the call watches it
            graph = tf.compat.v1.get_default_graph()
            given[f"{name}:0"] = graph.capture(held[name].handle)
        given |= dict(zip(part.inputs, inputs, strict=True))
        found = tf.graph_util.import_graph_def(graph_def, given, list(part.outputs), name="zoo")
        return list(found)

    def call(inputs: list[Any]) -> list[Any]:
        """Return the outputs for `inputs` and what the variables hold now."""
        fed = [_as(tf, value, dtype) for value, dtype in zip(inputs, dtypes, strict=True)]
        found: list[Any] = imported(
            [_as(tf, held[name].read_value(), kinds[name]) for name in values], fed
        )
        return found

    _keep_functions(graph_def)
    _refuse_gradients()
    return call


def _as(tf: Any, value: Any, dtype: str) -> Any:
    """Return `value` as a tensor of `dtype`."""
    tensor = tf.convert_to_tensor(value)
    return tensor if tensor.dtype == dtype else tf.cast(tensor, dtype)


def _renamed(graph: protos.GraphDef) -> protos.GraphDef:
    """Return `graph` with names of its own for its functions: TensorFlow keeps one list for all."""
    if not graph.library.function:
        return graph
    mark = f"zoo_{next(_numbers)}_"
    copy = protos.GraphDef()
    copy.CopyFrom(graph)
    known = {function.signature.name for function in copy.library.function}
    bodies = [copy.node, *(function.node_def for function in copy.library.function)]
    for function in copy.library.function:
        function.signature.name = mark + function.signature.name
    del copy.library.gradient[:]
    for one in itertools.chain(*bodies):
        one.op = mark + one.op if one.op in known else one.op
        for value in one.attr.values():
            for func in [value.func] if value.HasField("func") else value.list.func:
                func.name = mark + func.name if func.name in known else func.name
    return copy


@functools.cache
def _refuse_gradients() -> None:
    """Tell TensorFlow, once, what to do for the gradient of what has none."""

    def refuse(operation: Any, *_: Any) -> Any:
        """Raise: what `operation` stands for is still as TensorFlow 1 wrote it."""
        what, _, why = operation.get_attr(WHY).decode().partition("\n")
        raise UnsupportedError(
            f"no gradient passes {what}, as TensorFlow 1 wrote it",
            found=why,
            hint="train what comes after it: name inputs behind it, or say trainable=False",
        )

    tensorflow().RegisterGradient(REFUSES)(refuse)


def _keep_functions(graph_def: Any) -> None:
    """Make the functions of `graph_def` known to TensorFlow, which dies where one is not."""
    from tensorflow.python.eager import context

    for function in graph_def.library.function:
        context.context().add_function_def(function)
