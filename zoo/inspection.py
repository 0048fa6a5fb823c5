"""What is in this file: any path becomes one document, whatever lies there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo import detect
from zoo.describe import describe
from zoo.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from zoo.formats import Format


def inspect(
    path: Path, forms: Mapping[str, Format], options: Mapping[str, Any], tensors: str | None = None
) -> dict[str, Any]:
    """Return the document of ``zoo inspect --json`` for what lies at `path`.

    Parameters
    ----------
    forms
        The installed formats, by name.
    options
        What a format's ``load`` is given besides.
    tensors
        A pattern for names of tensors that are listed besides.

    Raises
    ------
    UnknownNameError
        Nothing lies there.
    FormatError
        It is damaged.
    UsageError
        It is several models.
    """
    found = detect.find(path, forms)
    if found is not None:
        return model_at(found.form, found.path, options, tensors)
    from zoo import kinds

    for kind in kinds.KINDS:
        other = detect.find(path, {kind.name: kind})
        if other is not None:
            return kind.facts(other.path, tensors)
    if path.is_file():
        return kinds.unknown(path)
    raise detect.nothing_in(path)


def model_at(
    form: Format, path: Path, options: Mapping[str, Any], tensors: str | None = None
) -> dict[str, Any]:
    """Return the document for the model at `path`, looked at as one of the format `form`."""
    if form.facts is not None:
        return form.facts(path, tensors)
    try:
        model = form.looked_at(path, options)
    except FormatError:
        from zoo import kinds

        document = kinds.graph_alone(path, tensors)
        if document is None:
            raise
        return document
    tag_sets = form.choices(path).get("tags", ()) if form.choices else ()
    called = form.variant(path) if form.variant else form.name
    return describe(model, called, path, tag_sets, tensors)
