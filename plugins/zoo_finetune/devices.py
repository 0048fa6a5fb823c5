"""Where and in what precision a net is trained: several devices, XLA, half precision."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

from zoo.engine import failing, tensorflow
from zoo.errors import UsageError, some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo_finetune.recipe import Recipe

_BY_DEVICE = {"CPU": "auto_mixed_precision_onednn_bfloat16", "GPU": "auto_mixed_precision"}
_SIDE = 256
"""Of the matrices by which it is seen whether half precision is used."""


@contextlib.contextmanager
def scope(recipe: Recipe) -> Iterator[None]:
    """Make what is built and run in the block be on the devices of `recipe`, in its precision.

    A graph computes in the dtypes that it was built with: half precision is a rewriting that
    TensorFlow makes of it, for the whole process while the block lasts.

    Raises
    ------
    UsageError
        This machine, or this net, cannot be had so.
    RunError
        TensorFlow refuses the net: XLA compiles fewer operations than there are.
    """
    with contextlib.ExitStack() as stack:
        if recipe.mixed_precision:
            stack.enter_context(_half_precision())
        if recipe.strategy is not None:
            stack.enter_context(_mirrored().scope())
        stack.enter_context(_saying_so())
        yield


@contextlib.contextmanager
def _saying_so() -> Iterator[None]:
    """Turn what TensorFlow refuses, not what callbacks raise, into an error of zoo's."""
    try:
        yield
    except tensorflow().errors.OpError:
        with failing("TensorFlow failed to train the net"):
            raise


def refuse_mixed_up(recipe: Recipe) -> None:
    """Refuse options that do not go together.

    Raises
    ------
    UsageError
        Several devices, and what only one can do.
    """
    for option, why in (
        ("train_batch_norm", "each device would take the statistics of its own examples"),
        ("jit_compile", "XLA cannot compile sums over several devices"),
    ):
        if recipe.strategy is not None and getattr(recipe, option):
            name = option.replace("_", "-")
            raise UsageError(f"--strategy and --{name} do not go together", found=why)


@functools.cache
def _mirrored() -> Any:
    """Return the strategy of this process: a second one would mix up its sums with the first's."""
    tf = tensorflow()
    gpus = tf.config.list_logical_devices("GPU")
    if gpus:
        return tf.distribute.MirroredStrategy([one.name for one in gpus])
    cpus = [one.name for one in tf.config.list_logical_devices("CPU")]
    return tf.distribute.MirroredStrategy(cpus, tf.distribute.ReductionToOneDevice())


@contextlib.contextmanager
def _half_precision() -> Iterator[None]:
    tf = tensorflow()
    name = _BY_DEVICE["GPU" if tf.config.list_physical_devices("GPU") else "CPU"]
    before = tf.config.optimizer.get_experimental_options().get(name, False)
    whole = _product()
    tf.config.optimizer.set_experimental_options({name: True})
    try:
        if _product() == whole:
            raise UsageError(
                "TensorFlow does not compute in half precision on this machine",
                found="a product of matrices came out the same, to the last bit",
                hint="leave out --mixed-precision; a CPU needs AVX-512 and oneDNN for it",
            )
        yield
    finally:
        tf.config.optimizer.set_experimental_options({name: before})


def _product() -> bytes:
    """Return the bytes of a product that half precision rounds."""
    tf = tensorflow()

    @tf.function  # type: ignore[untyped-decorator]
    def product(values: Any) -> Any:
        """Return what two layers make of `values`."""
        return tf.linalg.matmul(tf.nn.relu(tf.linalg.matmul(values, values)), values) + 1.0

    values = tf.reshape(tf.range(_SIDE * _SIDE, dtype=tf.float32) / (_SIDE * 7.0), (_SIDE, _SIDE))
    found: bytes = product(values).numpy().tobytes()
    return found


@functools.cache
def model_class() -> Any:
    """Return the class of a net on several devices."""
    import keras  # type: ignore[import-untyped]

    class Mirrored(keras.Model):  # type: ignore[misc]
        """A net that is ready: Keras would add up the first examples of all devices to look at.

        It cannot where one device has more of them than another.
        """

        def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
            """Do nothing."""

    return Mirrored


def prepare(made: Any, outputs: int) -> None:
    """Have `made`, compiled, create the variables of what it measures, which a step must not."""
    tf = tensorflow()
    said, labels = tf.zeros((1, outputs)), tf.zeros((1, 1))
    made.compute_metrics(None, labels, said)
    made.compute_loss(None, labels, said)
    made.reset_metrics()


def shared(layer: Any) -> Any:
    """Return `layer` such that several devices learn from a batch what one would.

    Each of them takes the mean over its own examples, and these means count the same: where one
    has fewer, as in the last batch of an epoch, what it learns is made to count less.

    Raises
    ------
    UsageError
        The graph holds on to variables, which would be those of one device.
    """
    if layer.part.handles:
        raise UsageError(
            "the net cannot be had on several devices",
            found=f"its graph changes or keeps {some(layer.part.handles)}",
            hint="leave out --strategy",
        )
    return _shared_class()(layer)


@functools.cache
def _shared_class() -> Any:
    import keras

    tf = tensorflow()

    class Shared(keras.layers.Layer):  # type: ignore[misc]
        """A layer whose gradients count by the share of the examples that this device has."""

        def __init__(self, layer: Any) -> None:
            super().__init__(autocast=False)
            self.layer = layer
            self.built = True

        def call(self, inputs: Any, training: Any = None) -> Any:
            """Return what the layer gives; TensorFlow does not compute it for no example at all."""
            shape = tf.shape(inputs)
            missing = tf.cast(shape[:1] == 0, tf.int32)
            filled = tf.concat(
                [inputs, tf.ones(tf.concat([missing, shape[1:]], 0), inputs.dtype)], 0
            )
            found = self.layer(filled)[: shape[0]]
            context = tf.distribute.get_replica_context()
            if not training or context is None:
                return found
            own = tf.cast(shape[0], found.dtype)
            every = context.all_reduce(tf.distribute.ReduceOp.SUM, own)
            return _weighed(found, own * context.num_replicas_in_sync / every)

    return Shared


def _weighed(tensor: Any, factor: Any) -> Any:
    """Return `tensor`, whose gradient is multiplied by `factor`."""

    @tensorflow().custom_gradient  # type: ignore[untyped-decorator]
    def same(value: Any) -> Any:
        """Return `value`."""
        return value, lambda gradient: gradient * factor

    return same(tensor)
