"""Where files of the cache go that are not what they are called by: out of reach, but not lost."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from zoo import home

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "corrupt"


def set_aside(root: Path, path: Path) -> Path | None:
    """Move what lies at `path` out of reach; return where it is now.

    Where that is not possible, as in a cache that may only be read, it stays, and None is returned.
    """
    target = root / FOLDER / f"{path.name}.{secrets.token_hex(4)}"
    with suppress(OSError):
        home.made(target.parent, root)
        path.rename(target)
        return target
    return None
