"""bubblewrap: a program that starts another in a world of its own, where it is installed.

Source: ``man 1 bwrap``, of version 0.8.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_PROGRAM = "bwrap"
_ALONE = ("--unshare-all", "--die-with-parent", "--new-session")
"""No network, no processes of others, none of what they share; and it ends when zoo does."""
_OWN = ("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp")  # noqa: S108  (a folder of its own)
_MADE = (("/", "proc"), ("/", "dev"))
"""What of these can be read is what bubblewrap makes anew."""
_LONGEST = 5.0
"""Seconds after which an attempt is given up."""


def command(program: Sequence[str], readable: Iterable[Path]) -> list[str]:
    """Return the command that starts `program` where nothing is but the paths `readable`.

    They can be read at their own places; ``/tmp`` is an empty folder of its own, and what is
    written there is gone with the program.  Paths that are not there are passed over.
    """
    given = [path.absolute() for path in readable if path.exists()]
    paths = [path for path in given if path.parts[:2] not in _MADE]
    bound: list[Path] = []
    for path in sorted({path.resolve() for path in paths}):
        if not any(path.is_relative_to(above) for above in bound):
            bound.append(path)
    links = dict(link for path in paths for link in _links(path))
    parts = [part for path in bound for part in ("--ro-bind", str(path), str(path))]
    for link, end in links.items():
        if not any(link.is_relative_to(above) for above in bound):
            parts += ["--symlink", str(end), str(link)]
    start = [shutil.which(_PROGRAM) or _PROGRAM, *_ALONE, *_OWN]
    return [*start, *parts, "--remount-ro", "/", "--chdir", "/", "--", *program]


def _links(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each link on the way to `path`, and where it leads to in the end."""
    here = Path(path.anchor)
    for part in path.parts[1:]:
        here = here / part
        if here.is_symlink():
            yield here, here.resolve()
            here = here.resolve()


@functools.cache
def works() -> bool:
    """Tell whether bubblewrap is installed, and the system lets it do its work."""
    if shutil.which(_PROGRAM) is None:
        return False
    found = [Path(folder) for folder in ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/nix/store")]
    try:
        done = subprocess.run(  # noqa: S603  (a fixed command)
            command(["true"], found), capture_output=True, timeout=_LONGEST, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return not done.returncode
