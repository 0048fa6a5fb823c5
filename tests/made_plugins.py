"""Plugins whose modules are made in the test that uses them."""

import sys
import types
from importlib.metadata import EntryPoint, entry_points

from zoo.hookspecs import hookimpl

BUNDLED = list(entry_points(group="zoo"))


class Distribution:
    """What is asked of a distribution."""

    def __init__(self, name):
        self.name, self.version = name, "1"


def plugin(name, distribution="strange", **members):
    """Return the entry point of a module that is made here."""
    module = types.ModuleType(f"made_{name}_{distribution}")
    module.zoo_api = 1
    for key, value in members.items():
        setattr(module, key, value)
    sys.modules[module.__name__] = module
    return EntryPoint(name, module.__name__, "zoo")._for(Distribution(distribution))


def offers(hook, *things):
    """Return what implements `hook` by offering `things`."""
    return hookimpl(lambda: list(things), specname=hook)
