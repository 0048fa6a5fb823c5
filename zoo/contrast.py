"""Two tensors compared, bit for bit and then by value, without holding either whole."""

from __future__ import annotations

import hashlib
import itertools
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from zoo import dtypes, work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from zoo.tensors import Tensor

_AT_ONCE = 1 << 17
"""Elements that are looked at together."""
_MOST_AXES = 5
_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
_SHIFT = 29
_SEED = 20170


@dataclass(frozen=True)
class Tolerance:
    """How far two numbers may be apart: ``|a - b| <= absolute + relative * |b|``."""

    relative: float = 0.0
    absolute: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.relative or self.absolute)


EXACT = Tolerance()


@dataclass(frozen=True)
class Contrast:
    """How two tensors of one shape differ.

    Attributes
    ----------
    count
        How many of their elements.
    beyond
        How many by more than the tolerance.
    largest
        By how much at most; None for text, NaN where one of two is.
    at
        Where that is: an index for each axis.
    a, b
        What is there.
    """

    count: int = 0
    beyond: int = 0
    largest: float | None = 0.0
    at: tuple[int, ...] = ()
    a: Any = None
    b: Any = None


def digest(tensor: Tensor) -> str:
    """Return a digest of the dtype, the shape and every bit of `tensor`."""
    made = hashlib.sha256(f"{tensor.dtype} {list(tensor.shape)} ".encode())
    if tensor.dtype is dtypes.STRING:
        for text in tensor.read().reshape(-1).tolist():
            made.update(f"{len(text)} ".encode() + text)
    else:
        for piece in tensor.chunks():
            made.update(piece)  # type: ignore[arg-type]  # an array is a buffer too
            work.done(len(memoryview(piece).cast("B")))  # type: ignore[arg-type]
    return made.hexdigest()


def contrast(a: Tensor, b: Tensor, tolerance: Tolerance = EXACT) -> Contrast:
    """Return how `a` and `b`, of one shape, differ; dtypes of different widths are compared too.

    Of one dtype, elements are the same if they have the same bits, also where they are NaN.
    """
    if dtypes.STRING in (a.dtype, b.dtype):
        return _texts(a, b)
    found, start = Contrast(), 0
    for left, right in zip(_arrays(a), _arrays(b), strict=True):
        found = _joined(found, _piece(left, right, start, a.shape, tolerance))
        start += left.size
    return found


def rounds_to(a: Tensor, b: Tensor) -> bool:
    """Tell whether `b` is `a` in the narrower dtype, or the other way round, bit for bit."""
    wide, narrow = (a, b) if a.dtype.itemsize >= b.dtype.itemsize else (b, a)
    for left, right in zip(_arrays(wide), _arrays(narrow), strict=True):
        if left.astype(right.dtype).tobytes() != right.tobytes():
            return False
    return True


def axes_between(a: Tensor, b: Tensor) -> tuple[int, ...] | None:
    """Return in which order the axes of `a` are those of `b`, None if in none.

    The values are compared by fingerprints: of what they are, and of where each of them is.
    """
    if a.dtype is not b.dtype or a.dtype is dtypes.STRING or not 1 < len(a.shape) <= _MOST_AXES:
        return None
    straight = tuple(range(len(a.shape)))
    orders = [
        order
        for order in itertools.permutations(straight)
        if order != straight and tuple(a.shape[axis] for axis in order) == b.shape
    ]
    if not orders or _values(a) != _values(b):
        return None
    factors = _factors(b.shape)
    wanted = _places(b, factors)
    for order in orders:
        if _places(a, [factors[order.index(axis)] for axis in straight]) == wanted:
            return order
    return None


def _arrays(tensor: Tensor) -> Iterator[np.ndarray]:
    """Yield the elements of `tensor` in row-major order, `_AT_ONCE` of them at a time."""
    import numpy as np

    held, length = bytearray(), _AT_ONCE * tensor.dtype.itemsize
    for piece in tensor.chunks():
        held.extend(bytes(piece))
        while len(held) >= length:
            yield np.frombuffer(bytes(held[:length]), tensor.dtype.numpy)
            del held[:length]
    if held:
        yield np.frombuffer(bytes(held), tensor.dtype.numpy)


def _piece(
    a: np.ndarray, b: np.ndarray, start: int, shape: Sequence[int], tolerance: Tolerance
) -> Contrast:
    """Return how two runs of elements differ, of which the first has the number `start`."""
    import numpy as np

    if a.dtype == b.dtype:
        if a.tobytes() == b.tobytes():
            return Contrast()
        rows = (one.view(np.uint8).reshape(one.size, -1) for one in (a, b))
        places = np.flatnonzero(np.not_equal(*rows).any(axis=1))
    else:
        wide_a, wide_b = _widened(a), _widened(b)
        places = np.flatnonzero((wide_a != wide_b) & ~(np.isnan(wide_a) & np.isnan(wide_b)))
    if not places.size:
        return Contrast()
    left, right = _widened(a[places]), _widened(b[places])
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(left - right)
        within = apart <= tolerance.absolute + tolerance.relative * np.abs(right)
        within &= np.isfinite(apart)
    worst = int(np.argmax(np.where(np.isnan(apart), np.inf, apart)))
    index = np.unravel_index(start + int(places[worst]), shape)
    return Contrast(
        int(places.size),
        int(places.size - (within & bool(tolerance)).sum()),
        float(apart[worst]),
        tuple(int(at) for at in index),
        a[places[worst]].item(),
        b[places[worst]].item(),
    )


def _widened(array: np.ndarray) -> np.ndarray:
    return array.astype("complex128" if array.dtype.kind == "c" else "float64")


def _joined(one: Contrast, other: Contrast) -> Contrast:
    """Return what holds of two runs of elements together."""
    if not other.count or not one.count:
        return one if one.count else other
    far = one if _rank(one) >= _rank(other) else other
    count, beyond = one.count + other.count, one.beyond + other.beyond
    return Contrast(count, beyond, far.largest, far.at, far.a, far.b)


def _rank(found: Contrast) -> float:
    largest = found.largest or 0.0
    return math.inf if math.isnan(largest) else largest


def _texts(a: Tensor, b: Tensor) -> Contrast:
    if a.dtype is not b.dtype:
        return Contrast(a.size, a.size, None)
    import numpy as np

    ours, theirs = a.read().reshape(-1).tolist(), b.read().reshape(-1).tolist()
    places = [at for at, (x, y) in enumerate(zip(ours, theirs, strict=True)) if x != y]
    if not places:
        return Contrast()
    index = tuple(int(at) for at in np.unravel_index(places[0], a.shape))
    return Contrast(len(places), len(places), None, index, ours[places[0]], theirs[places[0]])


def _bits(array: np.ndarray) -> np.ndarray:
    """Return a number for each element, by its bits."""
    import numpy as np

    width = array.dtype.itemsize
    words = array.view(np.dtype(f"u{min(width, 8)}")).astype(np.uint64)
    if width <= 8:
        return words
    pairs = words.reshape(-1, 2)
    return pairs[:, 0] * np.uint64(_FACTORS[0]) + pairs[:, 1]


def _values(tensor: Tensor) -> int:
    """Return a fingerprint of the values of `tensor`, whatever their order."""
    import numpy as np

    total = 0
    for array in _arrays(tensor):
        mixed = (_bits(array) + np.uint64(1)) * np.uint64(_FACTORS[0])
        mixed ^= mixed >> np.uint64(_SHIFT)
        total += int((mixed * np.uint64(_FACTORS[1])).sum(dtype=np.uint64))
    return total % (1 << 64)


def _factors(shape: Sequence[int]) -> list[np.ndarray]:
    """Return odd numbers for the places along each axis, drawn once and for all."""
    import numpy as np

    draw = partial(np.random.default_rng(_SEED).integers, 0, 1 << 63, dtype=np.uint64)
    return [draw(size) * np.uint64(2) + np.uint64(1) for size in shape]


def _places(tensor: Tensor, factors: Sequence[np.ndarray]) -> int:
    """Return a fingerprint of what is where in `tensor`, by the `factors` of each axis."""
    import numpy as np

    total, start = 0, 0
    for array in _arrays(tensor):
        weighed = _bits(array)
        index = np.unravel_index(np.arange(start, start + array.size), tensor.shape)
        for places, factor in zip(index, factors, strict=True):
            weighed = weighed * factor[places]
        total += int(weighed.sum(dtype=np.uint64))
        start += array.size
    return total % (1 << 64)
