"""Why a file does not load, or loads and disappoints: every question asked, the answers ranked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo import (
    ailing_checkpoints,
    ailing_files,
    ailing_graphs,
    ailing_keras,
    ailing_operations,
    ailing_signatures,
    registered,
)
from zoo.diagnosis import SEVERITIES, Case, Diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from zoo.formats import Format

QUESTIONS = (
    *ailing_files.QUESTIONS,
    *ailing_checkpoints.QUESTIONS,
    *ailing_signatures.QUESTIONS,
    *ailing_keras.QUESTIONS,
    *ailing_operations.QUESTIONS,
    *ailing_graphs.QUESTIONS,
)
"""What is asked of every file."""


def examine(
    path: Path,
    forms: Mapping[str, Format],
    others: Sequence[Callable[[Case], Iterable[Diagnosis]]] = (),
) -> dict[str, Any]:
    """Return the document of ``zoo doctor --json`` for what lies at `path`.

    Parameters
    ----------
    forms
        The installed formats, by name.
    others
        What is asked besides `QUESTIONS`, after them.
    """
    case = Case(path, forms)
    found = [diagnosis for question in (*QUESTIONS, *others) for diagnosis in question(case)]
    facts = case.facts
    return {
        "path": str(path),
        "format": facts["format"] if facts else None,
        "tensorflow": registered.installed() or None,
        "imported": not registered.by_table(),
        "diagnoses": [_plain(one) for one in sorted(found, key=_rank)],
    }


def _rank(diagnosis: Diagnosis) -> int:
    return SEVERITIES.index(diagnosis.severity)


def _plain(one: Diagnosis) -> dict[str, str]:
    return {
        "name": one.name,
        "severity": one.severity,
        "cause": one.cause,
        "found": one.found,
        "help": one.help,
    }
