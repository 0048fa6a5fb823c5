"""What a registry may say of itself so that an old copy of it is not taken for the newest.

``serial`` is a number that grows with each edition; ``expires`` is the last day of this one.
The idea is that of The Update Framework, whose metadata have versions and expiry dates.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

RULES = {"serial": "a whole number", "expires": "a date, as in 2031-12-31"}
_SERIAL = re.compile("[0-9]{1,15}")


def is_fact(key: str, value: object) -> bool:
    """Tell whether a registry may say `value` under `key`.

    >>> is_fact("serial", "7"), is_fact("expires", "2031-13-01")
    (True, False)
    """
    if not isinstance(value, str):
        return False
    return bool(_SERIAL.fullmatch(value)) if key == "serial" else _day(value) is not None


def is_older(serial: str | None, known: str | None) -> bool:
    """Tell whether an edition is older than the one that is known; one without a number is.

    >>> is_older("9", "10"), is_older(None, "1"), is_older(None, None)
    (True, True, False)
    """
    return known is not None and int(serial or 0) < int(known)


def is_over(expires: str | None, today: date | None = None) -> bool:
    """Tell whether the last day of an edition has gone by; `today` is that of the clock."""
    day = _day(expires or "")
    return day is not None and day < (today or datetime.now(UTC).date())


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        return None
