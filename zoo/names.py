"""Names of models and tags, as people type them: ``vgg16``, ``vgg16:imagenet``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_OF_WINDOWS = r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$))"
NAME = re.compile(rf"{_OF_WINDOWS}[a-z0-9][a-z0-9._-]{{0,127}}(?<!\.)")
"""What a model or a tag may be called: also what a folder may be called anywhere."""

NAME_RULE = (
    "lower-case letters, digits, dots (not the last), dashes and underscores, 128 at most;"
    " no device of Windows"
)

_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Reference:
    """A model by name, and the tag of its weights; None for the default tag."""

    name: str
    tag: str | None = None

    def __str__(self) -> str:
        return self.name if self.tag is None else f"{self.name}:{self.tag}"


def reference(text: str) -> Reference | None:
    """Return the name and tag that `text` spells, None if it cannot be a name.

    >>> reference("vgg16:imagenet")
    Reference(name='vgg16', tag='imagenet')
    >>> reference("./vgg16") is None
    True
    """
    name, colon, tag = text.partition(":")
    if not NAME.fullmatch(name) or (colon and not NAME.fullmatch(tag)):
        return None
    return Reference(name, tag if colon else None)


def natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts names as people do: ``vgg9`` before ``vgg11``.

    >>> sorted(["vgg16", "vgg9", "alex"], key=natural)
    ['alex', 'vgg9', 'vgg16']
    """
    parts = _DIGITS.split(name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
