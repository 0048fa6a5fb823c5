"""What plugins say of a file in ``zoo doctor``: their questions, and what their scan rules find."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from zoo import plugins
from zoo.diagnosis import SEVERITIES, WARNING, Case, Diagnosis
from zoo.errors import PluginError
from zoo.ruling import found_by

if TYPE_CHECKING:
    from zoo.findings import Finding
    from zoo.found_plugins import Plugin
    from zoo.loaded import Loaded
    from zoo.scan_rules import ScanRule

Ask = Callable[[Case], Iterable[Diagnosis]]


def of_plugins(loaded: Loaded) -> list[Ask]:
    """Return what plugins ask of a case; one that fails at it is set aside, and nothing is said."""
    asked: list[tuple[tuple[str, str], Ask]] = [
        (("zoo_diagnoses", name), one.ask) for name, one in plugins.diagnoses(loaded).items()
    ]
    asked += [
        (("zoo_scan_rules", name), partial(_found_by, rule))
        for name, rule in plugins.scan_rules(loaded).items()
    ]
    return [partial(_answer, loaded, loaded.owners[key], ask) for key, ask in asked]


def _answer(loaded: Loaded, plugin: Plugin, ask: Ask, case: Case) -> list[Diagnosis]:
    if plugin in loaded.broken:
        return []
    return loaded.guarded(plugin, lambda: _sound(ask(case))) or []


def _sound(found: Iterable[object]) -> list[Diagnosis]:
    """Return the diagnoses `found`, if that is what they are."""
    checked = []
    for one in found:
        if not isinstance(one, Diagnosis):
            raise PluginError("a question must return Diagnosis objects", found=type(one).__name__)
        if one.severity not in SEVERITIES:
            raise PluginError(f"a severity is one of {', '.join(SEVERITIES)}", found=one.severity)
        checked.append(one)
    return checked


def _found_by(rule: ScanRule, case: Case) -> list[Diagnosis]:
    return [] if case.model is None else [_told(rule, one) for one in found_by(rule, case.model)]


def _told(rule: ScanRule, finding: Finding) -> Diagnosis:
    return Diagnosis(rule.name, WARNING, finding.why, f"{finding.op} {finding.node}")
