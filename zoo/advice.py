"""What `doctor` knows of a file, told where the file fails: a hint for errors that have none."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import names, plugins
from zoo.errors import FormatError, RunError, ZooError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.library import Library

_QUOTED = re.compile(r"'([^']{8,})'")
_LEFT_OUT = re.compile(r"\.\.\.")


@contextmanager
def advising(library: Library, ref: str | Path) -> Iterator[Library]:
    """Give an error of the block the hint that ``zoo doctor`` has for what lies at `ref`.

    Only where `ref` is a path, the error has no hint, and one of the findings explains it: a file
    that is wrong, or the words in which TensorFlow says so.
    """
    try:
        yield library
    except (FormatError, RunError) as error:
        if not error.hint and _is_path(library, ref):
            error.hint = _hint(Path(ref), library, error)
        raise


def _is_path(library: Library, ref: str | Path) -> bool:
    """Tell whether `ref` is neither a registered name nor a URL."""
    named = names.reference(ref) if isinstance(ref, str) else None
    registered = named is not None and named.name in library.catalogue
    return not registered and "://" not in str(ref)


def _hint(path: Path, library: Library, error: ZooError) -> str:
    """Return what helps against `error`, nothing where no finding explains it."""
    from zoo import doctor

    try:
        found = doctor.examine(path, plugins.formats(library.plugins))["diagnoses"]
    except (ZooError, OSError):
        return ""
    one = next((one for one in found if _explains(one, error)), None)
    if one is None:
        return ""
    return f"{one['help']} (`zoo doctor {path}` says more)" if one["help"] else ""


def _explains(one: dict[str, Any], error: ZooError) -> bool:
    """Tell whether the finding `one` is why `error` came about."""
    words = f"{error.problem} {error.found}"
    if isinstance(error, RunError):
        parts = [p.strip() for q in _QUOTED.findall(one["cause"]) for p in _LEFT_OUT.split(q)]
        return any(part in words for part in parts if part)
    from zoo.diagnosis import ERROR

    severity: str = one["severity"]
    return severity == ERROR
