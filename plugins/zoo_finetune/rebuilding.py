"""Whether a run came out as it did before, and if not, what was different."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.errors import IntegrityError, UsageError, counted, some
from zoo_finetune import fingerprints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.model import Model

_NEEDED = {"base": ("model", "sha256"), "data": ("path", "sha256"), "weights": ()}


def require_record(facts: Mapping[str, Any], place: str) -> None:
    """Check that `facts` is the record of a run, and no recipe that a person wrote.

    Raises
    ------
    UsageError
        It does not say what the run was made of.
    """
    for section, keys in _NEEDED.items():
        stated = facts.get(section)
        if not isinstance(stated, dict) or any(key not in stated for key in keys):
            raise UsageError(
                f"{place} tells of no run",
                found=f"nothing on {section}",
                hint="`zoo finetune --config` follows a recipe for the first time",
            )


def require_same_source(old: Mapping[str, Any], *, base: str, data: str) -> None:
    """Check that a run begins with what the run of the record `old` began with.

    Parameters
    ----------
    base, data
        The digests of the model and of the examples, as they are now.

    Raises
    ------
    IntegrityError
        One of them changed since.
    """
    for section, key, now in (("base", "model", base), ("data", "path", data)):
        then = str(old[section]["sha256"])
        if then != now:
            raise IntegrityError(
                f"{old[section][key]} is not what it was when the model was made",
                found=f"sha256 {now[:12]}..., then {then[:12]}...",
                hint="bring back the files of then, or train anew with `zoo finetune --config`",
            )


def compare(
    old: Mapping[str, Any], model: Model, environment: Mapping[str, Any] | None = None
) -> tuple[bool, str]:
    """Return whether `model` has the weights of the record `old` byte for byte, and a sentence.

    Parameters
    ----------
    environment
        What the model was rebuilt in (`run_record.environment`), to say what is another than then.
    """
    then, now = dict(old["weights"]), fingerprints.of_weights(model)
    if then == now:
        return True, f"all {counted(len(now), 'weight')} came out byte for byte as before"
    parts = [
        (sorted(name for name in then.keys() & now.keys() if then[name] != now[name]), "differ"),
        (sorted(then.keys() - now.keys()), "are gone"),
        (sorted(now.keys() - then.keys()), "are new"),
    ]
    told = [f"{len(names)} {what} ({some(names, 3)})" for names, what in parts if names]
    causes = changes(old.get("made_by") or {}, environment or {})
    why = f"; what changed since: {', '.join(causes)}" if causes else ""
    return False, f"of {counted(len(then), 'weight')} {', '.join(told)}{why}"


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what is not as it was of two environments, as ``numpy 2.3 then, 2.4 now``."""
    if not now:
        return []
    return [
        f"{key} {_said(then.get(key))} then, {_said(now.get(key))} now"
        for key in dict.fromkeys([*then, *now])
        if then.get(key) != now.get(key)
    ]


def _said(value: object) -> str:
    return "not set" if value is None else str(value)
