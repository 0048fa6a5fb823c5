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

    Reading = Callable[[Any, int], Any]
    """Makes of a ``tf.data.Dataset`` of numbers one of the inputs with these, in batches."""


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
        numbers = tensorflow().data.Dataset.from_tensor_slices(self._numbers)
        return self._counted(self._batched(numbers), self.steps)

    def epochs(self, first: int, last: int) -> Any:
        """Return a dataset of the batches of the epochs `first` to below `last`."""
        tf = tensorflow()

        def epoch(number: Any) -> Any:
            """Return the batches of one epoch."""
            order = tf.numpy_function(self._order, [number], tf.int64)
            numbers = tf.data.Dataset.from_tensor_slices(tf.ensure_shape(order, (None,)))
            return self._batched(numbers, number)

        plain = tf.autograph.experimental.do_not_convert(epoch)
        whole = tf.data.Dataset.range(first, last).flat_map(plain)
        counted = self._counted(whole, self.steps * (last - first))
        return counted.repeat()  # Keras looks for one batch more than it is told to take

    def _order(self, epoch: int) -> np.ndarray:
        import numpy as np

        return np.random.default_rng([self.seed, epoch]).permutation(self._numbers)

    def _batched(self, numbers: Any, epoch: Any = None) -> Any:
        """Return the batches of the examples `numbers`, varied for `epoch` where they are to be."""
        tf = tensorflow()
        held = tf.constant(self.labels)
        labels = numbers.batch(self.size).map(lambda some: tf.gather(held, some))
        batches = tf.data.Dataset.zip((self.reading(numbers, self.size), labels))
        if not self.varied or epoch is None:
            return batches
        each = tf.data.Dataset.zip((batches.unbatch(), numbers))
        varied = each.map(varying(self.seed, epoch), tf.data.AUTOTUNE, deterministic=True)
        return varied.batch(self.size)

    def _counted(self, batches: Any, count: int) -> Any:
        """Return `batches`, of which there are `count`, made before they are asked for."""
        tf = tensorflow()
        ready = batches.prefetch(tf.data.AUTOTUNE)
        return ready.apply(tf.data.experimental.assert_cardinality(count))


def of_array(values: Array) -> Reading:
    """Return what reads rows of `values`."""
    if values.nbytes > SMALL:
        return functools.partial(_read, values)
    import numpy as np

    held = tensorflow().constant(np.asarray(values))
    return functools.partial(_gathered, held)


def _gathered(held: Any, numbers: Any, size: int) -> Any:
    """Return a dataset of batches of the rows of a tensor with these numbers."""
    tf = tensorflow()
    return numbers.batch(size).map(lambda some: tf.gather(held, some), num_parallel_calls=1)


def _read(values: Array, numbers: Any, size: int) -> Any:
    """Return a dataset of batches of the rows of a large array with these numbers."""
    tf = tensorflow()
    dtype = tf.as_dtype(values.dtype)

    def rows(some: Any) -> Any:
        """Return the rows with these numbers, of the shape that all have."""
        found = tf.numpy_function(values.__getitem__, [some], dtype)
        return tf.ensure_shape(found, (None, *values.shape[1:]))

    plain = tf.autograph.experimental.do_not_convert(rows)
    return numbers.batch(size).map(plain, num_parallel_calls=1)
