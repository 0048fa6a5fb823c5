"""What was seen first: the sha256 of files whose upstream states none, kept as ssh keeps hosts.

``known.lock`` beside the user's own registry has a line for each: sha256, bytes, and what the file
is known by, the digest that upstream states or the address.  Taking a line out forgets it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import atomic, drafts, home
from zoo.addresses import bare, shown
from zoo.errors import RegistryError

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.store import Pin

NAME = "known.lock"
_HEAD = "# What zoo saw first: sha256, bytes, and what the file is known by.\n"
_LINE = re.compile(r"([0-9a-f]{64}) ([0-9]{1,16}) (\S+)")
_PATIENCE = 10.0


@dataclass(frozen=True)
class Seen:
    """What a file was when it was seen first."""

    sha256: str
    size: int


def key_of_digest(pin: Pin) -> str:
    """Return what a file is known by whose upstream states only these digests.

    >>> from zoo.store import Pin
    >>> key_of_digest(Pin((("md5", "00ff"),)))
    'md5:00ff'
    """
    return "+".join(f"{name}:{digest}" for name, digest in sorted(pin.digests))


def key_of_address(url: str) -> str:
    """Return what the file at `url` is known by, without what of an address may be a secret.

    >>> key_of_address("https://me:secret@example.org/net.pb?key=1")
    'https://example.org/net.pb?...5d5a2f99dc82'
    """
    address = bare(url)[0]
    query = address.partition("?")[2]
    digest = hashlib.sha256(query.encode()).hexdigest()[:12] if query else ""
    return shown(address).replace(" ", "%20") + digest


def path() -> Path:
    """Return the path of the file, whether it is there or not."""
    return home.own_registry().with_name(NAME)


def find(key: str) -> Seen | None:
    """Return what the file known by `key` was when it was seen first, None if it never was.

    Raises
    ------
    RegistryError
        The record has lines of another form: nothing is trusted anew then.
    """
    return _read().get(key)


def record(key: str, seen: Seen) -> None:
    """Keep what the file known by `key` is, unless something is known already."""
    place = path()
    place.parent.mkdir(parents=True, exist_ok=True)
    with drafts.alone(place.parent, _PATIENCE):
        known = {key: seen} | _read()
        lines = (f"{one.sha256} {one.size} {name}\n" for name, one in sorted(known.items()))
        with atomic.replacing(place) as draft:
            draft.write_text(_HEAD + "".join(lines), encoding="utf-8")


def _read() -> dict[str, Seen]:
    try:
        text = path().read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(f"{path()} cannot be read", found=str(error)) from error
    known = {}
    for number, line in enumerate(text.splitlines(), 1):
        found = _LINE.fullmatch(line)
        if found is not None:
            known[found[3]] = Seen(found[1], int(found[2]))
        elif line.strip() and not line.startswith("#"):
            raise RegistryError(
                f"{path()}:{number}: a line of another form",
                found=line[:80],
                hint="each has a sha256, a size and what the file is known by; take it out",
            )
    return known
