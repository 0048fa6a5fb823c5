"""Apply the changes that plugins offer to a model, by their names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zoo import plugins
from zoo.errors import PluginError, ZooError
from zoo.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zoo.loaded import Loaded


def applied(loaded: Loaded, names: Iterable[str], model: Model) -> tuple[Model, list[str]]:
    """Return `model` changed by the transforms `names`, in their order, and a sentence for each.

    Raises
    ------
    UnknownNameError
        Nobody offers a transform of this name.
    PluginError
        One failed, or did not return a model.
    ZooError
        One refused the model.
    """
    chosen = [plugins.transform_named(loaded, name) for name in names]
    for transform in chosen:
        try:
            changed: object = transform.apply(model)
        except ZooError:
            raise
        except Exception as error:
            raise _failed(loaded, transform.name, f"{type(error).__name__}: {error}") from error
        if not isinstance(changed, Model):
            found = f"it returned {type(changed).__name__}, where a Model is wanted"
            raise _failed(loaded, transform.name, found)
        kept = changed.trust == model.trust
        model = changed if kept else replace(changed, trust=model.trust)
    return model, [f"applied {one.name}: {one.summary}" for one in chosen]


def _failed(loaded: Loaded, name: str, found: str) -> PluginError:
    owner = loaded.owners["zoo_transforms", name]
    return PluginError(
        f"the transform {name!r} failed", found=found, hint=f"it is of the plugin {owner}"
    )
