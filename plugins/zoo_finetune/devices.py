"""Where and in what precision a net is trained: several devices, XLA, half precision."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

from zoo.engine import tensorflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo_finetune.recipe import Recipe


@contextlib.contextmanager
def scope(recipe: Recipe) -> Iterator[None]:
    """Make what is built in the block be on the devices of `recipe`.

    A graph computes in the dtypes that it was built with: half precision and XLA are rewritings
    that TensorFlow makes of it, for the rest of the process.
    """
    tf = tensorflow()
    options = {}
    if recipe.mixed_precision:
        gpus = tf.config.list_physical_devices("GPU")
        options["auto_mixed_precision" if gpus else "auto_mixed_precision_onednn_bfloat16"] = True
    if options:
        tf.config.optimizer.set_experimental_options(options)
    if recipe.jit_compile:
        tf.config.optimizer.set_jit("autoclustering")
    if recipe.strategy is None:
        yield
        return
    with _mirrored().scope():
        yield


@functools.cache
def _mirrored() -> Any:
    """Return the strategy of this process: a second one would mix up its sums with the first's."""
    tf = tensorflow()
    gpus = tf.config.list_logical_devices("GPU")
    if gpus:
        return tf.distribute.MirroredStrategy([one.name for one in gpus])
    cpus = [one.name for one in tf.config.list_logical_devices("CPU")]
    return tf.distribute.MirroredStrategy(cpus, tf.distribute.ReductionToOneDevice())
