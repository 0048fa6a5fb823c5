"""The models that a user trusts, each by the digest that it had then: ``zoo trust``.

``trusted.json`` beside the user's own registry has them.  What others could have written there
counts for nothing.  A model that was changed has another digest, and is not trusted.
"""

from __future__ import annotations

import json
import re
import stat
import warnings
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import atomic, disk, drafts, findings, home
from zoo.digests import file_digest, folder_digest
from zoo.errors import AccessError, RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from zoo.trust import Parts

NAME = "trusted.json"
VERSION = 1
PRIVATE = 0o600
_PATIENCE = 10.0
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Trusted:
    """A model that is trusted.

    Attributes
    ----------
    sha256
        Its digest, see `digest`.
    name
        What it was called: a registered name, an absolute path, an address.
    date
        When it was trusted, ``"2026-11-21T23:00:00Z"``.
    levels
        What was found in it then that is beyond the usual.
    """

    sha256: str
    name: str
    date: str
    levels: tuple[str, ...] = ()

    @classmethod
    def now(cls, sha256: str, name: str, levels: Iterable[str]) -> Trusted:
        """Return a model that is trusted from now on, `levels` in the order of their gravity."""
        found = {*levels}
        kept = tuple(level for level in findings.LEVELS if level in found)
        return cls(sha256, name, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), kept)


def path() -> Path:
    """Return the path of the user's file, whether it is there or not."""
    return home.own_registry().with_name(NAME)


def digest(parts: Parts) -> str:
    """Return the digest of a model that consists of `parts`.

    Of one file that is its sha256; of several that over the sorted lines
    ``path NUL size NUL sha256 LF``; nothing of none.
    """
    if not parts:
        return ""
    files = [(name, Path(place).resolve()) for name, place in parts]
    if len(files) == 1:
        return file_digest(files[0][1])
    return folder_digest((name, one.stat().st_size, file_digest(one)) for name, one in files)


def find(sha256: str) -> Trusted | None:
    """Return the model of this digest if it is trusted.

    Raises
    ------
    RegistryError
        The user's file is damaged: nothing is trusted by it then.
    """
    return _read().get(sha256)


def listed() -> list[Trusted]:
    """Return all models that are trusted, by name, the oldest first."""
    return sorted(_read().values(), key=lambda one: (one.name, one.date))


def add(new: Trusted) -> Path:
    """Trust `new` from now on; return the file that says so."""
    return _edited(lambda known: known | {new.sha256: new})


def remove(gone: Iterable[str]) -> Path:
    """Trust the models with the digests `gone` no longer; return the file that said so."""
    out = {*gone}
    return _edited(lambda known: {key: one for key, one in known.items() if key not in out})


def _edited(edit: Callable[[dict[str, Trusted]], dict[str, Trusted]]) -> Path:
    """Have in the user's file what `edit` makes of it, one process at a time."""
    place = path()
    with disk.written(place):
        place.parent.mkdir(parents=True, exist_ok=True)
    with drafts.alone(place.parent, _PATIENCE):
        if place.exists() and not home.is_ours(place):
            hint = f"look whether it is as you left it, then: chmod 600 {place}"
            raise AccessError(f"{place} is not changed: others can write it", hint=hint)
        known = edit(_read())
        facts = {key: asdict(one) for key, one in sorted(known.items())}
        for one in facts.values():
            del one["sha256"]
        text = json.dumps({"version": VERSION, "models": facts}, indent=2, ensure_ascii=False)
        if place.exists():
            place.chmod(PRIVATE)  # the new one has the permissions of the one that it replaces
        with atomic.replacing(place) as draft:
            draft.touch(PRIVATE)
            draft.write_text(text + "\n", encoding="utf-8")
    return place


def _read() -> dict[str, Trusted]:
    place = path()
    try:
        text = place.read_text(encoding="utf-8") if _is_ours(place) else ""
        document: Any = json.loads(text) if text else {"version": VERSION, "models": {}}
        if document["version"] == VERSION:
            return {key: _one(key, facts) for key, facts in document["models"].items()}
        found = f"version {document['version']}"
    except FileNotFoundError:
        return {}
    except (OSError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        found = f"no {error}" if isinstance(error, KeyError) else str(error)
    raise RegistryError(
        f"{place} cannot be read, and nothing is trusted by it",
        found=found[:200],
        hint="move it away, and trust your models again: zoo trust REF",
    )


def _one(sha256: str, facts: dict[str, Any]) -> Trusted:
    """Return what the file says of the model `sha256`.

    Raises
    ------
    ValueError
        It says something else.
    """
    one = Trusted(sha256, facts["name"], facts["date"], tuple(facts["levels"]))
    texts = (one.name, one.date, *one.levels)
    if not _DIGEST.fullmatch(sha256) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{sha256[:80]!r} is no model")
    return one


def _is_ours(place: Path) -> bool:
    """Tell whether nobody else can have written the file at `place`; say it where somebody can."""
    if not home.is_ours(place):
        warnings.warn(
            f"{place} is passed over: others can write it, and no model is trusted by their word",
            stacklevel=4,
        )
        return False
    if place.stat().st_mode & (stat.S_IROTH | stat.S_IRGRP):
        warnings.warn(f"others can read {place}: chmod 600 keeps it to yourself", stacklevel=4)
    return True
