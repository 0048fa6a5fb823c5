"""Where bytes come from: a URL, opened as a stream of chunks.

``file:`` is a file of this machine, relative to the registry that names it; ``package:`` is a
file that an installed Python package brings, ``package:zoo_architectures/toy-adder.index``.
Plugins open URLs of other schemes.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from zoo.addresses import NETWORK, shown
from zoo.errors import FetchError, UnsupportedError, ZooError
from zoo.mapped import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_OTHERS = re.compile(r"[a-z][a-z0-9+.-]+://")
"""How a URL begins whose scheme is a plugin's, if it is anybody's."""


@dataclass(frozen=True)
class Source:
    """What opens the URLs of one scheme.

    Attributes
    ----------
    scheme
        What such URLs begin with, without the colon: ``"s3"``.  Lower case.
    open
        Yields the bytes behind a URL in chunks; raises `FetchError` where there is nothing to read.
        What comes is hashed and compared with its pin: a source need not check it.
    summary
        One line on where the bytes come from.
    local
        Whether it needs no network, so that it is asked offline too.
    """

    scheme: str
    open: Callable[[str], Iterable[bytes]]
    summary: str = ""
    local: bool = False

    @property
    def name(self) -> str:
        """Return the scheme: by it a source is known."""
        return self.scheme


Others = Callable[[], Mapping[str, Source]]
"""Returns what opens URLs besides zoo itself, by scheme; asked only where one has such a scheme."""


def scheme_of(url: str) -> str:
    """Return the scheme of `url`, without its colon."""
    return url.partition(":")[0]


def is_url(ref: str) -> bool:
    """Tell whether `ref` is a URL, of a scheme of ours or of what may be a plugin's.

    >>> is_url("hf://org/net/net.h5"), is_url("s3://bucket/net.h5"), is_url("vgg16:imagenet")
    (True, True, False)
    """
    return (scheme_of(ref) in SCHEMES and ":" in ref) or _OTHERS.match(ref) is not None


def needs_network(url: str, others: Others = dict) -> bool:
    """Tell whether what is behind `url` lies on another machine, as far as is known."""
    scheme = scheme_of(url)
    if scheme in SCHEMES:
        return not url.startswith(LOCAL)
    known = others()
    return scheme not in known or not known[scheme].local


def opened(url: str, base: Path, others: Others = dict) -> Iterator[bytes]:
    """Yield the bytes behind `url` in chunks.

    Parameters
    ----------
    base
        The folder to which a relative ``file:`` URL is relative.
    others
        What opens other URLs.

    Raises
    ------
    FetchError
        There is nothing to read.
    UnsupportedError
        No source reads such URLs.
    """
    scheme = scheme_of(url)
    if scheme in _PLACES:
        return _chunks(_place(url, base), url)
    known = others() if scheme not in SCHEMES else {}
    if scheme not in known:
        raise UnsupportedError(
            f"{shown(url)} cannot be fetched",
            found=f"the scheme {scheme}:",
            hint=f"this zoo fetches {', '.join([*LOCAL, *NETWORK, *_schemes(known)])}",
        )
    return _others_chunks(known[scheme], url)


def _schemes(known: Mapping[str, Source]) -> list[str]:
    return [f"{scheme}:" for scheme in sorted(known)]


def _others_chunks(source: Source, url: str) -> Iterator[bytes]:
    """Yield what `source`, which may fail in any way, gives for `url`."""
    try:
        for chunk in source.open(url):
            if not isinstance(chunk, bytes | bytearray | memoryview):
                raise TypeError(f"a chunk must be bytes, not {type(chunk).__name__}")
            yield bytes(chunk)
    except (ZooError, GeneratorExit):
        raise
    except Exception as error:
        raise FetchError(
            f"{shown(url)} could not be read",
            found=f"{type(error).__name__}: {error}",
            hint=f"the source of {source.scheme}: is a plugin: `zoo plugins` says whose",
        ) from error


def _place(url: str, base: Path) -> Path:
    try:
        return _PLACES[scheme_of(url)](url, base)
    except ValueError as error:  # whose message may show what `shown` hides
        raise FetchError(f"a {scheme_of(url)}: URL cannot be read", found="no address") from error


def _file(url: str, base: Path) -> Path:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise FetchError(f"{shown(url)} is not on this machine", found="the name of a host")
    path = Path(unquote(parts.path))
    if path.is_absolute():
        return path
    inside = Path(os.path.realpath(base / path))
    if not inside.is_relative_to(base.resolve()):
        raise FetchError(f"{shown(url)} lies outside the folder of its registry", found=str(inside))
    return inside


def _package(url: str, base: Path) -> Path:  # noqa: ARG001  (packages are where they are)
    package, _, inside = url.removeprefix("package:").partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        known = package if package.isidentifier() else "of such a name"
        raise FetchError(f"{shown(url)} cannot be read", found=f"no package {known} is installed")
    root = Path(spec.submodule_search_locations[0])
    path = Path(os.path.realpath(root / inside))
    if not path.is_relative_to(root.resolve()):
        raise FetchError(f"{shown(url)} lies outside of its package", found=str(path))
    return path


_PLACES: dict[str, Callable[[str, Path], Path]] = {"file": _file, "package": _package}
LOCAL = tuple(f"{scheme}:" for scheme in _PLACES)
"""What the URLs begin with that need no network."""
SCHEMES = tuple(beginning.removesuffix(":") for beginning in (*LOCAL, *NETWORK))
"""The schemes that zoo opens itself; no plugin may take one over."""


def _chunks(path: Path, url: str) -> Iterator[bytes]:
    try:
        if not path.is_file() and path.exists():
            raise FetchError(
                f"{shown(url)} cannot be read", found="no file, but a folder or a device"
            )
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as error:
        found = f"{error.strerror}: {path}"
        raise FetchError(f"{shown(url)} cannot be read", found=found) from error
