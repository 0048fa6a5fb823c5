"""What is wrong with examples, all of it found before training starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import DataError, counted, some
from zoo_finetune.contents import blocks
from zoo_finetune.examples import is_text
from zoo_finetune.labelling import NO_CLASS

if TYPE_CHECKING:
    from zoo.dtypes import DType
    from zoo.specs import TensorSpec
    from zoo_finetune.contents import Array
    from zoo_finetune.examples import Examples
    from zoo_finetune.pictures import Preparing
    from zoo_finetune.recipe import Recipe

_LISTED = 20
_FEWEST = 3
_NO_NUMBERS = (np.void, np.datetime64, np.timedelta64)
_SKIP = "repair them, or leave them out with --skip-broken"

Specs = Mapping[str, "TensorSpec"]


@dataclass(frozen=True)
class Fault:
    """Something wrong: as a clause, the examples or classes that have it, and what to do."""

    what: str
    where: Sequence[str] = ()
    hint: str = ""


def check(
    examples: Examples,
    recipe: Recipe,
    spec: TensorSpec | Specs,
    preparing: Preparing | None = None,
    *,
    held_out: bool = False,
) -> tuple[Examples, list[str]]:
    """Return the examples that can be learned from, and what is to be said of them.

    Every picture is decoded once, every number looked at. With `recipe.skip_broken` the broken are
    left out, and said.

    Parameters
    ----------
    preparing
        How pictures are prepared; None for arrays, and for a net that takes the bytes of files.
    held_out
        These are only validated with: they need not have all classes.

    Raises
    ------
    DataError
        Something is wrong; all of it is listed.
    """
    broken = _broken(examples, spec, preparing)
    notes = [*examples.notes, *([preparing.assumed] if preparing and preparing.assumed else [])]
    faults = list(_misfits(examples, spec))
    if broken and recipe.skip_broken:
        told = some((f"{examples.names[at]} ({broken[at]})" for at in sorted(broken)), 4)
        notes.append(f"{counted(len(broken), 'broken example')} left out: {told}")
        kept = np.setdiff1d(np.arange(len(examples)), np.fromiter(broken, np.int64))
        examples = examples.take(kept)
    elif broken:
        where = [f"{examples.names[at]}: {broken[at]}" for at in sorted(broken)]
        faults.append(Fault("broken", where, _SKIP))
    faults += _of_labels(examples, recipe, held_out, notes)
    if faults:
        raise _error(faults)
    return examples, notes


def _broken(
    examples: Examples, spec: TensorSpec | Specs, preparing: Preparing | None
) -> dict[int, str]:
    """Return what is wrong with single examples, by their place."""
    broken: dict[int, str] = {}
    if examples.paths is not None and preparing is not None and not is_text(spec):
        from zoo_finetune.pictures import undecodable

        readable = [at for at in range(len(examples)) if at not in examples.broken]
        paths = [examples.paths[at] for at in readable]
        broken = {readable[at]: why for at, why in undecodable(paths, preparing).items()}
    specs = _by_input(examples.values or {}, spec)
    for name, array in (examples.values or {}).items():
        whose = f" in {name!r}" if name else ""
        if name in specs:
            broken |= {at: f"{why}{whose}" for at, why in _unholdable(array, specs[name].dtype)}
        broken |= dict.fromkeys(_infinite(array), f"NaN or infinity{whose}")
    if examples.labels.dtype.kind == "f":
        broken |= dict.fromkeys(_infinite(examples.labels), "its label is NaN or infinite")
    return {**broken, **examples.broken}


def _infinite(array: Array) -> Iterator[int]:
    """Yield the rows that have a number which is none."""
    if array.dtype.kind not in "fc":
        return
    for start, block in blocks(array):
        wrong = ~np.isfinite(block).reshape(len(block), -1).all(axis=1)
        yield from (start + np.flatnonzero(wrong)).tolist()


def _unholdable(array: Array, dtype: DType) -> Iterator[tuple[int, str]]:
    """Yield the rows with a number outside of what `dtype` has, and the words for it.

    A cast says nothing: it wraps whole numbers around, and makes others infinite.
    """
    given, whole = array.dtype, "int" in dtype.name
    if given.kind not in ("iu" if whole else "iuf") or not (whole or "float" in dtype.name):
        return
    if np.can_cast(given, dtype.numpy):
        return
    low, high = _limits(dtype.numpy)
    for start, block in blocks(array):
        with np.errstate(over="ignore"):
            outside = (block < low) | (block > high)
        if given.kind == "f":
            outside &= np.isfinite(block)
        rows = outside.reshape(len(block), -1)
        for row in np.flatnonzero(rows.any(axis=1)).tolist():
            first = block[row].reshape(-1)[rows[row].argmax()]
            yield start + row, f"{first} is a value that {dtype.name} cannot hold"


def _limits(dtype: np.dtype) -> tuple[Any, Any]:
    """Return the least and the greatest number of `dtype`, in plain Python."""
    import ml_dtypes

    if "int" in dtype.name:
        whole = ml_dtypes.iinfo(dtype)
        return int(whole.min), int(whole.max)
    real = ml_dtypes.finfo(dtype)
    return float(real.min), float(real.max)


def _misfits(examples: Examples, spec: TensorSpec | Specs) -> Iterator[Fault]:
    """Yield what of the arrays does not fit the inputs they are for."""
    values = examples.values
    if values is None:
        return
    specs = _by_input(values, spec)
    if set(specs) != set(values):
        yield Fault(
            "the arrays are not those that the model takes: "
            + (some(sorted(values)) if "" not in values else "a single one"),
            hint="a single array beside the labels, of any name"
            if "" in specs
            else f"arrays {some(sorted(specs))}",
        )
        return
    for name in sorted(values):
        yield from _misfit(name, values[name], specs[name])


def _by_input(values: Mapping[str, Array], spec: TensorSpec | Specs) -> Specs:
    if not isinstance(spec, Mapping):
        return {"": spec}
    return {"": next(iter(spec.values()))} if len(spec) == 1 and "" in values else spec


def _misfit(name: str, array: Array, spec: TensorSpec) -> Iterator[Fault]:
    found = f"{name or 'x'} is {array.dtype} {array.shape}, the model takes {spec}"
    if hint := _other_kind(name or "x", array, spec):
        yield Fault(found, hint=hint)
    shape = spec.shape
    if not shape or _fits(array.shape, shape):  # any rank, or one example at a time
        return
    rest = [size for size in shape[1:] if size is not None]
    closed = len(rest) == len(shape) - 1
    if closed and int(np.prod(rest)) == int(np.prod(array.shape[1:])):
        form = ", ".join(map(str, (-1, *rest)))
        yield Fault(found, hint=f"{name or 'x'}.reshape({form}) has that shape")
    else:
        yield Fault(found, hint="the first axis counts the examples, the others are the model's")


def _other_kind(name: str, array: Array, spec: TensorSpec) -> str:
    """Return what helps where the values of `array` are of another kind than those of `spec`."""
    wanted, given = spec.dtype.name, array.dtype
    text = wanted == "string"
    if text != (given.kind in "SUO"):
        return "give words" if text else "give numbers"
    if issubclass(given.type, _NO_NUMBERS):
        return f"give numbers, as in {name}[column] of a table" if given.names else "give numbers"
    if given.kind == "c" and not wanted.startswith("complex"):
        return f"give real numbers, as in abs({name}), or {name}.real and {name}.imag beside it"
    if given.kind == "f" and "int" in wanted:
        return f"{name}.astype({wanted!r}), if these are whole numbers"
    return ""


def _fits(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    return len(shape) == len(wanted) and all(
        want in (None, size) for size, want in zip(shape[1:], wanted[1:], strict=True)
    )


def _of_labels(
    examples: Examples, recipe: Recipe, held_out: bool, notes: list[str]
) -> Iterator[Fault]:
    if not len(examples):
        yield Fault("there are no examples", hint="at least two of each class")
        return
    if recipe.task == "regression":
        return
    count = max(recipe.outputs, 2)
    labels = examples.labels
    known = labels[labels != NO_CLASS] if examples.broken else labels
    yield from _outside(examples, count)
    if examples.classes and len(examples.classes) != count:
        classes = f"{counted(len(examples.classes), 'class', 'classes')} for {count} outputs"
        hint = f"--outputs {len(examples.classes)}, or other classes"
        yield Fault(f"{classes}: {some(examples.classes)}", hint=hint)
    if not held_out:
        yield from _too_few(examples, recipe, known, count, notes)


def _outside(examples: Examples, count: int) -> Iterator[Fault]:
    if examples.classes:
        return
    labels = examples.labels
    outside = np.flatnonzero((labels < 0) | (labels >= count)).tolist()
    wrong = [at for at in outside if at not in examples.broken]
    if wrong:
        where = [f"{examples.names[at]}: {labels[at]}" for at in wrong]
        hint = f"labels count from 0; the highest found is {labels.max()}"
        if labels.min() >= 0:
            hint += f", so --outputs {labels.max() + 1}"
        yield Fault(f"labels outside 0 to {count - 1}", where, hint)


def _too_few(
    examples: Examples, recipe: Recipe, labels: np.ndarray, count: int, notes: list[str]
) -> Iterator[Fault]:
    """Yield what of the classes has too few examples to be learned, or to be split."""
    found, times = np.unique(labels, return_counts=True)
    called = dict(enumerate(examples.classes))
    if len(found) == 1:
        name = called.get(int(found[0]), found[0])
        yield Fault(f"all examples are of one class: {name}", hint="give examples of the others")
    single = [str(called.get(int(n), n)) for n, c in zip(found, times, strict=True) if c == 1]
    if single and recipe.validation_split > 0 and recipe.validation is None:
        hint = "give more of them, or --validation with examples of its own"
        yield Fault("classes with a single example, which cannot be split", single, hint)
    elif single:
        notes.append(f"classes with a single example: {some(single)}")
    missing = [number for number in range(count) if number not in set(found.tolist())]
    if len(found) < 2 or not missing:
        return
    if examples.classes:
        empty = [called[number] for number in missing if number in called]
        if empty:
            yield Fault("classes without an example", empty, "remove their folders, or fill them")
    elif found.max() < missing[-1]:
        classes = f"the labels are 0 to {found.max()}, the outputs {count}"
        yield Fault(classes, hint=f"--outputs {found.max() + 1}")
    else:
        notes.append(f"no example has the label {some(map(str, missing))}")


def _error(faults: Sequence[Fault]) -> DataError:
    """Return all `faults` as one error; of what many examples have the first are named."""
    lists = sum(bool(fault.where) for fault in faults)
    each = max(_LISTED // max(lists, 1), _FEWEST)
    lines = []
    for fault in sorted(faults, key=lambda fault: (bool(fault.where), fault.what)):
        if not fault.where:
            lines.append(fault.what)
            continue
        lines.append(f"{fault.what} ({len(fault.where):,}):")
        lines += [f"  {line}" for line in fault.where[:each]]
        rest = len(fault.where) - each
        lines += [f"  and {rest:,} more"] if rest > 0 else []
    hints = dict.fromkeys(fault.hint for fault in faults if fault.hint)
    return DataError(
        "the data cannot be learned from",
        found="\n         ".join(lines),
        hint="; ".join(hints),
    )
