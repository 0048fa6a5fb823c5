"""Initial weights: drawn when they are read, the same ones each time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import dtypes
from zoo.mapped import CHUNK
from zoo.tensors import Shape, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from zoo.checksums import Piece

_FLOAT = dtypes.named("float32")


@dataclass(frozen=True, eq=False)
class HeNormal(Tensor):
    """A float32 kernel ``(..., fan in, fan out)`` of zero mean and variance 2 / fan in.

    The fan-in counts all axes but the last.  Source: He et al. (2015), equation 10.

    Attributes
    ----------
    seed
        The same seed gives the same values, whole or in pieces.
    """

    shape: Shape
    seed: int
    dtype: dtypes.DType = _FLOAT

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return math.sqrt(2 / math.prod(self.shape[:-1]))

    def read(self) -> np.ndarray:
        """Return the values, drawn anew."""
        return next(self._drawn(max(self.size, 1))).reshape(self.shape)

    def chunks(self) -> Iterator[Piece]:
        """Yield the values' bytes, drawn piece by piece."""
        for values in self._drawn(CHUNK // self.dtype.itemsize):
            yield values.view("u1")

    def _drawn(self, at_once: int) -> Iterator[np.ndarray]:
        import numpy as np

        generator = np.random.default_rng(self.seed)
        for start in range(0, self.size, at_once):
            count = min(at_once, self.size - start)
            values: np.ndarray = generator.standard_normal(count, np.float32)
            yield values * np.float32(self.deviation)
