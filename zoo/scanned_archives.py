"""Archives that are looked through: what is in them is written to a folder, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import archives
from zoo.errors import FormatError
from zoo.extracting import USUAL as LIMITS
from zoo.findings import Finding
from zoo.members import FILE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from zoo.members import Member


def unpack(path: Path, room: Path, known: Collection[str] = ()) -> Iterator[Finding]:
    """Write the files in the archive at `path` into `room`; yield what would lie elsewhere.

    Parameters
    ----------
    known
        Names of members that are not written.

    Raises
    ------
    FormatError
        It is damaged, has two members for one place, or unpacks to more than a model has.
    """
    left = LIMITS.most(path.stat().st_size)
    with archives.opened(path, left) as members:
        for number, member in enumerate(members):
            if number >= LIMITS.members:
                raise FormatError("too many members", found=f"more than {LIMITS.members}")
            if member.name in known:
                continue
            if member.fault:
                why = f"would be unpacked to elsewhere, or to what is no file: it {member.fault}"
                yield Finding("archive member", member.name[:200], why, "io")
            elif member.kind == FILE:
                left -= _write(member, room.joinpath(*member.parts), left)


def _write(member: Member, target: Path, most: int) -> int:
    written = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            for chunk in member.chunks():
                written += len(chunk)
                if written > most:
                    raise FormatError("the archive unpacks to more than a model has")
                file.write(chunk)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise FormatError("two members for one place", found=repr(member.name[:200])) from error
    return written
