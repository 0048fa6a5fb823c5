"""One question to a server: redirects followed by hand, each answer judged before it is used.

For every hop the credentials are looked up anew, its scheme and its host are looked at, and what
goes wrong is said in words that hold no secret.
"""

from __future__ import annotations

import email.utils
import functools
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from zoo import addresses
from zoo.addresses import shown
from zoo.credentials import credential
from zoo.errors import FetchError, MissingError, RefusedError
from zoo.lines import Line
from zoo.network_errors import PassingError, said

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType
    from typing import Self

    import requests

    from zoo.credentials import Credential
    from zoo.patience import Manner, Patience

_HOPS = 10
_REDIRECTS = {301, 302, 303, 307, 308}
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_TOKENS = "ZOO_TOKEN=ORIGIN=TOKEN gives credentials for an origin; for the hub it is HF_TOKEN"
_ANSWERS = {200, 206, 304, 416}


class Answer:
    """The answer of a server: its headers, and its bytes while they come.

    Attributes
    ----------
    url, asked
        The address that answers, and the one that was asked first.
    """

    def __init__(
        self, response: requests.Response, url: str, patience: Patience, deadline: float
    ) -> None:
        self.url = self.asked = url
        self.status = response.status_code
        self.headers = response.headers
        self._response, self._patience, self._deadline = response, patience, deadline

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._response.close()

    def number(self, header: str) -> int | None:
        """Return the number that `header` has, if it has one."""
        stated = self.headers.get(header, "")
        return int(stated) if re.fullmatch(r"[0-9]{1,18}", stated) else None

    def refuse_short(self, count: int) -> None:
        """Check that `count` bytes are all that were promised.

        Raises
        ------
        PassingError
            They are fewer.
        """
        stated = self.number("Content-Length")
        if stated is not None and count < stated:
            found = f"{count} of {stated} bytes"
            raise PassingError(f"{shown(self.url)} ended too early", found=found)

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the bytes of the body as they come, at most `size` of them at once.

        They are as they were sent: no encoding of the transfer is undone.

        Raises
        ------
        PassingError
            It ends before it should, or goes on too slowly.
        FetchError
            The time for the whole is over.
        """
        pace = _Pace(self._patience, self._deadline)
        with said(self.url):
            while chunk := self._response.raw.read1(size, decode_content=False):
                yield chunk
                pace.passed(len(chunk), self.url)


class _Pace:
    """How fast bytes come, looked at over windows of time."""

    def __init__(self, patience: Patience, deadline: float) -> None:
        self._patience, self._deadline = patience, deadline
        self._start, self._count = time.monotonic(), 0

    def passed(self, count: int, url: str) -> None:
        """Take `count` more bytes into account."""
        self._count += count
        now = time.monotonic()
        if now > self._deadline:
            raise FetchError(
                f"{shown(url)} took too long", found=f"more than {self._patience.total:g} seconds"
            )
        seconds = now - self._start
        if seconds < self._patience.window:
            return
        if self._count < self._patience.least * seconds:
            raise PassingError(
                f"{shown(url)} is too slow", found=f"{self._count} bytes in {seconds:.0f} seconds"
            )
        self._start, self._count = now, 0


class Asker:
    """Asks servers over a line of its own, for one thread."""

    def __init__(self, manner: Manner) -> None:
        self.manner = manner
        self._deadline = time.monotonic() + (manner.patience.total or float("inf"))
        trusted = frozenset({addresses.split(addresses.hub()).hostname or ""})
        self.line = Line(manner.patience, public=manner.from_network, trusted=trusted)

    def ask(self, url: str, headers: Mapping[str, str], *, pinned: bool) -> Answer:
        """Return the answer of `url`, or of where it redirects to; it must be closed.

        Its status is 200, 206, 304 or 416.

        Parameters
        ----------
        pinned
            Whether the bytes are held against a digest, so that an answer in plain text will do.

        Raises
        ------
        PassingError
            Nobody answered, or nobody could just now.
        MissingError, RefusedError
            There is nothing, or not for us.
        FetchError
            The answer is of no use.
        """
        asked, user = addresses.bare(addresses.resolved(url))
        for hop in range(_HOPS):
            addresses.origin(asked)
            who = credential(asked, user, first=hop == 0)
            answer = self._hop(asked, headers, who)
            if answer.status in _ANSWERS:
                answer.asked = url
                return answer
            with answer:
                if answer.status not in _REDIRECTS:
                    raise _refusal(answer, who, hop)
                asked, user = self._redirected(asked, answer, pinned)
        raise FetchError(f"{shown(url)} redirects without end", found=f"{_HOPS} redirects")

    def _hop(self, url: str, headers: Mapping[str, str], who: Credential | None) -> Answer:
        sent = {"User-Agent": _agent(), "Accept-Encoding": "identity", **headers}
        if who is not None:
            sent["Authorization"] = who.header
        with said(url):
            response = self.line.get(url, sent)
        return Answer(response, url, self.manner.patience, self._deadline)

    def _redirected(self, url: str, answer: Answer, pinned: bool) -> tuple[str, str | None]:
        """Return where `answer` leads, and the user and password in there."""
        target = addresses.next_hop(url, answer.headers.get("Location", ""))
        down = urlsplit(url).scheme == "https" and urlsplit(target).scheme == "http"
        if down and not (pinned and self.manner.allow_http):
            raise RefusedError(
                f"{shown(url)} redirects to an address that anybody on the way can read and change",
                found=shown(target),
                hint="--allow-http follows it, for bytes that are pinned by a digest",
            )
        return addresses.bare(target)


@functools.cache
def _agent() -> str:
    """Return what zoo calls itself."""
    from importlib.metadata import version

    return f"zoo/{version('zoo')}"


def _refusal(answer: Answer, who: Credential | None, hop: int) -> FetchError:
    """Return the error for a status that brings nothing."""
    place, found = shown(answer.url), f"status {answer.status}"
    if answer.status in _PASSING:
        error = PassingError(f"{place} cannot answer now", found=found)
        error.wait = _asked_to_wait(answer.headers.get("Retry-After", ""))
        return error
    if answer.status in (401, 403):
        return _not_allowed(place, found, who, hop)
    if answer.status in (404, 410):
        return MissingError(f"there is nothing at {place}", found=found)
    return FetchError(f"{place} did not give the file", found=found)


def _asked_to_wait(stated: str) -> float | None:
    """Return the seconds that ``Retry-After`` means: a number of them, or a date."""
    if re.fullmatch(r"[0-9]{1,9}", stated.strip()):
        return float(stated)
    try:
        then = email.utils.parsedate_to_datetime(stated)
    except (TypeError, ValueError):
        return None
    return max(0.0, then.timestamp() - time.time())


def _not_allowed(place: str, found: str, who: Credential | None, hop: int) -> FetchError:
    """Return the error for credentials that are missing or wrong.

    Behind a redirect they may be a signature in the address, which is over after a while: then the
    address that was redirected gives another.
    """
    problem = f"{place} does not let us have the file"
    if hop:
        error = PassingError(problem, found=f"{found}, behind a redirect")
        error.kind = RefusedError
        return error
    if who is not None:
        return RefusedError(problem, found=f"{found}, with what {who.source} says", hint=_TOKENS)
    return RefusedError(problem, found=f"{found}, without credentials", hint=_TOKENS)
