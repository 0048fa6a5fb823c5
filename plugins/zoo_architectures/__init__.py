"""Nets that are built by functions: the toy adder, the VGGs, a small VGG that reads digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.architectures import Architecture
from zoo.hookspecs import hookimpl
from zoo_architectures.adder import toy_adder
from zoo_architectures.vgg import vgg11, vgg13, vgg16, vgg19, vgg_digits

if TYPE_CHECKING:
    from collections.abc import Iterable

zoo_api = 1

__all__ = ["toy_adder", "vgg11", "vgg13", "vgg16", "vgg19", "vgg_digits"]


@hookimpl
def zoo_architectures() -> Iterable[Architecture]:
    """Offer the nets of this package."""
    return [
        Architecture("toy-adder", "(w1 + w2) * bias", toy_adder),
        Architecture("vgg11", "VGG-11 (configuration A), 224 x 224 x 3, 1000 outputs", vgg11),
        Architecture("vgg13", "VGG-13 (configuration B), 224 x 224 x 3, 1000 outputs", vgg13),
        Architecture("vgg16", "VGG-16 (configuration D), 224 x 224 x 3, 1000 outputs", vgg16),
        Architecture("vgg19", "VGG-19 (configuration E), 224 x 224 x 3, 1000 outputs", vgg19),
        Architecture("vgg-digits", "a small VGG, 8 x 8 x 1, ten digits", vgg_digits),
    ]
