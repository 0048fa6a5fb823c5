"""Proof that a conversion computes what its source does: both run on the same inputs.

The source runs as zoo runs it, what was written runs in plain TensorFlow.  Rewriting of graphs is
off on both sides, so that equal means the same bits; a tolerance is the user's to grant.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import dtypes, guessing
from zoo.both_sides import Comparison, Source
from zoo.errors import DifferenceError, InputError, UnsupportedError, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zoo.both_sides import Asked, Opening
    from zoo.model import Model
    from zoo.signatures import Signature
    from zoo.tensors import Tensor


@dataclass(frozen=True)
class Verified:
    """What a verification found, where it found no difference.

    Attributes
    ----------
    differences
        By output, the largest absolute difference; 0 for the same bits.
    weights
        How many weights were compared, byte for byte.
    remarks
        A sentence for each thing that could not be compared, or that a run changes.
    """

    differences: Mapping[str, float]
    weights: int
    remarks: Sequence[str] = ()

    def facts(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        return {
            "max_abs_diff": self.max_abs_diff,
            "outputs": [*self.differences],
            "differences": dict(self.differences),
            "weights": self.weights,
            "remarks": list(self.remarks),
        }

    @property
    def max_abs_diff(self) -> float:
        """The largest difference of all."""
        return max(self.differences.values(), default=0.0)


def verify(
    original: Model, written: Model, target: Model, opening: Opening, asked: Asked
) -> Verified:
    """Compare what `original` computes with what plain TensorFlow makes of a conversion.

    Parameters
    ----------
    original
        The model as it was read.
    written
        The model as it was given to be written, whose signatures are compared.
    target
        What was written, as zoo reads it.
    opening
        Opens what was written by plain TensorFlow.

    Raises
    ------
    DifferenceError
        A weight is another, or an output differs by more than was granted.
    UnsupportedError
        No output can be compared.
    RunError
        One side does not run; for the source, on none of the values that were tried.
    """
    count = _compare_weights(original, written, target)
    if not written.graph.node:
        return Verified({}, count, ["there is no graph to run: the weights alone were compared"])
    _refuse_unknown(asked, written)
    differences: dict[str, float] = {}
    remarks: list[str] = []
    with contextlib.closing(Source(original)) as side:
        for key, one in _comparable(written):
            worst, told = Comparison(side, key, one, target, asked).made(opening)
            differences |= worst
            remarks += told
    if not differences:
        raise UnsupportedError(
            "no output can be compared",
            found=some(remarks) or "no signature with tensors as inputs",
            hint="choose outputs that can: -o; dropout is switched off by --repair dropout",
        )
    return Verified(differences, count, (*remarks, *_left_out(written)))


def _comparable(model: Model) -> Iterator[tuple[str | None, Signature]]:
    """Yield the signatures of `model` whose inputs and outputs are single tensors."""
    stated: list[tuple[str | None, Signature]] = [*model.signatures.items()]
    for key, one in stated or [(None, guessing.signature(model.meta_graph))]:
        if not _is_composite(one):
            yield key, one


def _is_composite(one: Signature) -> bool:
    return any("," in spec.tensor for spec in [*one.inputs.values(), *one.outputs.values()])


def _left_out(model: Model) -> list[str]:
    composite = [key for key, one in model.signatures.items() if _is_composite(one)]
    return [f"not compared, sparse or ragged: {some(composite)}"] if composite else []


def _refuse_unknown(asked: Asked, model: Model) -> None:
    known = {name for _, one in _comparable(model) for name in one.inputs}
    unknown = [name for name in asked.inputs if name not in known]
    if unknown:
        raise InputError(f"no input is called {some(unknown)}", found=some(known) or "no inputs")


def _compare_weights(original: Model, written: Model, target: Model) -> int:
    """Compare what was written with what was read, byte for byte; return how many weights.

    A weight that was given another dtype on the way is compared as it was given to be written.
    """
    count = 0
    for name in target.weights:
        there = target.weights.tensor(name)
        sides = (side for side in (original, written) if name in side.weights)
        want = next((t for s in sides if _alike(t := s.weights.tensor(name), there)), None)
        if want is None:
            continue
        count += 1
        if _digest(want) != _digest(there):
            raise DifferenceError(
                f"the weight {name!r} is not what it was",
                found=f"other values in {there.dtype} {list(there.shape)}",
                hint="nothing was published; please report this",
            )
    return count


def _alike(one: Tensor, other: Tensor) -> bool:
    return one.dtype is other.dtype and one.shape == other.shape


def _digest(tensor: Tensor) -> bytes:
    digest = hashlib.sha256()
    if tensor.dtype is dtypes.STRING:
        for text in tensor.read().ravel().tolist():
            digest.update(len(text).to_bytes(8, "little") + bytes(text))
    else:
        for piece in tensor.chunks():
            digest.update(piece)  # type: ignore[arg-type]  # (an array is a buffer, too)
    return digest.digest()
