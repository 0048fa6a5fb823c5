"""Examples below the help of a command, one a line."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """Return what click prints behind the options: `lines` as they are, under a heading."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
