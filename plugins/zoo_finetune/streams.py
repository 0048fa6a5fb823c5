"""A ``tf.data.Dataset`` of (x, y), read once: what was read lies on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import DataError, UsageError
from zoo_finetune.arrays import from_arrays
from zoo_finetune.contents import Spool

if TYPE_CHECKING:
    from zoo.specs import TensorSpec
    from zoo_finetune.gathered import Gathered

_INFINITE = -1


def from_dataset(data: Any, spec: TensorSpec | Mapping[str, TensorSpec]) -> Gathered:
    """Return all elements of `data`, each an example or a batch, in the order they come in.

    Parameters
    ----------
    spec
        The input of the net, which tells a batch from an example.

    Raises
    ------
    DataError
        Its elements are not of one shape.
    UsageError
        It never ends, or its elements are no pairs.
    """
    element = data.element_spec
    if not isinstance(element, tuple) or len(element) != 2:
        raise UsageError("a dataset to learn from is of (x, y)", found=str(element)[:200])
    if int(data.cardinality()) == _INFINITE:
        raise UsageError("the dataset never ends", hint="leave out repeat(), or take(n) of it")
    batched = _batched(element, spec)
    columns: dict[str, _Column] = {}
    for x, y in data.as_numpy_iterator():
        inputs = x if isinstance(x, Mapping) else {"x": x}
        for name, value in [*(("x:" + name, value) for name, value in inputs.items()), ("y", y)]:
            array = np.asarray(value, dtype=object if isinstance(value, bytes) else None)
            columns.setdefault(name, _Column(name)).add(array if batched else array[None])
    if not columns:
        raise DataError("the dataset holds nothing to learn from", found="no elements")
    read = {name: column.array() for name, column in columns.items()}
    labels = read.pop("y")
    return from_arrays({name[2:]: array for name, array in read.items()}, labels)


def _batched(element: Any, spec: TensorSpec | Mapping[str, TensorSpec]) -> bool:
    """Tell whether an element of the dataset is a batch: by the rank of an input, else of y."""
    x, y = element
    name = next(iter(x)) if isinstance(x, Mapping) else ""
    one = x[name] if isinstance(x, Mapping) else x
    wanted = spec.get(name) if isinstance(spec, Mapping) else spec
    rank = one.shape.rank
    if wanted is None or wanted.shape is None or rank is None or not wanted.shape:
        return y.shape.rank is None or y.shape.rank > 0
    if rank not in (len(wanted.shape), len(wanted.shape) - 1):
        raise DataError(
            "the dataset's elements have the wrong shape",
            found=f"{one.shape} for {wanted}",
        )
    return bool(rank == len(wanted.shape))


class _Column:
    """The values of one input or of the labels, as they come: numbers on the disk, text kept."""

    def __init__(self, name: str) -> None:
        self._name = name.removeprefix("x:")
        self._spool: Spool | None = None
        self._shape: tuple[int, ...] | None = None
        self._texts: list[np.ndarray] = []

    def add(self, block: np.ndarray) -> None:
        """Take the rows of `block`."""
        if self._shape is None:
            self._shape = block.shape[1:]
            if not block.dtype.hasobject:
                self._spool = Spool(block.dtype, self._shape)
        if block.shape[1:] != self._shape:
            raise DataError(
                f"the dataset's elements are not of one shape: {self._name!r}",
                found=f"{self._shape}, then {block.shape[1:]}",
                hint="map each of them to one size",
            )
        if self._spool is None:
            self._texts.append(block)
        else:
            self._spool.add(block)

    def array(self) -> np.ndarray:
        """Return all rows."""
        return np.concatenate(self._texts) if self._spool is None else self._spool.array()
