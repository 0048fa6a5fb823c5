"""nginx as the server of models: what a real server does with ranges, conditions and encodings."""

import hashlib
import os
import time

import pytest

from tests import nginx_server
from zoo import claims, documents, fetching
from zoo.errors import FetchError, IntegrityError, MissingError, RefusedError
from zoo.fetching import Wanted
from zoo.mapped import CHUNK
from zoo.partials import Record
from zoo.patience import Manner, Patience
from zoo.store import Pin, Store

DATA = os.urandom(20 * CHUNK)
SHA = hashlib.sha256(DATA).hexdigest()
PIN = Pin((("sha256", SHA),), len(DATA))


@pytest.fixture
def store(tmp_path):
    """Return an empty store."""
    return Store(tmp_path / "store")


@pytest.fixture(autouse=True)
def file(nginx, room):
    """Serve the file, and begin a new log."""
    (room / "files" / "net").write_bytes(DATA)
    (room / "access.log").write_text("")
    os.truncate(room / "access.log", 0)


def fetch(store, *urls, pin=PIN, connections=1):
    """Fetch a file without waiting between attempts."""
    manner = Manner(connections=connections, patience=Patience(sleep=lambda _: None))
    return fetching.fetch([Wanted(urls, pin)], store, store.root, manner=manner).path


def asked(room):
    """Return status and number of bytes of each request, once nginx has written them down."""
    time.sleep(0.05)
    return [(int(status), int(count)) for status, count, _ in nginx_server.asked(room)]


def put_partial(store, data, record=None):
    """Leave `data` as a killed process does."""
    with claims.claimed(store.root / "partial", SHA, 0, lambda: False, copies=False) as partial:
        partial.append(data)
        if record is not None:
            partial.note(record)


def etag(url):
    """Return the validator that nginx has for what is at `url`."""
    return documents.read(url, limit=len(DATA)).etag


@pytest.mark.parametrize("place", ["", "moved/"])
@pytest.mark.parametrize("connections", [1, 4])
def test_a_file_is_fetched(nginx, room, store, place, connections):
    """Every byte once, over one connection or several."""
    assert fetch(store, f"{nginx}/{place}net", connections=connections).read_bytes() == DATA
    bodies = [count for status, count in asked(room) if status in (200, 206)]
    assert sum(bodies) == len(DATA)
    assert (len(bodies) > 1) == (connections > 1)


def test_n02_a_partial_is_gone_on_with(nginx, room, store):
    """By If-Range and a 206."""
    put_partial(store, DATA[:CHUNK], Record(f"{nginx}/net", etag(f"{nginx}/net"), None, len(DATA)))

    assert fetch(store, f"{nginx}/net").read_bytes() == DATA
    assert asked(room)[1:] == [(206, len(DATA) - CHUNK)]


def test_n03_a_location_without_ranges(nginx, room, store):
    """``max_ranges 0`` answers with the whole."""
    put_partial(store, DATA[:CHUNK])

    assert fetch(store, f"{nginx}/whole/net", connections=4).read_bytes() == DATA
    assert asked(room) == [(200, len(DATA))]


def test_n06_a_file_that_changed(nginx, room, store):
    """Nginx sees another ETag in If-Range, and sends the whole new file."""
    old = os.urandom(len(DATA) - 1)
    (room / "files" / "net").write_bytes(old)
    put_partial(store, old[:CHUNK], Record(f"{nginx}/net", etag(f"{nginx}/net"), None, len(DATA)))
    (room / "files" / "net").write_bytes(DATA)

    assert fetch(store, f"{nginx}/net").read_bytes() == DATA
    assert asked(room)[-1] == (200, len(DATA))


def test_n07_the_same_etag_for_another_file(nginx, room, store):
    """A change in place within a second and of the same length is not seen by nginx, but by us."""
    old, moment = os.urandom(len(DATA)), time.time() - 100
    (room / "files" / "net").write_bytes(old)
    os.utime(room / "files" / "net", (moment, moment))
    before = etag(f"{nginx}/net")
    put_partial(store, old[:CHUNK], Record(f"{nginx}/net", before, None, len(DATA)))
    (room / "files" / "net").write_bytes(DATA)
    os.utime(room / "files" / "net", (moment, moment))

    assert etag(f"{nginx}/net") == before
    assert fetch(store, f"{nginx}/net").read_bytes() == DATA
    assert [status for status, _ in asked(room)] == [200, 200, 206, 200]


def test_n13_nginx_packs_only_for_who_asks(nginx, room, store):
    """We ask for the bytes as they are."""
    assert fetch(store, f"{nginx}/gzip/net").read_bytes() == DATA


def test_n16_a_server_that_lets_one_in_at_a_time(nginx, room, store):
    """Connections that are turned away leave their pieces to the one that is let in."""
    (room / "files" / "net").write_bytes(DATA[: 9 * CHUNK])
    pin = Pin((("sha256", hashlib.sha256(DATA[: 9 * CHUNK]).hexdigest()),), 9 * CHUNK)

    path = fetch(store, f"{nginx}/few/net", pin=pin, connections=4)

    assert path.read_bytes() == DATA[: 9 * CHUNK]
    assert {status for status, _ in asked(room)} == {206, 503}


def test_n17_a_password(nginx, store, monkeypatch, tmp_path):
    """Without one it is refused; ``.netrc`` has one."""
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(RefusedError):
        fetch(store, f"{nginx}/locked/net")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (tmp_path / "netrc").chmod(0o600)

    assert fetch(store, f"{nginx}/locked/net").read_bytes() == DATA


def test_n18_n19_n27_mirrors(nginx, store):
    """One has nothing, one a page, one other bytes; the last one is good."""
    urls = [f"{nginx}/{place}net" for place in ("gone/", "page/", "")]

    with pytest.raises(MissingError):
        fetch(store, urls[0])
    with pytest.raises(IntegrityError, match="not the file") as caught:
        fetch(store, urls[1])
    assert "text/html" in caught.value.found
    with pytest.raises(FetchError):
        fetch(store, *urls[:2])
    assert fetch(store, *urls).read_bytes() == DATA


def test_n32_an_empty_file(nginx, room, store):
    """Nginx sends it with a length of 0."""
    (room / "files" / "empty").write_bytes(b"")
    pin = Pin((("sha256", hashlib.sha256(b"").hexdigest()),))

    assert fetch(store, f"{nginx}/empty", pin=pin, connections=4).read_bytes() == b""


def test_slow_connections_are_added_up(nginx, room, store):
    """Four are faster than one where the server is slow to each."""
    small = DATA[: 10 * CHUNK]
    (room / "files" / "net").write_bytes(small)
    pin = Pin((("sha256", hashlib.sha256(small).hexdigest()),), len(small))
    seconds = {}
    for connections in (1, 4):
        start = time.monotonic()
        fetch(Store(store.root / str(connections)), f"{nginx}/slow/net", pin=pin,
              connections=connections)  # fmt: skip
        seconds[connections] = time.monotonic() - start

    assert seconds[4] < seconds[1] / 2
