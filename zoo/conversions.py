"""Conversions: a model read in one format and written in another, and what became of it."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import detect, drafts, output, plugins, work
from zoo.alterations import NONE as UNALTERED
from zoo.alterations import Alterations
from zoo.applying import applied
from zoo.cutting import ALL, Wanted, prepared
from zoo.engine import tensorflow
from zoo.opened import Opened
from zoo.renaming import NONE, Wishes
from zoo.repairs import USUAL, Choice
from zoo.targets import refuse_taken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
        A sentence for each thing that was changed or left out, one that can be switched off with
        its name in front: ``"devices: ..."``.
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
    wanted: Wanted = ALL,
    wishes: Wishes = NONE,
    apply: Sequence[str] = (),
    altering: Alterations = UNALTERED,
    repairs: Choice = USUAL,
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
    wanted
        The outputs to keep, with what they need, and under which names; by default all there are.
    wishes
        A graph to attach the weights to, and what becomes of them before.
    apply
        Names of transforms, which change the model as it was read, in this order.  What is verified
        is that the target computes what the model does after them.
    altering
        Other shapes and names of inputs and outputs, weights in half precision.
    repairs
        What is repaired of the graph, where other than usual.
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
    model, told = applied(library.plugins, apply, model)
    ready = prepared(model, wanted, repairs, outputs_only=not form.signatures)
    model, altered = altering.made(ready.model, signatures=form.signatures)
    proof = None
    if verify is not None:
        called = {} if form.signatures else altering.called(ready.model, model)
        moved = {**ready.moved, **{new: ready.moved.get(old, old) for new, old in called.items()}}
        asked = replace(verify, feeds=ready.feeds, moved=moved)
        proof = _proven(form, ready.reference, model, target, options or {}, asked)
    left = _left_at(library, read, load_options)  # before it is replaced, if it is
    with work.counted(f"writing {target.name}", model.weights.nbytes):
        saved = library.save(model, dest, to, options)
    size = detect.size_of(saved.path)
    wished = wishes.told() if read.model.attached is None and read.model.graph.node else []
    notes = (*left, *wished, *told, *ready.notes, *altered, *saved.notes)
    return Conversion(read, Opened(model, to, saved.path), size, notes, proof)


def _left_at(library: Library, opened: Opened, options: Mapping[str, Any] | None) -> Sequence[str]:
    """Return a sentence for each thing that lies beside `opened` and is no part of it."""
    if opened.path is None:
        return ()
    form = plugins.format_named(library.plugins, opened.format)
    return form.left_at(opened.path, options or {})


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
    from zoo.plain import JUDGES
    from zoo.verifying import verify

    if form.judge is not None and form.judge not in JUDGES:
        model.guard.require_whole()
    with output.hushed():
        tensorflow()
    with drafts.drafting(target.parent, target.name) as room:
        with work.counted(f"writing {target.name} to verify it", model.weights.nbytes):
            draft = form.write(model, room / target.name, options).path
        written = replace(form.read(draft, {}), trust=original.trust)
        own = functools.partial(_own, written)
        opening = own if form.judge is None else functools.partial(form.judge, draft)
        return verify(original, model, written, opening, asked)


@contextmanager
def _own(model: Model) -> Iterator[Run]:
    """Have zoo run what only zoo reads."""
    yield lambda feeds, fetches: list(model.run(list(fetches), feeds))
    model.close()
