"""Conversions: a model read in one format and written in another, and what became of it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import detect, drafts, output, plugins
from zoo.alterations import NONE as UNALTERED
from zoo.alterations import Alterations
from zoo.engine import tensorflow
from zoo.errors import UsageError, some
from zoo.graph import by_name, source, upstream
from zoo.library import Opened
from zoo.renaming import NONE, Wishes
from zoo.signatures import DEFAULT
from zoo.targets import refuse_taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zoo.both_sides import Asked
    from zoo.formats import Format
    from zoo.library import Library
    from zoo.model import Model
    from zoo.plain import Run
    from zoo.verifying import Verified


@dataclass(frozen=True)
class Conversion:
    """What a conversion did.

    Attributes
    ----------
    source, target
        The model before and after.
    bytes
        Size of the target.
    repairs
        A sentence for each thing that was changed or left out.
    verified
        What a verification found; None where none was asked for.
    """

    source: Opened
    target: Opened
    bytes: int
    repairs: tuple[str, ...]
    verified: Verified | None = None


def convert(
    library: Library,
    ref: str | Path,
    dest: str | Path,
    to: str,
    *,
    inputs: Mapping[str, str] | None = None,
    outputs: Iterable[str] | Mapping[str, str] = (),
    signature: str | None = None,
    wishes: Wishes = NONE,
    altering: Alterations = UNALTERED,
    clear_devices: bool = False,
    force: bool = False,
    format: str | None = None,  # noqa: A002  (the word users know)
    options: Mapping[str, Any] | None = None,
    load_options: Mapping[str, Any] | None = None,
    verify: Asked | None = None,
) -> Conversion:
    """Write the model that `ref` means to `dest`, in the format `to`.

    Parameters
    ----------
    inputs
        Tensors by the names that the new signature has for them.
    outputs
        Signature outputs or tensors to keep, with what they need; by default all there are.  Given
        by name, they are the outputs of a new signature.
    signature
        The signature whose outputs are kept; with names, what the new one is called.
    wishes
        A graph to attach the weights to, and what becomes of them before.
    altering
        Other shapes and names of inputs and outputs, weights in half precision.
    clear_devices
        Whether operations are freed of the devices that the source names.
    force
        Whether what is at `dest` is replaced.
    format
        The format that the source is in; recognised by its contents if not given.
    options, load_options
        What saving and loading are given besides; the formats must declare them.
    verify
        How it is verified that the target computes what the source does; not at all by default.

    Raises
    ------
    WriteError
        There is something at `dest`, see `zoo.targets`.
    DifferenceError
        The target computes something else; nothing is at `dest` then but what was there.
    """
    form = plugins.format_named(library.plugins, to)
    target = form.written_at(Path(dest), options or {})
    refuse_taken(library.plugins, form, Path(dest), target, force=force)
    read = library.open(ref, format=format, wishes=wishes, options=load_options)
    model = read.model.placed(None) if clear_devices else read.model
    model = _chosen(model, inputs or {}, outputs, signature)
    model, altered = altering.made(model, signatures=form.signatures)
    proof = None
    if verify is not None:
        _refuse_renamed(form, altering)
        proof = _proven(form, read.model, model, target, options or {}, verify)
    left = library.left_at(read, load_options)  # before it is replaced, if it is
    saved = library.save(model, dest, to, options)
    size = detect.size_of(saved.path)
    notes = (*left, *altered, *saved.notes)
    return Conversion(read, Opened(model, to, saved.path), size, notes, proof)


def _chosen(
    model: Model,
    inputs: Mapping[str, str],
    outputs: Iterable[str] | Mapping[str, str],
    signature: str | None,
) -> Model:
    """Return `model` with the outputs that are wanted, under the names that they are given."""
    if inputs or isinstance(outputs, Mapping):
        return _signed(model, inputs, outputs, signature)
    return _cut(model, [outputs] if isinstance(outputs, str) else [*outputs], signature)


def _refuse_renamed(form: Format, altering: Alterations) -> None:
    """Refuse to verify where the names by which both sides are compared are given away."""
    if not form.signatures and (altering.inputs or altering.outputs):
        raise UsageError(
            f"--verify goes by names, which {form.name} has only of the nodes that are renamed",
            hint="verify without renaming first, then rename",
        )


def _proven(
    form: Format,
    original: Model,
    model: Model,
    target: Path,
    options: Mapping[str, Any],
    asked: Asked,
) -> Verified:
    """Return what comes of comparing `original` with what `form` writes of `model`.

    It is written beside the target for that, and gone afterwards: the same model is written as the
    same bytes.
    """
    from zoo.verifying import verify

    with output.hushed():
        tensorflow()
    with drafts.drafting(target.parent, target.name) as room:
        draft = form.write(model, room / target.name, options).path
        written = form.read(draft, {})
        own = functools.partial(_own, written)
        opening = own if form.judge is None else functools.partial(form.judge, draft)
        return verify(original, model, written, opening, asked)


@contextmanager
def _own(model: Model) -> Iterator[Run]:
    """Have zoo run what only zoo reads."""
    yield lambda feeds, fetches: list(model.run(list(fetches), feeds))
    model.close()


def _cut(model: Model, outputs: list[str], signature: str | None) -> Model:
    """Return `model` with what the outputs named need; as it is if none is."""
    if not outputs and signature is None:
        return model
    stated = model.signature(signature).outputs
    if not outputs:
        return model.prune([spec.tensor for spec in stated.values()])
    return model.prune([stated[name].tensor if name in stated else name for name in outputs])


def _signed(
    model: Model,
    inputs: Mapping[str, str],
    outputs: Iterable[str] | Mapping[str, str],
    key: str | None,
) -> Model:
    """Return `model` with what `outputs` need, and a signature `key` with these names."""
    if not isinstance(outputs, Mapping):
        outputs = {source(name): name for name in outputs or model.outputs()}
    pruned = model.prune(outputs.values())
    if not inputs:
        shown = pruned.signature().inputs
        inputs = {name: spec.tensor for name, spec in shown.items()}
    _check_suffice(pruned, inputs, outputs)
    return pruned.with_signature(inputs, outputs, key or DEFAULT)


def _check_suffice(model: Model, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    nodes = by_name(model.graph)
    given = {source(tensor) for tensor in inputs.values()}
    needed = upstream(nodes, outputs.values(), stop=given) - given
    missing = sorted(name for name in needed if nodes[name].op == "Placeholder")
    if missing:
        raise UsageError(
            "the inputs named do not suffice for the outputs",
            found=f"{some(missing)} would be left to feed",
            hint="name them too, as in -i NAME=TENSOR",
        )
