"""A registry of TensorFlow models: fetch, inspect, run, convert and fine-tune them.

This module is a face: it hands on names from the rooms behind it, each loaded when it is first
used, so that ``import zoo`` is a matter of milliseconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from zoo import after_keras
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.api import apply, convert, diff, fetch, inspect, list_models, load, save, scan
    from zoo.architectures import Architecture
    from zoo.diagnosis import Diagnosis, Question
    from zoo.findings import Finding
    from zoo.formats import Format, Option, Saved
    from zoo.hookspecs import hookimpl
    from zoo.model import Model
    from zoo.scan_rules import ScanRule
    from zoo.signatures import Signature
    from zoo.sources import Source
    from zoo.specs import TensorSpec
    from zoo.transforms import Transform
    from zoo.trust import Trust, trusting
    from zoo.weights import Weights
    from zoo_finetune.api import finetune

__version__ = "0.1.0"

__all__ = [
    "Architecture",
    "Diagnosis",
    "Finding",
    "Format",
    "Model",
    "Option",
    "Question",
    "Saved",
    "ScanRule",
    "Signature",
    "Source",
    "TensorSpec",
    "Transform",
    "Trust",
    "Weights",
    "ZooError",
    "apply",
    "convert",
    "diff",
    "fetch",
    "finetune",
    "hookimpl",
    "inspect",
    "list_models",
    "load",
    "save",
    "scan",
    "trusting",
]

_ROOMS = {
    "zoo.api": (
        "apply", "convert", "diff", "fetch", "inspect", "list_models", "load", "save", "scan",
    ),
    "zoo.architectures": ("Architecture",),
    "zoo.diagnosis": ("Diagnosis", "Question"),
    "zoo.formats": ("Format", "Option", "Saved"),
    "zoo.hookspecs": ("hookimpl",),
    "zoo.model": ("Model",),
    "zoo.findings": ("Finding",),
    "zoo.scan_rules": ("ScanRule",),
    "zoo.signatures": ("Signature",),
    "zoo.sources": ("Source",),
    "zoo.specs": ("TensorSpec",),
    "zoo.transforms": ("Transform",),
    "zoo.trust": ("Trust", "trusting"),
    "zoo.weights": ("Weights",),
    "zoo_finetune.api": ("finetune",),
}  # fmt: skip
_ROOM = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _ROOM:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    return getattr(import_module(_ROOM[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


after_keras.register()
