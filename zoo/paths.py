"""Paths of files inside a model, which must mean one thing on every system and stay inside.

What Windows cannot have, or takes for something else, is refused everywhere: a model that is
registered here is fetched there.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

_LONGEST, _LONGEST_PART = 1024, 255
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


def fault(path: str) -> str:
    """Return what is wrong with `path` as that of a file of a model, empty if nothing is.

    >>> fault("variables/variables.index"), fault("../a"), fault("aux.txt")
    ('', "must be a relative path without '..'", 'must not be named after a device of Windows')
    """
    parts = PurePosixPath(path).parts
    if not parts or "\\" in path or path.startswith("/") or ".." in parts:
        return "must be a relative path without '..'"
    if len(path.encode()) > _LONGEST or any(len(p.encode()) > _LONGEST_PART for p in parts):
        return f"must have at most {_LONGEST} bytes, {_LONGEST_PART} between slashes"
    if not unicodedata.is_normalized("NFC", path):
        return "must be in Unicode's composed form, NFC"
    if any(unicodedata.category(letter) in ("Cc", "Cf") for letter in path):
        return "must have no control characters"
    return next(filter(None, map(_fault_of_part, parts)), "")


def _fault_of_part(part: str) -> str:
    if _DEVICE.fullmatch(part):
        return "must not be named after a device of Windows"
    if part.endswith((".", " ")):
        return "must have no part that ends with a dot or a space"
    if set(part) & set('<>:"|?*'):
        return 'must have none of <>:"|?*'
    return ""
