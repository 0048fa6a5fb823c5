"""What each operation of TensorFlow may do, judged by hand: a list of what is allowed.

The table ``op_levels.txt`` has every operation of the release in `zoo.ops`, so that one which it
does not have is one that nobody looked at.  A line is a name alone for what only computes, else
``Name level [where] why``.  *Where* says what names the files: ``<0,1`` inputs, ``@name`` an
attribute; with ``?`` behind it the operation touches none where that is empty.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.resources import files

PURE, SAVER = "pure", "saver"


@dataclass(frozen=True)
class Judgement:
    """What an operation may do.

    Attributes
    ----------
    level
        One of `zoo.findings.LEVELS`: the gravest that it can be, but for what its file names and
        those that use it say; ``saver`` is fine for savers alone.
    why
        What it does, in one clause.
    inputs
        The numbers of the inputs that name files.
    attribute
        The attribute that names files.
    optional
        Whether it touches no file where it is given no name.
    """

    level: str
    why: str
    inputs: tuple[int, ...] = ()
    attribute: str = ""
    optional: bool = False


def judgement(op: str) -> Judgement | None:
    """Return what the operation `op` may do beyond computing; None where it only computes.

    Raises
    ------
    KeyError
        It is not in the table: nobody looked at it.
    """
    line = table()[op]
    return _parsed(line) if line else None


@functools.cache
def table() -> dict[str, str]:
    """Return what the table says of each operation, by name; nothing of those that only compute."""
    text = files("zoo").joinpath("op_levels.txt").read_text(encoding="utf-8")
    return {name: said for name, _, said in (line.partition(" ") for line in text.splitlines())}


@functools.cache
def _parsed(line: str) -> Judgement:
    level, _, rest = line.partition(" ")
    if rest[0] not in "<@":
        return Judgement(level, rest)
    where, _, why = rest.partition(" ")
    named = where[1:].removesuffix("?")
    inputs = tuple(int(number) for number in named.split(",")) if where[0] == "<" else ()
    attribute = "" if inputs else named
    return Judgement(level, why, inputs, attribute, where.endswith("?"))
