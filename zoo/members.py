"""A member of an archive, and the names that members may have.

A name is refused where it would lie outside of the folder, where Windows would make something else
of it, where it reads like another, or where no file system takes it: on every system alike, so
that an archive that unpacks here unpacks everywhere.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILE, FOLDER = "file", "folder"

LONGEST, LONGEST_PART, DEEPEST = 1024, 255, 32
"""Bytes of a name and of a part of one between slashes; parts."""
_DRIVE = re.compile(r"[A-Za-z]:")
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)
_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""Classes of the letters that change the direction of a text, so that it shows as another."""
_UNSEEN = {"Cc", "Cs", "Zl", "Zp"}


@dataclass(frozen=True)
class Member:
    """One member of an archive.

    Attributes
    ----------
    name
        Its name as it stands there.
    size
        Its length in bytes, as the archive states it.
    kind
        ``"file"``, ``"folder"``, or what else it is in words: ``"a symbolic link"``.
    chunks
        Yields its bytes; to be asked before the next member, and once.
    packed
        The bytes that it takes in the archive; -1 where these are not told from others.
    """

    name: str
    size: int
    kind: str = FILE
    chunks: Callable[[], Iterator[bytes]] = field(default=lambda: iter(()), compare=False)
    packed: int = field(default=-1, compare=False)

    @property
    def fault(self) -> str:
        """Why it is not unpacked, as a clause; empty if it is."""
        if self.kind not in (FILE, FOLDER):
            return f"is {self.kind}"
        return _fault(self.name)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of its name, of which there are none for the folder itself."""
        return _parts(self.name)


class Tree:
    """The members that were seen, so that no two of them become one file.

    On some disks ``Net.pb`` and ``net.pb`` are one, and so are two ways to write an accent.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], tuple[tuple[str, ...], str]] = {(): ((), FOLDER)}

    def add(self, member: Member) -> tuple[str, ...]:
        """Return the parts of the name of `member`, which takes its place among the others.

        Raises
        ------
        FormatError
            Its name or kind is refused, or another member has its place.
        """
        if member.fault:
            raise FormatError(
                f"the archive has a member that {member.fault}",
                found=repr(member.name[:200]),
                hint="nothing was unpacked; such an archive was made by mistake, or to do harm",
            )
        parts = member.parts
        for end in range(len(parts)):
            self._place(parts[:end], FOLDER, member)
        self._place(parts, member.kind, member)
        return parts

    def _place(self, parts: tuple[str, ...], kind: str, member: Member) -> None:
        folded = tuple(unicodedata.normalize("NFC", part).casefold() for part in parts)
        before = self._seen.get(folded)
        if before is None:
            self._seen[folded] = (parts, kind)
        elif before != (parts, FOLDER) or kind != FOLDER:
            raise FormatError(
                "the archive has two members for one place",
                found=f"{'/'.join(before[0])!r} and {member.name[:200]!r}",
                hint="nothing was unpacked: which of them is meant, nobody can tell",
            )


def _parts(name: str) -> tuple[str, ...]:
    inner = name.removeprefix("./").removesuffix("/")
    return tuple(inner.split("/")) if inner not in ("", ".") else ()


def _fault(name: str) -> str:
    """Return why a member of this name is not unpacked, as a clause; empty if it is."""
    if not name or name.startswith("/") or "\\" in name or _DRIVE.match(name):
        return "lies outside of the folder, or has no name"
    parts = _parts(name)
    if len(_bytes(name)) > LONGEST or len(parts) > DEEPEST:
        return f"has a name of more than {LONGEST} bytes or {DEEPEST} folders"
    return next((fault for part in parts if (fault := _fault_of_part(part))), "")


def _fault_of_part(part: str) -> str:
    if part == "..":
        return "lies outside of the folder"
    if part in ("", "."):
        return "has a name with an empty part"
    if len(_bytes(part)) > LONGEST_PART:
        return f"has a name with a part of more than {LONGEST_PART} bytes"
    if ":" in part or part[-1] in ". " or _RESERVED.fullmatch(part.partition(".")[0].rstrip()):
        return "has a name that means something else on Windows"
    if any(_is_unseen(letter) for letter in part) or not unicodedata.is_normalized("NFC", part):
        return "has a name that reads like another"
    return ""


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _is_unseen(letter: str) -> bool:
    return unicodedata.category(letter) in _UNSEEN or unicodedata.bidirectional(letter) in _TURNING
