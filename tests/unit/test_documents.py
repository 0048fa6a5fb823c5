"""A small document by its address: whole, not too large, and not twice where it did not change."""

import hashlib

import pytest

from tests.faulty_server import FaultyServer, Served
from zoo import documents
from zoo.errors import FetchError, IntegrityError, MissingError, RefusedError
from zoo.patience import Manner, Patience

TEXT = b"version: 1\nmodels: {}\n"
QUICK = Manner(patience=Patience(sleep=lambda _: None))


@pytest.fixture
def server():
    """Return a server without files."""
    with FaultyServer() as running:
        yield running


def test_a_document_is_read_whole(server):
    """Its bytes, its ETag, and whether its server is on a private network."""
    server.files["/r.yaml"] = Served(TEXT, etag='"v1"')

    found = documents.read(f"{server.url}/r.yaml", limit=100)

    assert found == documents.Document(TEXT, '"v1"', changed=True, private=True)


def test_what_did_not_change_is_not_sent(server):
    """The ETag of the last time is handed in; 304 is the answer."""

    def unchanged(request):
        assert request.asked.headers["if-none-match"] == '"v1"'
        request.status(304)

    server.files["/r.yaml"] = unchanged

    found = documents.read(f"{server.url}/r.yaml", limit=100, etag='"v1"')

    assert (found.bytes, found.etag, found.changed) == (b"", '"v1"', False)


@pytest.mark.parametrize("length", [True, False], ids=["said before", "not said"])
def test_what_is_too_large_is_refused(server, length):
    """Whether the server says so or not."""
    server.files["/r.yaml"] = Served(TEXT * 1_000_000, length=length)

    with pytest.raises(FetchError, match="larger than 100 bytes"):
        documents.read(f"{server.url}/r.yaml", limit=100)

    assert not length or server.sent < 20_000_000


def test_what_is_cut_off_is_asked_again(server):
    """Until it is whole."""
    server.files["/r.yaml"] = Served(TEXT, cuts=(3, 0))

    assert documents.read(f"{server.url}/r.yaml", limit=100, manner=QUICK).bytes == TEXT
    assert len(server.requests) == 3


def test_a_pinned_document_is_that_one(server):
    """Another is refused with both digests."""
    server.files["/r.yaml"] = Served(TEXT)
    digest = hashlib.sha256(TEXT).hexdigest()

    assert documents.read(f"{server.url}/r.yaml", limit=100, pinned=digest).bytes == TEXT
    with pytest.raises(IntegrityError) as caught:
        documents.read(f"{server.url}/r.yaml", limit=100, pinned="0" * 64)

    assert digest in caught.value.found
    assert "0" * 64 in caught.value.hint


@pytest.mark.parametrize(
    ("status", "kind", "requests"),
    [(404, MissingError, 1), (403, RefusedError, 1), (500, FetchError, 4), (418, FetchError, 1)],
)
def test_answers_that_bring_nothing(server, status, kind, requests):
    """Each has an exit code of its own; only what may pass is tried again."""
    server.files["/r.yaml"] = lambda request: request.status(status)

    with pytest.raises(kind) as caught:
        documents.read(f"{server.url}/r.yaml?key=secret", limit=100, manner=QUICK)

    assert type(caught.value) is kind
    assert len(server.requests) == requests
    assert "secret" not in str(caught.value)
