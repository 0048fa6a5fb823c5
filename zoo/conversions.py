"""Conversions: a model read in one format and written in another, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import detect, plugins
from zoo.errors import WriteError
from zoo.library import Opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zoo.library import Library
    from zoo.model import Model


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
    """

    source: Opened
    target: Opened
    bytes: int
    repairs: tuple[str, ...]


def convert(
    library: Library,
    ref: str | Path,
    dest: str | Path,
    to: str,
    *,
    outputs: Iterable[str] = (),
    signature: str | None = None,
    force: bool = False,
    format: str | None = None,  # noqa: A002  (the word users know)
    options: Mapping[str, Any] | None = None,
    load_options: Mapping[str, Any] | None = None,
) -> Conversion:
    """Write the model that `ref` means to `dest`, in the format `to`.

    Parameters
    ----------
    outputs
        Signature outputs or tensors to keep, with what they need; by default all there are.
    signature
        The signature whose outputs are kept.
    force
        Whether what is at `dest` is replaced.
    format
        The format that the source is in; recognised by its contents if not given.
    options, load_options
        What saving and loading are given besides; the formats must declare them.

    Raises
    ------
    WriteError
        There is something at `dest`.
    """
    form = plugins.format_named(library.plugins, to)
    target = form.written_at(Path(dest), options or {})
    if not force and (target.is_file() or form.recognises(target)):
        raise WriteError(f"{target} exists", hint="--force replaces it; or choose another name")
    source = library.open(ref, format=format, options=load_options)
    model = _cut(source.model, list(outputs), signature)
    saved = library.save(model, dest, to, options)
    size = detect.size_of(saved.path)
    notes = (*library.left_at(source, load_options), *saved.notes)
    return Conversion(source, Opened(model, to, saved.path), size, notes)


def _cut(model: Model, outputs: list[str], signature: str | None) -> Model:
    """Return `model` with what the outputs named need; as it is if none is."""
    if not outputs and signature is None:
        return model
    stated = model.signature(signature).outputs
    if not outputs:
        return model.prune([spec.tensor for spec in stated.values()])
    return model.prune([stated[name].tensor if name in stated else name for name in outputs])
