"""A fine-tuned model gets a name in the user's registry, and what the name is worth to others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo import atomic, home, names, registering
from zoo.errors import UsageError
from zoo.names import NAME_RULE
from zoo_finetune import model_card

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from zoo.entries import Entry, Preprocessing
    from zoo.library import Library
    from zoo_finetune.finetuning import Trained
    from zoo_finetune.recipe import Recipe

_OF_THE_NET = ("inputs", "outputs", "head", "labels", "preprocessing")
"""What all weights of one name have in common."""


def require_free(
    library: Library, name: str, *, registry: Path | None = None, force: bool = False
) -> None:
    """Check, before hours of training, that a result can be registered as `name`.

    Raises
    ------
    UsageError
        It is no name, or its tag is taken and not to be replaced.
    """
    wanted = _reference(name)
    entry = _entry(library, wanted.name, registry or home.own_registry())
    tag = wanted.tag or registering.DEFAULT_TAG
    if entry is not None and tag in entry.weights and not force:
        raise UsageError(
            f"{wanted.name}:{tag} is registered already",
            hint=f"--force replaces it; or add a tag, as in {wanted.name}:v2",
        )


def require_same(
    library: Library,
    name: str,
    trained: Trained,
    *,
    base: Entry | None = None,
    registry: Path | None = None,
    force: bool = False,
) -> None:
    """Check, once net and data are known, that `name` is not that of another net.

    Parameters
    ----------
    trained
        With the model, head and classes that will be registered; its weights do not matter.

    Raises
    ------
    UsageError
        The name is taken by a model that is called in another way.
    """
    wanted, place = _reference(name), registry or home.own_registry()
    facts = _facts(wanted.name, trained, {}, base, base.preprocessing if base else None)
    there = _entry(library, wanted.name, place)
    if there is not None and not (force and _is_only(there, wanted)):
        _require_same(wanted.name, there, facts)


def register(
    library: Library,
    name: str,
    target: Path,
    trained: Trained,
    recipe: Recipe,
    record: Mapping[str, Any],
    *,
    base: Entry | None = None,
    preprocessing: Preprocessing | None = None,
    registry: Path | None = None,
    force: bool = False,
) -> registering.Registered:
    """Register the result at `target` as `name`, with its lineage and its card.

    The card is kept beside the registry, as ``cards/NAME.md``.  A further tag of a name is a model
    of the same inputs, outputs, head, labels and preprocessing with other weights.

    Parameters
    ----------
    record
        As `run_record.record` returns it.
    base
        What a registry says of the base model, if anything.
    preprocessing
        How a photo becomes an input; as the base has it by default.

    Raises
    ------
    UsageError
        The name is taken by a model that is called in another way.
    """
    wanted, place = _reference(name), registry or home.own_registry()
    prepared = preprocessing or (base.preprocessing if base else None)
    facts = _facts(wanted.name, trained, record, base, prepared)
    there = _entry(library, wanted.name, place)
    if there is not None and not (force and _is_only(there, wanted)):
        _require_same(wanted.name, there, facts)
        return registering.add(library, target, name, registry=place, force=force)
    page = model_card.card(
        wanted.name,
        trained,
        recipe,
        record,
        license=base.license if base else None,
        preprocessing=prepared,
    )
    with atomic.replacing(place.parent / facts["card"].removeprefix("file:")) as draft:
        draft.write_text(page, encoding="utf-8")
        return registering.add(library, target, name, registry=place, force=force, facts=facts)


def _facts(
    name: str,
    trained: Trained,
    record: Mapping[str, Any],
    base: Entry | None,
    preprocessing: Preprocessing | None,
) -> dict[str, Any]:
    """Return what the registry is to say, but for the weights."""
    signature, parent = trained.model.signature(), model_card.base_name(record)
    outputs = f"{trained.head.outputs} output{'s' * (trained.head.outputs != 1)}"
    facts: dict[str, Any] = {
        "summary": f"{parent} with a new last layer, {outputs}, trained on {_data(record)}",
        "inputs": {key: spec.tensor for key, spec in signature.inputs.items()},
        "outputs": {key: spec.tensor for key, spec in signature.outputs.items()},
        "head": {"features": trained.head.features, "logits": trained.head.logits},
        "preprocessing": preprocessing.model_dump(mode="json") if preprocessing else None,
        "labels": list(trained.classes),
        "license": base.license if base else None,
        "base_model": parent,
        "card": f"file:cards/{name}.md",
    }
    return {key: value for key, value in facts.items() if value}


def _data(record: Mapping[str, Any]) -> str:
    from pathlib import Path

    return Path(str(record.get("data", {}).get("path", ""))).name or "data of one's own"


def _reference(name: str) -> names.Reference:
    found = names.reference(name)
    if found is None:
        raise UsageError(f"{name!r} is no name", hint=NAME_RULE)
    return found


def _entry(library: Library, name: str, registry: Path) -> Entry | None:
    """Return what the file `registry` says of `name`, None if nothing."""
    if not registry.is_file():
        return None
    from zoo.registry import Registry

    found = Registry(registry, library.store.root)
    return found.entry(name) if name in found else None


def _is_only(there: Entry, wanted: names.Reference) -> bool:
    """Tell whether the entry is all about the weights `wanted`, and goes with them."""
    tag = wanted.tag or registering.DEFAULT_TAG
    return list(there.weights) == [tag] and there.architecture is None


def _require_same(name: str, there: Entry, facts: Mapping[str, Any]) -> None:
    """Check that a model with `facts` is called as the entry says."""
    known = there.model_dump(mode="json", exclude_none=True)
    other = [key for key in _OF_THE_NET if (known.get(key) or None) != facts.get(key)]
    if other:
        raise UsageError(
            f"{name} is registered already, and is another net",
            found=f"other {' and '.join(other)}",
            hint="choose another name; a tag stands for other weights of the same net",
        )
