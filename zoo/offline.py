"""Whether only this machine may be asked."""

from __future__ import annotations

import os


def is_offline(asked: bool = False) -> bool:
    """Tell whether no server may be asked: because somebody `asked` for it, or ``ZOO_OFFLINE``."""
    return asked or os.environ.get("ZOO_OFFLINE", "") not in ("", "0")
