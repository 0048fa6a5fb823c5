"""What goes wrong between here and a server, in words that hold no secret.

The exceptions of `requests` have whole addresses in their messages, signatures included: nothing
of them is handed on but what the system or the other end said.
"""

from __future__ import annotations

import http.client
import ssl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests
import urllib3.exceptions

from zoo.addresses import shown
from zoo.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Iterator

_RAISED = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException)
_TIMEOUTS = (TimeoutError, urllib3.exceptions.TimeoutError)
_CLOCK = ("certificate is not yet valid", "certificate has expired")


class PassingError(FetchError):
    """What may be over when it is tried again.

    Attributes
    ----------
    wait
        Seconds to wait before, if the server said so.
    kind
        What it is if it is never over.
    """

    wait: float | None = None
    kind: type[FetchError] = FetchError


@contextmanager
def said(url: str) -> Iterator[None]:
    """Turn what is raised in the block, where `url` is asked, into an error of ours.

    Raises
    ------
    PassingError
        It may be over when it is tried again.
    FetchError
        The server is not who it should be.
    """
    try:
        yield
    except (*_RAISED, OSError) as error:
        raise _told(shown(url), _root(error)) from None


def _told(place: str, root: BaseException) -> FetchError:
    if isinstance(root, ssl.SSLCertVerificationError):
        found, hint = root.verify_message, "REQUESTS_CA_BUNDLE names a file of certificates"
        if any(found.startswith(stated) for stated in _CLOCK):
            hint = f"is the clock right? it says {time.strftime('%d %B %Y')}"
        return FetchError(f"{place} cannot prove who it is", found=found, hint=hint)
    if isinstance(root, requests.exceptions.InvalidURL | urllib3.exceptions.LocationParseError):
        return FetchError(f"{place} is no address")
    return PassingError(f"{place} cannot be read", found=_found(root))


def _found(root: BaseException) -> str:
    if isinstance(root, _TIMEOUTS):
        return "no answer in time"
    if isinstance(root, http.client.IncompleteRead | urllib3.exceptions.IncompleteRead):
        return "it ended too early"
    if isinstance(root, http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    if isinstance(root, OSError) and root.strerror:
        return root.strerror
    return type(root).__name__


def _root(error: BaseException) -> BaseException:
    """Return the exception at the bottom of `error`, which others were made of."""
    while True:
        inner = [getattr(error, "reason", None), error.__cause__, error.__context__, *error.args]
        deeper = next((one for one in inner if isinstance(one, Exception)), None)
        if deeper is None:
            return error
        error = deeper
