"""Weights stored in half precision: half the bytes, cast back where they are used.

The graph computes in the dtype it always had, on values that were rounded once.  Left as they are:
scalars, which weigh nothing; statistics of batch normalisation, whose small variances float16 would
round to zero; and variables that the graph itself changes, since training in the stored precision
would be another training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import dtypes, protos
from zoo.errors import UnsupportedError, UsageError, counted, some
from zoo.halving import Halving
from zoo.listed import edit_lists
from zoo.restorable import flattened, saverless
from zoo.saver import refuse_tables
from zoo.tensors import Shape, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from zoo.checksums import Piece
    from zoo.dtypes import DType
    from zoo.weights import Weights

HALVES = ("float16", "bfloat16")
"""What weights can be stored as."""


def with_weights_as(
    meta_graph: protos.MetaGraphDef, weights: Weights, dtype: str
) -> tuple[protos.MetaGraphDef, Weights]:
    """Return the model with floating weights stored as `dtype`; calls are inlined for it.

    Values are converted when they are read, piece by piece.

    Raises
    ------
    UsageError
        `dtype` is no half precision.
    UnsupportedError
        There is no graph to cast the weights back in.
    """
    if dtype not in HALVES:
        raise UsageError(f"weights cannot be stored as {dtype!r}", found=" or ".join(HALVES))
    if not meta_graph.graph_def.node:
        raise UnsupportedError(
            "weights without a graph stay in the precision they have",
            hint="attach a graph first: in it they are cast back where they are used",
        )
    refuse_tables(meta_graph)
    edited = saverless(flattened(meta_graph, weights))
    half = dtypes.named(dtype)
    halving = Halving(edited, weights, half)
    if not halving.names:
        return meta_graph, weights
    edited.graph_def.CopyFrom(halving.halved())
    _redefine(edited, halving)
    halves = {n: HalvedTensor(weights.tensor(n), half, n) for n in halving.names}
    return edited, weights.overlay(halves).plain()


def changes(before: Weights, after: Weights) -> list[str]:
    """Return sentences on which weights are stored in another dtype now, and which are not."""
    kinds = {name: after.tensor(name).dtype for name in sorted(after)}
    halved = [n for n in kinds if n in before and kinds[n] is not before.tensor(n).dtype]
    left = [n for n, kind in kinds.items() if kind.floating and kind.itemsize > 2]
    notes = []
    if halved:
        kind = kinds[halved[0]]
        notes.append(f"{counted(len(halved), 'weight')} stored as {kind}, cast back where used")
    if left:
        notes.append(
            "left in full precision, being scalars, statistics, or changed by the graph itself"
            f" (-o leaves out what changes them): {some(left)}"
        )
    return notes or ["no weight is floating, and none is stored in half precision"]


def _redefine(meta_graph: protos.MetaGraphDef, halving: Halving) -> None:
    """Let collections name the nodes that read and initialize what is stored in half precision."""

    def redefined(name: str, entry: protos.VariableDef) -> protos.VariableDef:
        """Return `entry` with the names of today for what reads and initializes."""
        for field in ("snapshot_name", "initial_value_name") if name in halving.names else ():
            tensor = getattr(entry, field)
            setattr(entry, field, halving.stored.get((name, tensor), tensor))
        return entry

    edit_lists(meta_graph, redefined)


@dataclass(frozen=True, eq=False)
class HalvedTensor(Tensor):
    """The values of `whole`, rounded to `dtype` when they are read.

    Attributes
    ----------
    label
        What the weight is called, for errors.
    """

    whole: Tensor
    dtype: DType
    label: str

    @property
    def shape(self) -> Shape:  # type: ignore[override]
        """Sizes of the axes."""
        return self.whole.shape

    def read(self) -> np.ndarray:
        """Return the values, all rounded now.

        Raises
        ------
        UnsupportedError
            One is too large.
        """
        return self._rounded(self.whole.read())

    def chunks(self) -> Iterator[Piece]:
        """Yield the rounded values, made of one piece at a time."""
        import numpy as np

        rest, kind = b"", self.whole.dtype.numpy.newbyteorder("<")
        for piece in self.whole.chunks():
            data = rest + bytes(piece)
            end = len(data) // kind.itemsize * kind.itemsize
            rest = data[end:]
            yield self._rounded(np.frombuffer(data[:end], kind)).tobytes()

    def _rounded(self, values: np.ndarray) -> np.ndarray:
        import numpy as np

        with np.errstate(over="ignore", under="ignore"):
            rounded: np.ndarray = values.astype(self.dtype.numpy)
        gone = np.isinf(rounded) & np.isfinite(values)
        if gone.any():
            raise UnsupportedError(
                f"the weight {self.label!r} cannot be stored as {self.dtype}",
                found=f"the value {values[gone].flat[0]:g}, which is too large",
                hint="bfloat16 has the range of float32" if self.dtype.name == "float16" else "",
            )
        return rounded
