"""The weights of two models in pairs, and in what the two of each pair differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zoo import dtypes
from zoo.contrast import EXACT, Tolerance, axes_between, contrast, digest, rounds_to
from zoo.slots import slots

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from zoo.tensors import Tensor
    from zoo.weights import Weights


@dataclass
class Values:
    """Knows which tensors are the same; each is read once for it."""

    tolerance: Tolerance = EXACT
    _digests: dict[int, tuple[Tensor, str]] = field(default_factory=dict)

    def digest(self, tensor: Tensor) -> str:
        """Return the digest of `tensor`."""
        if id(tensor) not in self._digests:
            self._digests[id(tensor)] = tensor, digest(tensor)
        return self._digests[id(tensor)][1]

    def identical(self, a: Tensor, b: Tensor) -> bool:
        """Tell whether two tensors have the same dtype, shape and bits."""
        alike = a.dtype is b.dtype and a.shape == b.shape
        return alike and (a is b or self.digest(a) == self.digest(b))

    def same(self, a: Tensor, b: Tensor) -> bool:
        """Tell whether two tensors are the same within the tolerance."""
        if self.identical(a, b):
            return True
        near = bool(self.tolerance) and a.dtype is b.dtype and a.shape == b.shape
        return near and contrast(a, b, self.tolerance).beyond == 0


@dataclass(frozen=True)
class Stock:
    """The weights of one model.

    Attributes
    ----------
    needed
        Those that the outputs need; None where there is no graph that says so.
    """

    weights: Weights
    tensors: Mapping[str, Tensor]
    needed: Collection[str] | None

    def needs(self, name: str) -> bool:
        """Tell whether the outputs need the weight `name`, or may need it."""
        if self.needed is not None:
            return name in self.needed
        tensor = self.tensors[name]
        counter = not tensor.shape and tensor.dtype in (dtypes.INT32, dtypes.INT64)
        return not counter and name not in self._slots

    @cached_property
    def _slots(self) -> set[str]:
        """The weights that only an optimizer needs."""
        return set(slots(self.weights))


@dataclass
class WeightPairs:
    """The weights of two models on their way into pairs.

    Attributes
    ----------
    placed
        Those that stand in the same place of both graphs.
    """

    a: Stock
    b: Stock
    placed: Collection[tuple[str, str]]
    values: Values

    def facts(self) -> dict[str, Any]:
        """Return what became of each weight."""
        self.found: dict[str, Any] = {
            "equal": 0, "different": [], "close": [], "renamed": {}, "transposed": [], "cast": [],
        }  # fmt: skip
        self.left_a = [n for n in self.a.weights if n not in {a for a, _ in self.placed}]
        self.left_b = [n for n in self.b.weights if n not in {b for _, b in self.placed}]
        for pair in sorted(self.placed):
            self._tell(*pair)
        self._pair_by(self._of_one_name)
        self._pair_by(self._of_one_value)
        self._pair_by(self._in_another_form)
        return {
            **self.found,
            "only_a": [self._only(self.a, name) for name in sorted(self.left_a)],
            "only_b": [self._only(self.b, name) for name in sorted(self.left_b)],
        }

    def _pair_by(self, partner: Callable[[str], str | None]) -> None:
        for name in sorted(self.left_a):
            other = partner(name)
            if other is not None:
                self.left_a.remove(name)
                self.left_b.remove(other)
                self._tell(name, other)

    def _of_one_name(self, name: str) -> str | None:
        if name in self.left_b:
            return name
        key = self.a.weights.key(name)
        return next((other for other in self.left_b if self.b.weights.key(other) == key), None)

    def _of_one_value(self, name: str) -> str | None:
        ours = self.a.tensors[name]
        same = (n for n in self.left_b if self.values.identical(ours, self.b.tensors[n]))
        return next(same, None)

    def _in_another_form(self, name: str) -> str | None:
        """Return a weight with the values of `name`, its axes or dtype changed."""
        ours = self.a.tensors[name]
        for other in self.left_b:
            theirs = self.b.tensors[other]
            if axes_between(ours, theirs) or (_cast(ours, theirs) and rounds_to(ours, theirs)):
                return other
        return None

    def _tell(self, a: str, b: str) -> None:
        """Note in what the weight `a` of one model is another than `b` of the other."""
        ours, theirs = self.a.tensors[a], self.b.tensors[b]
        both = {"a": a, "b": b}
        if self.values.identical(ours, theirs):
            if a == b or self.a.weights.key(a) == self.b.weights.key(b):
                self.found["equal"] += 1
            else:
                self.found["renamed"][a] = b
            return
        axes = axes_between(ours, theirs)
        if axes is not None:
            self.found["transposed"].append({**both, "axes": list(axes)})
        elif _cast(ours, theirs):
            self.found["cast"].append({**both, **_contrasted(ours, theirs)})
        else:
            near = self.values.same(ours, theirs)
            kind = "close" if near else "different"
            self.found[kind].append({**both, **_contrasted(ours, theirs, self.values.tolerance)})

    def _only(self, stock: Stock, name: str) -> dict[str, Any]:
        tensor = stock.tensors[name]
        return {
            "name": name,
            "dtype": tensor.dtype.name,
            "shape": list(tensor.shape),
            "needed": stock.needs(name),
        }


def differ(found: Mapping[str, Any]) -> bool:
    """Tell whether what `WeightPairs` found makes two models different."""
    unlike = found["different"] or found["transposed"] or found["cast"]
    return bool(unlike) or any(one["needed"] for one in [*found["only_a"], *found["only_b"]])


def _cast(a: Tensor, b: Tensor) -> bool:
    """Tell whether `a` and `b` may be the same numbers in two dtypes."""
    return a.shape == b.shape and a.dtype is not b.dtype and a.dtype.floating and b.dtype.floating


def _contrasted(a: Tensor, b: Tensor, tolerance: Tolerance = EXACT) -> dict[str, Any]:
    """Return in what two tensors differ: their kind, or how many values and by how much."""
    said: dict[str, Any] = {"dtype": a.dtype.name, "shape": list(a.shape)}
    if a.dtype is not b.dtype:
        said = {"dtype_a": a.dtype.name, "dtype_b": b.dtype.name, "shape": list(a.shape)}
    if a.shape != b.shape:
        return {**said, "shape": None, "shape_a": list(a.shape), "shape_b": list(b.shape)}
    found = contrast(a, b, tolerance)
    said |= {"elements": a.size, "different": found.count, "max_abs_diff": found.largest}
    if _cast(a, b):
        said["rounded"] = rounds_to(a, b)
    return {**said, "at": list(found.at), "value_a": found.a, "value_b": found.b}
