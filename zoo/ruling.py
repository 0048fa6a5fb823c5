"""What the scan rules of plugins find in a model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from zoo import plugins
from zoo.errors import PluginError
from zoo.findings import LEVELS, Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo.loaded import Loaded
    from zoo.model import Model
    from zoo.scan_rules import ScanRule


def found_by_rules(loaded: Loaded, model: Callable[[], Model | None]) -> list[Finding]:
    """Return what the scan rules of plugins find; a rule that fails is set aside.

    Parameters
    ----------
    model
        Returns the model that they look at; asked where there is a rule.
    """
    rules = plugins.scan_rules(loaded)
    seen = model() if rules else None
    if seen is None:
        return []
    found: list[Finding] = []
    for name, rule in rules.items():
        plugin = loaded.owners["zoo_scan_rules", name]
        if plugin not in loaded.broken:
            find = partial(found_by, rule, seen)
            found += loaded.guarded(plugin, find) or []
    return found


def found_by(rule: ScanRule, model: Model) -> list[Finding]:
    """Return what `rule` finds in `model`, if that is what a rule must return.

    Raises
    ------
    PluginError
        It is not.
    """
    found = list(rule.find(model))
    for one in found:
        if not isinstance(one, Finding):
            raise PluginError("a rule must return Finding objects", found=type(one).__name__)
        if one.level not in LEVELS:
            raise PluginError(f"a level is one of {', '.join(LEVELS)}", found=one.level)
    return found
