"""What ``zoo scan`` says of a model, whatever names it: its files looked through, none executed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo import detect, plugins, ruling
from zoo.errors import ZooError
from zoo.located import BUILT
from zoo.scanned_files import Look
from zoo.scanning import look
from zoo.sightings import Sightings
from zoo.whereabouts import whereabouts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from zoo.formats import Format
    from zoo.library import Library
    from zoo.model import Model

_SEVERAL, _UNKNOWN = "several", "unknown"


def scan(library: Library, ref: str | Path) -> dict[str, Any]:
    """Return the document of ``zoo scan --json`` for what `ref` means.

    Raises
    ------
    UnknownNameError
        Nothing has this name, or nothing lies there.
    """
    place = whereabouts(library, ref)
    path, architecture = place.path, place.architecture
    if path is None:
        seen, form = _built(library, ref), BUILT
    else:
        seen, form = _lying(library, path)
        if architecture:
            seen.notes.append(f"its graph is built by a plugin: {architecture}")
    return {"path": None if path is None else str(path), "format": form, **seen.facts()}


def _built(library: Library, ref: str | Path) -> Sightings:
    """Return what is in a model that a plugin builds."""
    model = library.open(ref).model
    seen, scanned = Sightings(), look(model.meta_graph)
    seen.add(scanned.findings, scanned.levels())
    seen.add(ruling.found_by_rules(library.plugins, lambda: model))
    return seen


def _lying(library: Library, path: Path) -> tuple[Sightings, str]:
    """Return what is in the files at `path`, and their format."""
    forms = plugins.formats(library.plugins)
    seen = Look(lambda file: _model_at(file, forms)).through(path)
    found = ruling.found_by_rules(library.plugins, lambda: _model_at(path, forms))
    if found:
        seen.add(found)
    return seen, _format(path, forms)


def _model_at(path: Path, forms: Mapping[str, Format]) -> Model | None:
    """Return the model at `path` as far as it is there; None where that takes more than reading."""
    try:
        found = detect.find(path, forms)
        if found is None or found.form.facts is not None:
            return None
        return found.form.looked_at(found.path, {})
    except ZooError:
        return None


def _format(path: Path, forms: Mapping[str, Format]) -> str:
    """Return what ``zoo inspect`` calls what lies at `path`."""
    try:
        found = detect.find(path, forms)
        if found is not None:
            return found.form.variant(found.path) if found.form.variant else found.form.name
        from zoo import kinds

        others = (kind for kind in kinds.KINDS if detect.find(path, {kind.name: kind}))
        return next((kind.name for kind in others), _UNKNOWN)
    except ZooError:
        return _SEVERAL if path.is_dir() else _UNKNOWN
