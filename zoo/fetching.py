"""Bring a model's files into the store, whole and unaltered or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from zoo import atomic, sources
from zoo.errors import (
    FetchError,
    IntegrityError,
    UnsupportedError,
    WriteError,
    ZooError,
    some,
)
from zoo.store import Kept, Part, Pin, Store

if TYPE_CHECKING:
    from zoo.entries import Weights

Opener = Callable[[str], Iterator[bytes]]


@dataclass(frozen=True)
class Wanted:
    """A file to fetch: its addresses in order, its pin, its path in a model of several."""

    urls: tuple[str, ...]
    pin: Pin
    path: str = ""


@dataclass(frozen=True)
class Fetched:
    """A model in the store: a file, or a folder of files.

    Attributes
    ----------
    path
        Where it is.
    sha256
        Its digest; for a folder that of its lines.
    size
        Bytes, over all files.
    from_cache
        Whether nothing had to be fetched.
    """

    path: Path
    sha256: str
    size: int
    from_cache: bool


def wanted(weights: Weights) -> list[Wanted]:
    """Return the files that a registry's `weights` consist of."""
    if weights.files:
        return [
            Wanted(tuple(f.urls), Pin((("sha256", f.sha256),), f.size), f.path)
            for f in weights.files
        ]
    stated = (("sha256", weights.sha256), ("sha384", weights.sha384), ("md5", weights.md5))
    digests = tuple((name, digest) for name, digest in stated if digest)
    return [Wanted(tuple(weights.urls), Pin(digests, weights.size))]


def fetch(
    files: list[Wanted],
    store: Store,
    base: Path,
    *,
    offline: bool = False,
    opener: Opener | None = None,
) -> Fetched:
    """Return the model that consists of `files`, fetching what the store lacks.

    Parameters
    ----------
    base
        The folder to which relative ``file:`` URLs are relative.
    offline
        Whether only this machine is asked.
    opener
        Opens a URL as a stream of bytes, in place of `zoo.sources.opened`.

    Raises
    ------
    FetchError
        No address gave a file; each is listed with its reason.
    IntegrityError
        The bytes are not those that were pinned.
    """
    read = opener or (lambda url: sources.opened(url, base))
    present = [store.find(file.pin) for file in files]
    kept = [
        there or _bring(file, store, read, offline)
        for file, there in zip(files, present, strict=True)
    ]
    from_cache = all(present)
    if len(files) == 1 and not files[0].path:
        return Fetched(kept[0].path, kept[0].sha256, kept[0].size, from_cache)
    parts = [Part(file.path, one) for file, one in zip(files, kept, strict=True)]
    path, digest = store.folder(parts)
    return Fetched(path, digest, sum(one.size for one in kept), from_cache)


def copy_into(fetched: Fetched, folder: Path, name: str, *, force: bool = False) -> Path:
    """Copy a fetched model into `folder`, under `name`, and return its path there.

    Raises
    ------
    WriteError
        Something is there already, and `force` does not say to replace it.
    """
    target = folder / name
    if not force and target.exists():
        raise WriteError(f"{target} exists", hint="--force replaces it; or choose another folder")
    with atomic.replacing(target) as draft:
        if fetched.path.is_dir():
            shutil.copytree(fetched.path, draft, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(fetched.path, draft)
    return target


def file_name(url: str) -> str:
    """Return what the file behind `url` is called.

    >>> file_name("https://example.org/models/vgg16.pb#sha256=00")
    'vgg16.pb'
    """
    return Path(urlsplit(url).path).name or "model"


def _bring(file: Wanted, store: Store, read: Opener, offline: bool) -> Kept:
    """Return `file` from the first of its addresses that gives it."""
    reasons: list[ZooError] = []
    for url in file.urls:
        if offline and not url.startswith(sources.LOCAL):
            reasons.append(FetchError(f"{url} is not asked", found="offline"))
            continue
        try:
            return store.put(read(url), file.pin, url)
        except (FetchError, UnsupportedError) as error:
            reasons.append(error)
    if len(reasons) == 1:
        raise reasons[0]
    kind = IntegrityError if all(isinstance(r, IntegrityError) for r in reasons) else FetchError
    raise kind(
        f"none of {len(reasons)} addresses gave the file",
        found="; ".join(f"{r.problem} ({r.found})" for r in reasons),
        hint=f"it would be {some(d[:16] + '...' for _, d in file.pin.digests)}",
    )
