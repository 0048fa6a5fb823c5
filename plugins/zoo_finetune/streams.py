"""A ``tf.data.Dataset`` of (x, y), read once: what was read lies on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.engine import failing, tensorflow
from zoo.errors import DataError, UsageError
from zoo_finetune.arrays import from_arrays
from zoo_finetune.contents import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    RunError
        It fails while it is read.
    UsageError
        It never ends, or its elements are no pairs of tensors.
    """
    _refuse(data)
    columns: dict[str, _Column] = {}
    batched = False
    for x, y in _elements(data):
        inputs = x if isinstance(x, Mapping) else {"x": x}
        arrays = {"x:" + name: _array(value) for name, value in inputs.items()} | {"y": _array(y)}
        if not columns:
            batched = _batched(arrays, spec)
        for name, array in arrays.items():
            columns.setdefault(name, _Column(name)).add(array if batched else array[None])
    if not columns:
        raise DataError("the dataset holds nothing to learn from", found="no elements")
    read = {name: column.array() for name, column in columns.items()}
    labels = read.pop("y")
    return from_arrays({name[2:]: array for name, array in read.items()}, labels)


def _refuse(data: Any) -> None:
    """Refuse a dataset that has no end, or whose elements are something else than pairs."""
    element = data.element_spec
    pair = element if isinstance(element, tuple) and len(element) == 2 else (None, None)
    inputs = pair[0].values() if isinstance(pair[0], Mapping) else pair[:1]
    kind = tensorflow().TensorSpec
    if not all(isinstance(one, kind) for one in (*inputs, pair[1])):
        raise UsageError(
            "a dataset to learn from is of (x, y)",
            found=str(element)[:200],
            hint="x is a tensor, or a dict of them by input; y is a tensor",
        )
    if int(data.cardinality()) == _INFINITE:
        raise UsageError("the dataset never ends", hint="leave out repeat(), or take(n) of it")


def _elements(data: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the elements of `data`; what fails is the dataset, not who reads it."""
    read = data.as_numpy_iterator()
    while True:
        with failing("the dataset failed while it was read"):
            element = next(read, None)
        if element is None:
            return
        yield element


def _array(value: Any) -> np.ndarray:
    return np.asarray(value, dtype=object if isinstance(value, bytes) else None)


def _batched(arrays: Mapping[str, np.ndarray], spec: TensorSpec | Mapping[str, TensorSpec]) -> bool:
    """Tell whether `arrays`, an element of the dataset, is a batch: by an input, else by y."""
    name = next(iter(arrays))
    one = arrays[name]
    wanted = spec.get(name.removeprefix("x:")) if isinstance(spec, Mapping) else spec
    if wanted is None or not wanted.shape:
        return arrays["y"].ndim > 0
    if one.ndim not in (len(wanted.shape), len(wanted.shape) - 1):
        raise DataError(
            "the dataset's elements have the wrong shape",
            found=f"{one.shape} for {wanted}",
        )
    return one.ndim == len(wanted.shape)


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
        if not block.ndim or block.shape[1:] != self._shape:
            raise DataError(
                f"the dataset's elements are not of one shape: {self._name!r}",
                found=f"{self._shape}, then {block.shape[1:] if block.ndim else 'a single value'}",
                hint="map each of them to one size",
            )
        if self._spool is None:
            self._texts.append(block)
        else:
            self._spool.add(block)

    def array(self) -> np.ndarray:
        """Return all rows."""
        return np.concatenate(self._texts) if self._spool is None else self._spool.array()
