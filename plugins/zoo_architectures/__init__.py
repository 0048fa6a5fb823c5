"""Nets that are built by functions: the toy adder, the VGGs, a small VGG that reads digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.architectures import Architecture
from zoo.hookspecs import hookimpl
from zoo_architectures.adder import toy_adder
from zoo_architectures.vgg import aliases, vgg11, vgg13, vgg16, vgg19, vgg_digits

if TYPE_CHECKING:
    from collections.abc import Iterable

zoo_api = 1

__all__ = ["toy_adder", "vgg11", "vgg13", "vgg16", "vgg19", "vgg_digits"]


@hookimpl
def zoo_architectures() -> Iterable[Architecture]:
    """Offer the nets of this package."""
    vggs = [
        Architecture(
            build.__name__,
            f"VGG-{build.__name__[3:]} (configuration {letter}), 224 x 224 x 3, 1000 outputs",
            build,
            aliases,
        )
        for letter, build in {"A": vgg11, "B": vgg13, "D": vgg16, "E": vgg19}.items()
    ]
    return [
        Architecture("toy-adder", "(w1 + w2) * bias", toy_adder),
        *vggs,
        Architecture("vgg-digits", "a small VGG, 8 x 8 x 1, ten digits", vgg_digits, aliases),
    ]
