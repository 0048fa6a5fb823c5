"""How much may come of a file: what it claims is held against what it holds before room is taken.

Twenty times what it holds, and 1 GiB more, which ``ZOO_BUDGET`` replaces: honest files stay far
below that, and a few bytes that claim to be gigabytes do not.
"""

from __future__ import annotations

import os

from zoo import amounts, output
from zoo.errors import LimitError

VARIABLE = "ZOO_BUDGET"
MOST_AXES = 64
"""Axes that a numpy array has at most; TensorFlow counts to 254, and computes with 8."""
_RATIO, _SPARE = 20, 1 << 30


def spare() -> int:
    """Return the bytes that may come of any file, however small it is.

    Raises
    ------
    UsageError
        ``ZOO_BUDGET`` is no size.
    """
    stated = os.environ.get(VARIABLE)
    return amounts.size(stated) if stated else _SPARE


def most(held: int) -> int:
    """Return the bytes that may come of something that holds `held` bytes."""
    return _RATIO * held + spare()


def refuse(claimed: int, held: int, what: str) -> None:
    """Refuse `what` if `claimed` bytes are more than may come of the `held` ones.

    Raises
    ------
    LimitError
        They are.
    """
    if claimed > most(held):
        raise beyond(claimed, held, what)


def beyond(claimed: int, held: int, what: str) -> LimitError:
    """Return the error for `what` that would take `claimed` bytes and holds `held`."""
    return LimitError(
        f"{what} would take more room than a file of its size may",
        found=f"{output.size(held)} that would become {output.size(claimed)} or more",
        hint=f"if it is meant so, {VARIABLE}={_asked(claimed)} lets it",
    )


def _asked(claimed: int) -> str:
    """Return a size that is enough for `claimed` bytes, as people write it."""
    return f"{-(-claimed >> 30) if claimed < 1 << 60 else 1 << 30}GiB"
