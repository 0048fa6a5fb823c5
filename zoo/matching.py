"""Weights and the variables of a graph that was made apart from them, brought together by name.

The same layer is ``conv1_1/kernel`` here, ``vgg_16/conv1/conv1_1/weights`` in TF-Slim and
``block1_conv1/block1_conv1_W_1:0`` in an old file of Keras.  A name counts for a variable if it is
the only one that means it; nothing is guessed from shapes.

Source: https://github.com/google-research/tf-slim, ``keras/src/legacy/saving``.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zoo.errors import nearest, some
from zoo.parts import ReshapedTensor

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from zoo.dtypes import DType
    from zoo.tensors import Shape, Tensor

_WORDS = {
    "W": "kernel", "w": "kernel", "weights": "kernel", "b": "bias", "biases": "bias",
    "running_mean": "moving_mean", "running_std": "moving_variance",
    "running_variance": "moving_variance", "running_var": "moving_variance",
    "moving_var": "moving_variance", "depthwise_kernel": "kernel",
}  # fmt: skip
"""What kernels, biases and statistics are called elsewhere."""
_MARKS = (":0", "/.ATTRIBUTES/VARIABLE_VALUE")
_TOP = "model_weights/"
_FLAT = 2


@dataclass(frozen=True)
class Report:
    """What became of the weights when they were attached to a graph.

    Attributes
    ----------
    matched
        The stored tensor of each variable that got one.
    differing
        Variables whose stored tensor is of another shape or dtype: what they are, what it is.
    missing
        Variables for which nothing is stored.
    unused
        Stored tensors that no variable took.
    near
        For a missing variable, unused tensors with names like its own.
    """

    matched: Mapping[str, str] = field(default_factory=dict)
    differing: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    missing: Sequence[str] = ()
    unused: Sequence[str] = ()
    near: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the report as a line for each kind of thing in it."""
        of = len(self.matched) + len(self.differing) + len(self.missing)
        lines = [f"{len(self.matched)} of {of} variables matched"]
        if self.differing:
            told = [f"{name} {is_} (stored: {was})" for name, (is_, was) in self.differing.items()]
            lines.append(f"shape differs: {some(told)}")
        if self.missing:
            lines.append(f"missing: {some(map(self._with_near, self.missing))}")
        if self.unused:
            lines.append(f"unused: {some(self.unused)}")
        return "; ".join(lines)

    def _with_near(self, name: str) -> str:
        near = self.near.get(name)
        return f"{name} (near: {some(near, 2)})" if near else name

    def facts(self) -> dict[str, Any]:
        """Return the report as ``--json`` prints it."""
        return {
            "matched": dict(self.matched),
            "shape_differs": {
                name: {"variable": is_, "stored": was}
                for name, (is_, was) in self.differing.items()
            },
            "missing": list(self.missing),
            "unused": list(self.unused),
            "near": {name: list(near) for name, near in self.near.items()},
        }


@dataclass(frozen=True)
class Wanted:
    """A variable that wants a value: its dtype, and its shape if the graph says it."""

    dtype: DType
    shape: tuple[int | None, ...] | None


def match(
    wanted: Mapping[str, Wanted],
    stored: Mapping[str, Tensor],
    *,
    also: Mapping[str, str] | None = None,
    aliases: Callable[[str], Sequence[str]] = lambda _: (),
) -> tuple[dict[str, Tensor], Report]:
    """Return a tensor for each of the variables `wanted` that finds one, and a report.

    A kernel that was flattened, or was not, is reshaped: (7, 7, 512, 4096) is (25088, 4096).

    Parameters
    ----------
    wanted
        The variables by name.
    stored
        The tensors by the names they are stored under.
    also
        Other names of stored tensors, and which these are.
    aliases
        Returns what else weights call a variable.
    """
    index = _Index(stored, also or {})
    found = {name: index.meant([name, *aliases(name)]) for name in wanted}
    taken: dict[str, list[str]] = defaultdict(list)
    for name, key in found.items():
        if key is not None:
            taken[key].append(name)
    tensors, matched, differing = {}, {}, {}
    for name, want in wanted.items():
        key = found[name]
        if key is None or len(taken[key]) > 1:
            continue
        fitted = _fitted(stored[key], want)
        if fitted is None:
            differing[name] = (_told(want.dtype, want.shape), _stored(key, stored[key]))
        else:
            tensors[name], matched[name] = fitted, key
    used = {*matched.values(), *(key for key, names in taken.items() if names[0] in differing)}
    missing = [name for name in wanted if name not in matched and name not in differing]
    unused = [key for key in stored if key not in used]
    near = {name: close for name in missing if (close := _near(name, aliases(name), unused))}
    return tensors, Report(matched, differing, missing, unused, near)


def plain(name: str) -> str:
    """Return a weight's name in the words that all are compared in.

    >>> plain("vgg_16/conv1/conv1_1/weights"), plain("model_weights/fc1/fc1_W_1:0")
    ('vgg_16/conv1/conv1_1/kernel', 'fc1/kernel')
    """
    for mark in _MARKS:
        name = name.removesuffix(mark)
    *scopes, last = name.removeprefix(_TOP).split("/")
    if len(scopes) > 1 and scopes[-1] == scopes[-2]:
        del scopes[-1]
    said = last.removeprefix(f"{scopes[-1]}_") if scopes else last
    said = re.sub(r"(?<=[a-zA-Z])_\d+$", "", said) if said != last else said
    if not scopes and (parts := re.fullmatch(r"(.+)_([Wb])", last)):
        scopes, said = [parts[1]], parts[2]
    known = said in _WORDS or said != last
    return "/".join([*scopes, _WORDS.get(said, said) if known else last])


class _Index:
    """Stored tensors by their names, and by the ends of these."""

    def __init__(self, stored: Collection[str], also: Mapping[str, str]) -> None:
        self._exact = {**{name: key for name, key in also.items() if key in stored}}
        self._exact |= {key: key for key in stored}
        self._whole: dict[str, set[str]] = defaultdict(set)
        self._ends: dict[str, set[str]] = defaultdict(set)
        for name, key in self._exact.items():
            parts = plain(name).split("/")
            self._whole["/".join(parts)].add(key)
            for at in range(1, len(parts)):
                self._ends["/".join(parts[at:])].add(key)

    def meant(self, names: Sequence[str]) -> str | None:
        """Return the key that one of `names` means, the surest way first; None for no or several.

        As it stands, then in plain words, then below any scope.
        """
        for name in names:
            if name in self._exact:
                return self._exact[name]
        for table in (self._whole, self._ends):
            keys = set().union(*(table.get(plain(name), ()) for name in names))
            if keys:
                return keys.pop() if len(keys) == 1 else None
        return None


def _fitted(tensor: Tensor, want: Wanted) -> Tensor | None:
    """Return `tensor` in the shape that a variable has, None if it does not fit."""
    if tensor.dtype is not want.dtype:
        return None
    if want.shape is None or _same(tensor.shape, want.shape):
        return tensor
    if None in want.shape:
        return None
    shape = tuple(size for size in want.shape if size is not None)
    return ReshapedTensor(tensor, shape) if _flattens(tensor.shape, shape) else None


def _same(there: Shape, wanted: tuple[int | None, ...]) -> bool:
    return len(there) == len(wanted) and all(
        size in (None, is_) for is_, size in zip(there, wanted, strict=True)
    )


def _flattens(one: Shape, other: Shape) -> bool:
    """Tell whether one shape is the other with all axes but the last made one, or with ones."""
    if [size for size in one if size != 1] == [size for size in other if size != 1]:
        return True
    short, long = sorted((one, other), key=len)
    return len(short) == _FLAT < len(long) and short == (math.prod(long[:-1]), long[-1])


def _told(dtype: DType, shape: tuple[int | None, ...] | None) -> str:
    return f"{dtype} {'any shape' if shape is None else list(shape)}"


def _stored(key: str, tensor: Tensor) -> str:
    return f"{key} {_told(tensor.dtype, tensor.shape)}"


def _near(name: str, aliases: Sequence[str], unused: Sequence[str]) -> list[str]:
    """Return those of `unused` whose names, or the ends of these, look like one of a variable's."""
    depth = name.count("/") + 1
    ends = {"/".join(plain(key).split("/")[-depth:]): key for key in reversed(unused)}
    close = [end for one in (name, *aliases) for end in nearest(plain(one), ends)]
    return list(dict.fromkeys(ends[end] for end in close))[:3]
