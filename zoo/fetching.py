"""Bring a model's files into the store, whole and unaltered or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import atomic, sources
from zoo.addresses import NETWORK, shown, split
from zoo.errors import (
    FetchError,
    UnsupportedError,
    WriteError,
    ZooError,
    some,
)
from zoo.patience import USUAL, Manner
from zoo.store import Kept, Part, Pin, Store

if TYPE_CHECKING:
    from zoo.entries import Weights
    from zoo.sources import Others

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
    from_network: bool = False,
    manner: Manner = USUAL,
    others: Others = dict,
) -> Fetched:
    """Return the model that consists of `files`, fetching what the store lacks.

    Parameters
    ----------
    base
        The folder to which relative ``file:`` URLs are relative.
    offline
        Whether only this machine is asked.
    opener
        Opens a URL as a stream of bytes, in place of `zoo.sources.opened` and of the network.
    from_network
        Whether the addresses came over the network: they must not be private ones then.
    manner
        How the network is asked: connections, patience, who watches.
    others
        What opens the URLs that neither `zoo.sources` nor the network does.

    Raises
    ------
    FetchError
        No address gave a file; each is listed with its reason.
    IntegrityError
        The bytes are not those that were pinned.
    """
    read = opener or (lambda url: sources.opened(url, base, others))
    manner = replace(manner, from_network=manner.from_network or from_network)
    ask = None if opener else manner
    present = [store.find(file.pin) for file in files]
    kept = [
        there or _bring(file, store, read, ask, others if offline else None)
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

    Raises
    ------
    UnsupportedError
        It is no address.
    """
    return Path(split(url).path).name or "model"


def _bring(
    file: Wanted, store: Store, read: Opener, manner: Manner | None, offline: Others | None
) -> Kept:
    """Return `file` from the first of its addresses that gives it.

    Parameters
    ----------
    manner
        How the network is asked; None if `read` reads addresses of the network too.
    offline
        What tells which addresses need no network, where only these are asked.
    """
    reasons: list[ZooError] = []
    with ExitStack() as stack:
        take = None
        for url in file.urls:
            if offline is not None and sources.needs_network(url, offline):
                reasons.append(FetchError(f"{shown(url)} is not asked", found="offline"))
                continue
            try:
                if manner is None or not url.startswith(NETWORK):
                    return store.put(read(url), file.pin, url)
                if take is None:
                    from zoo.downloads import downloading

                    take = stack.enter_context(downloading(file.pin, store, manner, url))
                return take(url)
            except (FetchError, UnsupportedError) as error:
                reasons.append(error)
    raise _none_gave(file, reasons)


def _none_gave(file: Wanted, reasons: list[ZooError]) -> ZooError:
    """Return the error for a file that no address gave, each for a reason of its own."""
    if len(reasons) == 1:
        return reasons[0]
    kinds = {type(reason) for reason in reasons}
    kind = kinds.pop() if len(kinds) == 1 else FetchError
    return kind(
        f"none of {len(reasons)} addresses gave the file",
        found="; ".join(f"{r.problem} ({r.found})" for r in reasons),
        hint=f"it would be {some(d[:16] + '...' for _, d in file.pin.digests)}",
    )
