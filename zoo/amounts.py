"""Amounts as people type them: ``20GB``, ``30d``."""

from __future__ import annotations

import re

from zoo.errors import UsageError

_AMOUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")
_BYTES: dict[str, int] = {
    "": 1,
    "B": 1,
    **{f"{letter}B": 1000**n for n, letter in enumerate("KMGTP", 1)},
    **{f"{letter}IB": 1024**n for n, letter in enumerate("KMGTP", 1)},
}
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def size(text: str) -> int:
    """Return the number of bytes that `text` says.

    >>> size("20GB"), size("1.5GiB"), size("0")
    (20000000000, 1610612736, 0)

    Raises
    ------
    UsageError
        It says none.
    """
    found = _AMOUNT.fullmatch(text)
    if found is None or found[2].upper() not in _BYTES:
        raise UsageError(f"{text!r} is no size", hint="write a number of bytes, as in 20GB or 1GiB")
    return round(float(found[1]) * _BYTES[found[2].upper()])


def duration(text: str) -> float:
    """Return the seconds that `text` says.

    >>> duration("30d"), duration("12h")
    (2592000.0, 43200.0)

    Raises
    ------
    UsageError
        It says none.
    """
    found = _AMOUNT.fullmatch(text)
    if found is None or found[2] not in _SECONDS:
        raise UsageError(
            f"{text!r} is no length of time", hint="write one as in 30d, 12h or 2w (s, m, h, d, w)"
        )
    return float(found[1]) * _SECONDS[found[2]]


def ago(seconds: float) -> str:
    """Return how long ago something was, for people; what lies in the future is now.

    >>> ago(-60), ago(90), ago(200_000)
    ('now', '1 m ago', '2 d ago')
    """
    unit = next((u for u in "wdhm" if seconds >= _SECONDS[u]), "")
    return f"{int(seconds / _SECONDS[unit])} {unit} ago" if unit else "now"
