"""Keras learns of our layer when it is imported, before or after zoo, and not a moment earlier.

A saved Keras model names the classes of its layers; Keras finds those that are registered, and
imports nothing for it.  Importing Keras takes seconds, so zoo waits until somebody else does.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_KERAS, _LAYER = "keras", "zoo.keras_layer"


class _Waiting:
    """Finds Keras as everybody does, and has our layer imported after it.

    It is no `importlib.abc.MetaPathFinder`: importing that costs 16 ms, of every command.
    """

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,  # noqa: ARG002  (the form that Python asks for)
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return how to import Keras, None for everything else."""
        if name != _KERAS or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = cast("Loader", _Then(spec.loader))
        return spec


class _Then:
    """Loads as `loader` does, and then imports our layer."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to the loader."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module, then import our layer."""
        self.loader.exec_module(module)
        _make_layer()


def _make_layer() -> None:
    importlib.import_module(_LAYER).layer_class()


def register() -> None:
    """Have the layer imported as soon as Keras is, now if it is already."""
    if _KERAS in sys.modules:
        _make_layer()
    else:
        sys.meta_path.insert(0, _Waiting())
