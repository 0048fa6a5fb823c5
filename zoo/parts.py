"""Tensors that are parts of others, and tensors that are put together from parts.

Checkpoints hold partitioned variables so: one tensor, several entries.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.errors import FormatError
from zoo.tensors import Shape, Tensor, afford

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from zoo import protos
    from zoo.checksums import Piece
    from zoo.dtypes import DType
    from zoo.ordered_code import Extents


_MOST = 1 << 48
"""Places along an axis that the key of a slice can name."""


@dataclass(frozen=True, eq=False)
class SliceTensor(Tensor):
    """A part of `whole`: along each axis, from a start on, so many elements (None: all)."""

    whole: Tensor
    extents: Extents

    @property
    def dtype(self) -> DType:  # type: ignore[override]
        """Type of the elements."""
        return self.whole.dtype

    @property
    def shape(self) -> Shape:  # type: ignore[override]
        """Sizes of the part."""
        pairs = zip(self.extents, self.whole.shape, strict=True)
        return tuple(size if extent is None else extent[1] for extent, size in pairs)

    def read(self) -> np.ndarray:
        """Return a view of the part."""
        return self.whole.read()[_index(self.extents)]


@dataclass(frozen=True, eq=False)
class ReshapedTensor(Tensor):
    """The values of another tensor, in the same order, under another `shape`."""

    whole: Tensor
    shape: Shape

    @property
    def dtype(self) -> DType:  # type: ignore[override]
        """The dtype of the other tensor."""
        return self.whole.dtype

    @property
    def held(self) -> int:
        """Bytes of the other tensor where it lies."""
        return self.whole.held

    def read(self) -> np.ndarray:
        """Return the values, without a copy where they lie in one piece."""
        return self.whole.read().reshape(self.shape)

    def chunks(self) -> Iterator[Piece]:
        """Yield the bytes, which are the other tensor's."""
        return self.whole.chunks()


@dataclass(frozen=True, eq=False)
class JoinedTensor(Tensor):
    """A tensor put together from parts that cover it, as checkpoints hold partitioned variables."""

    dtype: DType
    shape: Shape
    parts: Sequence[tuple[Extents, Tensor]]

    def fault(self) -> str:
        """Return what is wrong with the parts, nothing if each place has one value."""
        boxes = [_box(extents, self.shape) for extents, _ in self.parts]
        for box, (extents, part) in zip(boxes, self.parts, strict=True):
            sizes = tuple(end - start for start, end in box)
            if len(extents) != len(self.shape) or part.dtype is not self.dtype:
                return f"one is {part.dtype} with {len(extents)} axes"
            if sizes != part.shape or any(
                start < 0 or end > size for (start, end), size in zip(box, self.shape, strict=True)
            ):
                return f"one is {list(part.shape)} at {box}"
        if sum(part.size for _, part in self.parts) != self.size:
            return f"they do not fill {list(self.shape)}"
        pairs = itertools.combinations(boxes, 2) if self.size else ()
        return "they overlap" if any(_overlap(*pair) for pair in pairs) else ""

    @property
    def held(self) -> int:
        """Bytes of the parts where they lie."""
        return sum(part.held for _, part in self.parts)

    def read(self) -> np.ndarray:
        """Return a new array with every part in its place."""
        afford([self], "a tensor in parts")
        import numpy as np

        values = np.empty(self.shape, self.dtype.numpy)
        for extents, part in self.parts:
            values[_index(extents)] = part.read()
        return values


def _box(extents: Extents, shape: Shape) -> list[tuple[int, int]]:
    """Return for each axis where a part begins and ends."""
    return [
        (0, size) if extent is None else (extent[0], extent[0] + extent[1])
        for extent, size in zip(extents, shape, strict=False)
    ]


def _overlap(one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]]) -> bool:
    return all(
        max(start, begin) < min(end, stop)
        for (start, end), (begin, stop) in zip(one, other, strict=True)
    )


def _index(extents: Extents) -> tuple[slice, ...]:
    return tuple(
        slice(None) if extent is None else slice(extent[0], extent[0] + extent[1])
        for extent in extents
    )


def extents_of(part: protos.TensorSliceProto) -> Extents:
    """Return the slice that `part` spells: along each axis start and length, None for all.

    Raises
    ------
    FormatError
        No slice lies there.
    """
    found = tuple((e.start, e.length) if e.HasField("length") else None for e in part.extent)
    numbers = [number for extent in found if extent for number in extent]
    if any(not 0 <= number < _MOST for number in numbers):
        raise FormatError("a checkpoint is damaged", found=f"a slice at {numbers[:8]}")
    return found
