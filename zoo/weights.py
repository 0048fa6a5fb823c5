"""The weights of a model by name: read when asked for, replaced without copying the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from zoo import dtypes
from zoo.tensors import ArrayTensor, LazyTensor, Tensor

if TYPE_CHECKING:
    import numpy as np


class Weights(Mapping[str, "np.ndarray"]):
    """A mapping from a weight's name to its values, a numpy array that is read on access.

    Iterate over names: taking every value reads the whole model.  What a weight is (dtype, shape,
    bytes) is known without reading it, from `tensor`.

    Parameters
    ----------
    tensors
        Where the values of each weight lie.
    keys
        The key under which a checkpoint stores a weight, for those where it is not the name.
    metadata
        Tensors that a checkpoint holds about itself, by key; they are not weights.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        keys: Mapping[str, str] | None = None,
        metadata: Mapping[str, Tensor] | None = None,
    ) -> None:
        self._tensors = dict(tensors)
        self.keys_stored = {n: k for n, k in (keys or {}).items() if n in self._tensors and k != n}
        self.metadata = dict(metadata or {})

    @staticmethod
    def of(values: Mapping[str, np.ndarray]) -> Weights:
        """Return `values` as weights.

        A dict holds its arrays; any other mapping is asked for each once to learn its dtype and
        shape, and again when it is used.
        """
        if isinstance(values, Weights):
            return values
        if isinstance(values, dict):
            return Weights({name: ArrayTensor.of(value) for name, value in values.items()})
        return Weights({name: _asked_later(values, name) for name in values})

    def __getitem__(self, name: str) -> np.ndarray:
        return self._tensors[name].read()

    @property
    def nbytes(self) -> int:
        """Bytes of all values, as they are in memory; texts count as nothing."""
        kept = (one for one in self._tensors.values() if one.dtype is not dtypes.STRING)
        return sum(tensor.nbytes for tensor in kept)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def __repr__(self) -> str:
        return f"<{len(self)} weights, {sum(t.nbytes for t in self._tensors.values())} bytes>"

    def tensor(self, name: str) -> Tensor:
        """Return the weight `name` without reading it: its dtype, shape, bytes and place."""
        return self._tensors[name]

    def key(self, name: str) -> str:
        """Return the key under which a checkpoint stores the weight `name`."""
        return self.keys_stored.get(name, name)

    def by_key(self) -> dict[str, Tensor]:
        """Return the weights by the keys under which a checkpoint stores them."""
        return {self.key(name): tensor for name, tensor in self._tensors.items()}

    def overlay(self, changes: Mapping[str, Tensor]) -> Weights:
        """Return these weights with `changes` in place of, or beside, what is there."""
        return Weights({**self._tensors, **changes}, self.keys_stored, self.metadata)

    def only(self, names: Iterable[str]) -> Weights:
        """Return the weights called `names`; those that are not there are passed over."""
        wanted = set(names)
        kept = {name: tensor for name, tensor in self._tensors.items() if name in wanted}
        return Weights(kept, self.keys_stored, self.metadata)

    def plain(self) -> Weights:
        """Return the same weights under their names alone, as a new checkpoint would key them."""
        return Weights(self._tensors)


def _asked_later(values: Mapping[str, np.ndarray], name: str) -> Tensor:
    array = values[name]
    return LazyTensor(dtypes.of_array(array), array.shape, partial(values.__getitem__, name))
