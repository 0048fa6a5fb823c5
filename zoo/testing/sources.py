"""What a source of bytes promises: what opens the URLs of one scheme."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from zoo.errors import FetchError, ZooError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zoo.sources import Source

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_MOST = 64 << 20
_SECRET = "hunter2"  # noqa: S105  (what must not be printed)
_ODD = (
    "", "/", "//", "///", "../../etc/passwd", "a\0b", "%", "%zz", "größe", "a b", "?", "#",
    "//[", "//host:port/x", "x" * 5000,
)  # fmt: skip
"""What may follow the scheme in a registry that somebody else wrote."""


class SourceContract:
    """What every source promises.  Subclass it and give the four fixtures."""

    @pytest.fixture
    def source(self) -> Source:
        """Return the source under test."""
        raise NotImplementedError("a hook of the contract: return your Source")

    @pytest.fixture
    def url(self) -> str:
        """Return a URL of the source behind which something lies."""
        raise NotImplementedError("a hook of the contract: return a URL")

    @pytest.fixture
    def content(self) -> bytes:
        """Return the bytes behind `url`: at least one."""
        raise NotImplementedError("a hook of the contract: return the bytes behind `url`")

    @pytest.fixture
    def missing(self) -> str:
        """Return a URL of the source behind which nothing lies."""
        raise NotImplementedError("a hook of the contract: return a URL that leads nowhere")

    def test_scheme_can_be_typed(self, source: Source) -> None:
        """A scheme is spelled as RFC 3986, section 3.1, says, in lower case, without its colon."""
        assert _SCHEME.fullmatch(source.scheme), source.scheme

    def test_gives_the_bytes(self, source: Source, url: str, content: bytes) -> None:
        """The chunks are bytes, and together are what lies behind the URL."""
        chunks = list(source.open(url))

        assert {type(chunk) for chunk in chunks} == {bytes}
        assert b"".join(chunks) == content

    def test_gives_them_again(self, source: Source, url: str, content: bytes) -> None:
        """A URL can be opened twice, also while it is open, and after it was left half-read."""
        first, second = iter(source.open(url)), iter(source.open(url))
        start = next(first)
        whole = b"".join(second)
        _close(first)

        assert content.startswith(start)
        assert whole in (content, b"".join(source.open(url)))

    def test_missing_is_a_fetch_error(self, source: Source, missing: str) -> None:
        """Where nothing lies, that is a `FetchError`, when it is opened or when it is read."""
        with pytest.raises(FetchError):
            list(source.open(missing))

    def test_odd_addresses_are_errors_of_ours(self, source: Source) -> None:
        """Whatever stands behind the scheme, it gives bytes or an error of zoo's own kind."""
        for rest in _ODD:
            try:
                _read(source.open(f"{source.scheme}:{rest}"))
            except ZooError:
                continue

    def test_secrets_stay_secret(self, source: Source) -> None:
        """No error shows the password, nor the query, of an address: logs are read by others."""
        for rest in (f"//user:{_SECRET}@host/none", f"none?token={_SECRET}"):
            assert _SECRET not in _said(source, f"{source.scheme}:{rest}")


def _said(source: Source, url: str) -> str:
    """Return the message with which `source` refuses `url`; of which kind, another test asks."""
    try:
        _read(source.open(url))
    except Exception as error:  # noqa: BLE001
        return str(error)
    return ""


def _read(chunks: Iterable[bytes]) -> None:
    """Read what a stranger gives, but not without end."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > _MOST:
            return


def _close(chunks: Iterator[bytes]) -> None:
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
