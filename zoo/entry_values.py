"""The values that an entry of a registry may have: addresses, digests, sizes, text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from zoo import paths, sources
from zoo.addresses import split
from zoo.errors import UnsupportedError

if TYPE_CHECKING:
    from zoo.sources import Others

_DIGESTS = {"sha256": 64, "sha384": 96, "md5": 32}
_SCHEMES = ("file:", "package:", "http://", "https://", "hf://")
_OF_PLUGINS = re.compile(r"[a-z][a-z0-9+.-]+://[^/]")
"""What an address looks like that a plugin may open, whether it is installed here or not."""


@dataclass(frozen=True)
class Given:
    """What validators are told besides.

    Attributes
    ----------
    from_network
        Whether a server gave the registry.
    others
        What opens URLs besides zoo itself; None where an entry may have been written for plugins
        that are not installed.
    """

    from_network: bool = False
    others: Others | None = None


USUAL = Given()


def _inside(path: str) -> str:
    fault = paths.fault(path)
    if fault:
        raise ValueError(fault)
    return path


def _refuse_no_address(url: str) -> None:
    try:
        split(url)
    except UnsupportedError as error:
        raise ValueError(f"must be an address: {error.found}") from error


def _address(url: str, info: ValidationInfo) -> str:
    given = info.context or USUAL
    if not url.startswith(_SCHEMES) and not _is_of_a_plugin(url, given.others):
        raise ValueError(f"must begin with one of {', '.join(_SCHEMES)}")
    if any(ord(letter) < 33 for letter in url) or "@" in url.partition("//")[2].partition("/")[0]:
        raise ValueError("must have no spaces, and no user name or password: see docs/fetching.md")
    if "#" in url and not url.startswith(sources.LOCAL):
        raise ValueError("must have no #: a digest has a key of its own")
    if not url.isascii() and not url.startswith(sources.LOCAL):
        raise ValueError("must be ASCII: other letters are written as %C3%A9 or xn--")
    _refuse_no_address(url)
    if given.from_network and url.startswith("file:"):
        raise ValueError("may not lead to files of this machine: the registry came from elsewhere")
    return url


def _is_of_a_plugin(url: str, others: Others | None) -> bool:
    scheme = sources.scheme_of(url)
    if scheme in sources.SCHEMES or not _OF_PLUGINS.match(url):
        return False
    return others is None or scheme in others()


def _link(path: str, info: ValidationInfo) -> str:
    if (info.context or USUAL).from_network:
        raise ValueError("may not lead to files of this machine: the registry came from elsewhere")
    return path


def _text(text: str) -> str:
    if any(unicodedata.category(letter) == "Cc" or letter in _STEERING for letter in text):
        raise ValueError("must have no control characters, and none that turn text around")
    return text


_STEERING = {chr(n) for n in (0x61C, *range(0x200B, 0x2010), *range(0x2028, 0x202F))}
_STEERING |= {chr(n) for n in (*range(0x2060, 0x206A), 0xFEFF)}
"""Letters that are not seen, or change how others are: bidi marks, breaks, zero widths."""


def _number(count: Any) -> int:
    if not re.fullmatch("[0-9]{1,16}", str(count)) or isinstance(count, bool):
        raise ValueError("must be a whole number, in digits")
    return int(count)


def _hexadecimal(length: int) -> AfterValidator:
    def check(digest: str) -> str:
        """Return `digest`, if it is one of this kind."""
        if not re.fullmatch(f"[0-9a-f]{{{length}}}", digest):
            raise ValueError(f"must be {length} lower-case hexadecimal digits")
        return digest

    return AfterValidator(check)


Text = Annotated[str, AfterValidator(_text)]
Link = Annotated[str, AfterValidator(_link)]
Address = Annotated[str, AfterValidator(_address), AfterValidator(_text)]
Inside = Annotated[str, AfterValidator(_inside)]
Sha256 = Annotated[str, _hexadecimal(_DIGESTS["sha256"])]
Sha384 = Annotated[str, _hexadecimal(_DIGESTS["sha384"])]
Md5 = Annotated[str, _hexadecimal(_DIGESTS["md5"])]
Bytes = Annotated[int, BeforeValidator(_number), Field(ge=0, le=1 << 50)]
Pixels = Annotated[int, BeforeValidator(_number), Field(ge=1, le=1 << 16)]
