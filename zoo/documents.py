"""Small documents by their address, as a registry is one: read whole, and never more than allowed.

The same rules hold for them as for models: redirects, credentials, retries.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.addresses import shown
from zoo.errors import FetchError, IntegrityError
from zoo.patience import USUAL

if TYPE_CHECKING:
    from zoo.asking import Answer, Asker
    from zoo.patience import Manner


@dataclass(frozen=True)
class Document:
    """What is behind an address.

    Attributes
    ----------
    bytes
        All of it; none where it has not changed.
    etag
        What the server calls this version of it, to be handed in the next time.
    changed
        Whether it is another than the one whose `etag` was handed in.
    private
        Whether the server is one that only some network reaches.  Addresses in a document from
        such a one may be private too.
    """

    bytes: bytes
    etag: str | None
    changed: bool
    private: bool = False


def read(
    url: str,
    *,
    limit: int,
    etag: str | None = None,
    pinned: str | None = None,
    manner: Manner = USUAL,
) -> Document:
    """Return the document at `url`: ``http:``, ``https:`` or ``hf:``.

    Parameters
    ----------
    limit
        The bytes that it may have at most.
    etag
        The ``etag`` of the version that is here already.
    pinned
        The sha256 that it must have, as 64 hexadecimal digits.

    Raises
    ------
    FetchError
        It cannot be had, or is larger.
    IntegrityError
        It is not the one that was pinned.
    """
    from zoo.asking import Asker
    from zoo.retrying import persisting

    asker = Asker(manner)
    headers = {"If-None-Match": etag} if etag else {}

    def attempt() -> Document:
        """Ask once."""
        with asker.ask(url, headers, pinned=pinned is not None) as answer:
            return _document(answer, asker, limit, etag)

    try:
        found = persisting(attempt, manner.patience, manner.watch)
    finally:
        asker.line.close()
    if found.changed and pinned not in (None, hashlib.sha256(found.bytes).hexdigest()):
        raise IntegrityError(
            f"{shown(url)} is not the document that was pinned",
            found=f"sha256 {hashlib.sha256(found.bytes).hexdigest()}",
            hint=f"pinned is {pinned}",
        )
    return found


def _document(answer: Answer, asker: Asker, limit: int, etag: str | None) -> Document:
    if answer.status == 304:
        return Document(b"", etag, changed=False, private=asker.line.private)
    if answer.status != 200:
        raise FetchError(f"{shown(answer.url)} did not answer", found=f"status {answer.status}")
    content, stated = bytearray(), answer.number("Content-Length")
    if stated is not None and stated > limit:
        raise _too_large(answer, limit)
    for chunk in answer.chunks(1 << 16):
        content += chunk
        if len(content) > limit:
            raise _too_large(answer, limit)
    answer.refuse_short(len(content))
    return Document(
        bytes(content), answer.headers.get("ETag"), changed=True, private=asker.line.private
    )


def _too_large(answer: Answer, limit: int) -> FetchError:
    return FetchError(f"{shown(answer.url)} is larger than {limit} bytes")
