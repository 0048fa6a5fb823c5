"""Examples in batches: another order in each epoch, and the same order for the same seed."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zoo.engine import tensorflow
from zoo_finetune.contents import SMALL
from zoo_finetune.varying import varying

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from zoo_finetune.contents import Array

    Reading = Callable[[np.ndarray, int], Any]
    """Gives a ``tf.data.Dataset`` of the inputs with these numbers, in this order, in batches."""


@dataclass(frozen=True)
class Batches:
    """Examples as a net is given them.

    Attributes
    ----------
    reading
        Gives inputs by their numbers.
    labels
        By number, in the form that the loss takes.
    size
        Of a batch; the last one of an epoch may be smaller.
    seed
        Of the order.
    numbers
        Of the examples that count; all by default.
    varied
        Whether pictures are varied in each epoch.
    """

    reading: Reading
    labels: np.ndarray
    size: int
    seed: int
    numbers: np.ndarray | None = None
    varied: bool = False

    def of(self, numbers: np.ndarray) -> Batches:
        """Return the examples with these numbers, in batches."""
        return replace(self, numbers=numbers)

    @property
    def _numbers(self) -> np.ndarray:
        import numpy as np

        return np.arange(len(self.labels)) if self.numbers is None else self.numbers

    def given(self) -> tuple[list[int | None], str]:
        """Return shape and dtype of one input."""
        spec, _ = self.in_order().element_spec
        return spec.shape[1:].as_list(), spec.dtype.name

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return -(-len(self._numbers) // self.size)

    def in_order(self) -> Any:
        """Return a dataset of all batches, the examples in their order."""
        return self._dataset(self._numbers)

    def epochs(self, first: int, last: int) -> Any:
        """Return a dataset of the batches of the epochs `first` to below `last`."""
        found = [self._dataset(self._order(epoch), epoch) for epoch in range(first, last)]
        whole = functools.reduce(lambda one, other: one.concatenate(other), found)
        return whole.repeat()  # Keras looks for one batch more than it is told to take

    def _order(self, epoch: int) -> np.ndarray:
        import numpy as np

        return np.random.default_rng([self.seed, epoch]).permutation(self._numbers)

    def _dataset(self, order: np.ndarray, epoch: int | None = None) -> Any:
        """Return the batches of the examples `order`, varied for `epoch` where they are to be."""
        tf = tensorflow()
        labels = tf.data.Dataset.from_tensor_slices(self.labels[order]).batch(self.size)
        batches = tf.data.Dataset.zip((self.reading(order, self.size), labels))
        if self.varied and epoch is not None:
            numbers = tf.data.Dataset.from_tensor_slices(order)
            each = tf.data.Dataset.zip((batches.unbatch(), numbers))
            varied = each.map(varying(self.seed, epoch), tf.data.AUTOTUNE, deterministic=True)
            batches = varied.batch(self.size)
        batches = batches.prefetch(tf.data.AUTOTUNE)
        return batches.apply(tf.data.experimental.assert_cardinality(self.steps))


def of_array(values: Array) -> Reading:
    """Return what reads rows of `values`."""
    if values.nbytes > SMALL:
        return functools.partial(_read, values)
    import numpy as np

    held = tensorflow().constant(np.asarray(values))
    return functools.partial(_gathered, held)


def _gathered(held: Any, order: np.ndarray, size: int) -> Any:
    """Return a dataset of batches of the rows of a tensor with these numbers."""
    tf = tensorflow()
    numbers = tf.data.Dataset.from_tensor_slices(order).batch(size)
    return numbers.map(lambda some: tf.gather(held, some), num_parallel_calls=1)


def _read(values: Array, order: np.ndarray, size: int) -> Any:
    """Return a dataset of batches of the rows of a large array with these numbers."""
    tf = tensorflow()

    def batches() -> Any:
        """Yield one batch after the other."""
        for first in range(0, len(order), size):
            yield values[order[first : first + size]]

    spec = tf.TensorSpec((None, *values.shape[1:]), tf.as_dtype(values.dtype))
    return tf.data.Dataset.from_generator(batches, output_signature=spec)
