"""Values for a model's inputs, checked against the graph before TensorFlow sees them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zoo import dtypes, protos
from zoo.errors import InputError, UnknownNameError, UnsupportedError, did_you_mean, some
from zoo.graph import by_name, require, source, tensor_name, upstream
from zoo.specs import TensorSpec, spec_of
from zoo.switches import constant_of
from zoo.tensors import text_array
from zoo.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np

    from zoo.dtypes import DType
    from zoo.signatures import Signature

_MUST_BE_FED = {"Placeholder", "PlaceholderV2"}


@dataclass(frozen=True)
class Feeds:
    """Arrays for tensors of a graph, each of the dtype and a shape that the graph takes.

    Attributes
    ----------
    values
        The arrays by tensor name, ``"x:0"``.
    open_ranks
        Nodes whose rank the graph leaves open, with the rank they are given.
    """

    values: Mapping[str, np.ndarray]
    open_ranks: tuple[tuple[str, int], ...]


class Checks:
    """What values a graph takes; each combination of names is looked up once.

    Parameters
    ----------
    graph
        Must not change afterwards.
    """

    def __init__(self, graph: protos.GraphDef) -> None:
        self._graph = graph
        self._calls: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[str, TensorSpec]] = {}
        self._usual: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[str, Any]] = {}
        """What inputs are given that have one right value in use, where nobody gives them one."""

    @cached_property
    def _view(self) -> View:
        return View(self._graph)

    @cached_property
    def nodes(self) -> dict[str, protos.NodeDef]:
        """The nodes by name."""
        return by_name(self._graph)

    def has_tensor(self, name: str) -> bool:
        """Tell whether the graph has the tensor `name`, ``"x"`` or ``"x:0"``."""
        try:
            require(self.nodes, [name])
            spec_of(self._graph, name, self.nodes)
        except (UnknownNameError, UnsupportedError):
            return "," in name
        return True

    def checked(
        self, signature: Signature, values: Mapping[str, object], fetches: Sequence[str]
    ) -> Feeds:
        """Return `values`, by signature key or tensor name, as arrays that the graph takes.

        Numbers become the tensor's dtype where nothing is lost but precision; text becomes UTF-8.
        A rate of dropout or training switch that nobody gives is given the value for use.

        Parameters
        ----------
        fetches
            The tensors that the values must suffice for.

        Raises
        ------
        InputError
            A value has another dtype, rank or size than its tensor, two names mean one tensor and
            their values differ, or an input that `fetches` need is missing.
        UnknownNameError
            A name is neither the signature's nor the graph's.
        UnsupportedError
            An input is not one tensor but several (ragged, sparse).
        """
        given = self._named(signature, values)
        arrays, ranks = {}, []
        for name, spec in self._specs(tuple(given), tuple(fetches)).items():
            array = as_array(name, given[name], spec.dtype)
            _check_shape(spec, array.shape)
            if spec.shape is None and self.nodes[source(name)].op in _MUST_BE_FED:
                ranks.append((source(name), array.ndim))
            arrays[spec.tensor] = array
        for name, value in self._usual[tuple(given), tuple(fetches)].items():
            spec = spec_of(self._graph, name, self.nodes)
            arrays[name] = as_array(name, value, spec.dtype)
        return Feeds(arrays, tuple(ranks))

    def _named(self, signature: Signature, values: Mapping[str, object]) -> dict[str, object]:
        """Return `values` by tensor name."""
        found: dict[str, object] = {}
        for name, value in values.items():
            tensor = self._tensor(signature, name)
            if tensor in found and not _same(found[tensor], value):
                raise InputError(
                    f"input {tensor!r} is given two values", found=f"again as {name!r}"
                )
            found[tensor] = value
        return found

    def _tensor(self, signature: Signature, name: str) -> str:
        if name in signature.inputs:
            return signature.inputs[name].tensor
        if source(name) in self.nodes or "," in name:
            return tensor_name(name)
        keys = [*signature.inputs]
        raise UnknownNameError(
            f"the model has no input {name!r}",
            found=some(keys) or "no inputs",
            hint=did_you_mean(
                name, [*keys, *self.nodes], "give a key of these, or a tensor's name"
            ),
        )

    def _specs(self, given: tuple[str, ...], fetches: tuple[str, ...]) -> dict[str, TensorSpec]:
        """Return what the graph says of the tensors `given`, which suffice for `fetches`."""
        if (given, fetches) not in self._calls:
            for name in (*given, *fetches):
                if "," in name:
                    raise UnsupportedError(
                        "ragged and sparse values cannot be fed or fetched as one", found=name
                    )
            require(self.nodes, [*given, *fetches])
            specs = {name: spec_of(self._graph, name, self.nodes) for name in given}
            missing = _missing(self.nodes, given, fetches)
            switches = {name: constant_of(self._view, name) for name in missing}
            _refuse_missing([name for name in missing if switches[name] is None], given)
            self._calls[given, fetches] = specs
            self._usual[given, fetches] = {
                f"{name}:0": switch.value for name, switch in switches.items() if switch
            }
        return self._calls[given, fetches]


def as_array(name: str, value: object, dtype: DType) -> np.ndarray:
    """Return `value` as an array of `dtype`.

    Raises
    ------
    InputError
        Something other than precision would be lost: a fraction, a sign, a number too large, text.
    """
    import numpy as np

    try:
        if dtype is dtypes.STRING:
            return text_array(value)
        array = np.asarray(value)
    except InputError as error:
        raise InputError(f"input {name!r} takes string", found=error.found) from error
    except ValueError as error:
        raise InputError(f"the value for {name!r} is no array", found=str(error)) from error
    if array.dtype.kind in "OSU":
        raise _wrong_dtype(name, array, dtype)
    target = dtype.numpy
    if array.dtype == target:
        return array
    if not _keeps(array, target):
        raise _wrong_dtype(name, array, dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        converted: np.ndarray = array.astype(target)
    lost = np.isfinite(array) & ~np.isfinite(converted)
    if lost.any():
        raise _wrong_dtype(name, array[lost][:1], dtype)
    return converted


def _same(one: object, other: object) -> bool:
    import numpy as np

    return one is other or np.array_equal(np.asarray(one), np.asarray(other))


def _keeps(array: np.ndarray, target: np.dtype) -> bool:
    """Tell whether `array` fits `target` but for precision."""
    import numpy as np

    kind = "f" if "float" in target.name else target.kind
    if array.dtype.kind == "b" or kind == "b":
        return False
    if kind in "iu" and (array.dtype.kind in "iu" or _is_whole(array)):
        limits = np.iinfo(target)
        return bool(array.size == 0 or (array.min() >= limits.min and array.max() <= limits.max))
    allowed = {"f": "iufV", "c": "iufcV"}.get(kind, "")
    return array.dtype.kind in allowed


def _is_whole(array: np.ndarray) -> bool:
    import numpy as np

    return array.dtype.kind == "f" and bool(np.isfinite(array).all() and (array % 1 == 0).all())


def _wrong_dtype(name: str, array: np.ndarray, dtype: DType) -> InputError:
    what = "text" if array.dtype.kind in "SUO" else str(array.dtype)
    if array.size == 1:
        what += f" {array.reshape(-1)[0]!r}"
    return InputError(f"input {name!r} takes {dtype}", found=what)


def _check_shape(spec: TensorSpec, shape: tuple[int, ...]) -> None:
    if spec.shape is None:
        return
    fits = len(spec.shape) == len(shape) and all(
        wanted in (None, size) for wanted, size in zip(spec.shape, shape, strict=True)
    )
    if not fits:
        hint = ""
        if len(shape) == len(spec.shape) - 1 and spec.shape[0] in (None, 1):
            hint = "the first axis is the batch: wrap a single example in [...]"
        elif None not in spec.shape and math.prod(shape) == math.prod(s or 1 for s in spec.shape):
            hint = "the number of values is right: reshape them"
        raise InputError(
            f"input {spec.tensor!r} takes {spec}", found=f"shape {tuple(shape)}", hint=hint
        )


def _missing(
    nodes: dict[str, protos.NodeDef], given: Iterable[str], fetches: Iterable[str]
) -> list[str]:
    """Return the placeholders that `fetches` need and that are not among the tensors `given`."""
    fed = {source(name) for name in given}
    needed = upstream(nodes, fetches, stop=fed)
    return sorted(n for n in needed - fed if nodes[n].op in _MUST_BE_FED)


def _refuse_missing(missing: Sequence[str], given: Iterable[str]) -> None:
    if missing:
        raise InputError(
            f"{'inputs are' if len(missing) > 1 else 'an input is'} missing: {some(missing)}",
            found=some(sorted(source(name) for name in given)) or "no inputs",
            hint=f"give a value for each, as in -i {missing[0]}=VALUE",
        )
