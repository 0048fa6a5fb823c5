"""Rows N of the fault matrix: whatever a server does, what is published is what was pinned."""

import gzip
import hashlib
import os
import threading
from types import SimpleNamespace

import pytest

from tests.faulty_server import FaultyServer, Served
from zoo import claims, fetching, resuming
from zoo.errors import FetchError, IntegrityError, MissingError, RefusedError, UnsupportedError
from zoo.fetching import Wanted
from zoo.mapped import CHUNK
from zoo.partials import Record
from zoo.patience import Manner, Patience, Watch
from zoo.resuming import StartOverError
from zoo.store import Pin, Store

DATA = os.urandom(3 * CHUNK)
SHA = hashlib.sha256(DATA).hexdigest()
PIN = Pin((("sha256", SHA),), len(DATA))
NO_SIZE = Pin((("sha256", SHA),))


@pytest.fixture
def server():
    """Return a server without files."""
    with FaultyServer() as running:
        yield running


@pytest.fixture
def store(tmp_path):
    """Return an empty store."""
    return Store(tmp_path / "store")


class Waits(Watch):
    """Remembers what was waited for."""

    def __init__(self):
        self.seen = []

    def waits(self, seconds, why):
        """Remember."""
        self.seen.append((seconds, why))


def fetch(store, *urls, pin=PIN, connections=1, from_network=False, watch=None, **patience):
    """Fetch a file without waiting between attempts."""
    quick = Patience(**{"sleep": lambda _: None, **patience})
    manner = Manner(connections=connections, patience=quick, watch=watch or Watch())
    wanted = [Wanted(urls, pin)]
    return fetching.fetch(wanted, store, store.root, from_network=from_network, manner=manner)


def left(store):
    """Return the names and sizes of the partials."""
    folder = store.root / "partial"
    return {path.name: path.stat().st_size for path in folder.glob("*") if path.suffix != ".json"}


def put_partial(store, data, record=None, key=SHA):
    """Leave `data` as a killed process does."""
    with claims.claimed(store.root / "partial", key, 0, lambda: False, copies=False) as partial:
        partial.append(data)
        if record is not None:
            partial.note(record)


def published(store):
    """Return the digests of all that is published, after looking whether they are true."""
    found = list((store.root / "sha256").glob("*/*"))
    for path in found:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    return [path.name for path in found]


def test_n01_nobody_answers(store, server):
    """Refused connections and unknown hosts are tried again, then the next mirror is asked."""
    server.files["/f"] = Served(DATA)
    with FaultyServer() as gone:
        nobody = gone.url
    waits = Waits()

    fetched = fetch(store, f"{nobody}/f", "http://no.such.host.invalid/f", f"{server.url}/f",
                    watch=waits)  # fmt: skip
    with pytest.raises(FetchError) as caught:
        fetch(Store(store.root / "other"), f"{nobody}/f", f"{nobody}/g")

    assert fetched.path.read_bytes() == DATA
    assert len({why for _, why in waits.seen}) == 2
    assert len([why for _, why in waits.seen if "Connection refused" in why]) >= 3
    assert caught.value.code == 69
    assert published(Store(store.root / "other")) == []


def test_n01_pauses_grow_and_differ():
    """Each pause is about twice the one before, and no two processes wait for the same time."""
    pauses = [[Patience().pause(failures) for failures in (1, 2, 3, 20)] for _ in range(20)]

    assert all(0.25 <= a <= 0.5 <= b <= 1 <= c <= 2 and 15 <= d <= 30 for a, b, c, d in pauses)
    assert len({tuple(one) for one in pauses}) == 20


@pytest.mark.parametrize("connections", [1, 4])
def test_n02_a_reset_in_the_middle(store, server, connections):
    """The next question asks for the rest, on the condition that nothing changed."""
    server.files["/f"] = Served(DATA, cuts=(CHUNK, 1000, 0))

    fetched = fetch(store, f"{server.url}/f", connections=connections)

    assert fetched.path.read_bytes() == DATA
    assert server.sent == len(DATA)
    starts = [start for start in server.ranges if start]
    assert starts[:2] == [CHUNK, CHUNK + 1000]
    assert all("if-range" in asked.headers for asked in server.requests if asked.range)


def test_n03_a_server_that_ignores_range(store, server):
    """Its bytes take the place of those that are here; it may begin anew only so often."""
    server.files["/f"] = Served(DATA, ranges=False, cuts=(CHUNK, CHUNK))
    server.files["/never"] = Served(DATA, ranges=False, cuts=(2 * CHUNK,) * 99)

    assert fetch(store, f"{server.url}/f").path.read_bytes() == DATA
    with pytest.raises(FetchError, match="again and again"):
        fetch(Store(store.root / "other"), f"{server.url}/never", restarts=1)

    assert server.counts["/never"] == 3


@pytest.mark.parametrize("pin", [PIN, NO_SIZE], ids=["size known", "size unknown"])
@pytest.mark.parametrize(
    "span",
    [
        None,
        f"bytes {CHUNK - 1}-{len(DATA) - 1}/{len(DATA)}",
        f"bytes {CHUNK}-{len(DATA) - 1}/{len(DATA) + 1}",
        f"bytes {CHUNK}-{len(DATA) - 1}/*",
        f"bytes {CHUNK}-{len(DATA)}/{len(DATA)}",
        "bytes 0-0/1, bytes 2-3/4",
        f"items {CHUNK}-{len(DATA) - 1}/{len(DATA)}",
    ],
)
def test_n04_a_part_that_is_another(store, server, span, pin):
    """A part without its place, at another place or of another whole is not appended."""
    good = Served(DATA, cuts=(CHUNK,))

    def wrong(request):
        if request.asked.range is None:
            good(request)
        else:
            request.status(206, DATA[: 2 * CHUNK], Content_Range=span, ETag=good.etag)

    server.files["/f"] = wrong

    assert fetch(store, f"{server.url}/f", pin=pin).path.read_bytes() == DATA
    assert server.ranges[:3] == [None, CHUNK, None]


@pytest.mark.parametrize(("first", "total"), [(9, 20), (11, 20), (10, 21)])
def test_n04_each_part_is_judged_by_itself(first, total):
    """Before a byte of it is taken, whatever a digest would say in the end."""
    headers = {"Content-Range": f"bytes {first}-{total - 1}/{total}"}
    answer = SimpleNamespace(url="http://h/f", asked="http://h/f", headers=headers)

    with pytest.raises(StartOverError):
        resuming.refuse_other_part(answer, 10, None, 20)


def test_n05_nothing_is_asked_behind_the_end(store, server):
    """A partial that is whole is only verified."""
    put_partial(store, DATA)

    assert fetch(store, f"{server.url}/f").path.read_bytes() == DATA
    assert server.requests == []


@pytest.mark.parametrize("good", [True, False], ids=["whole", "wrong"])
def test_n05_a_416_whose_length_lies(store, server, good):
    """Where the length is not known the question may be one too many; the answer is not read on.

    A registry sends 416 with the length of the whole blob and a body of 33 bytes.
    """
    put_partial(store, DATA if good else DATA[:-1] + b"x")

    def late(request):
        if request.asked.range is None:
            Served(DATA)(request)
        else:
            request.head(416, Content_Length=len(DATA), Content_Range=f"bytes */{len(DATA)}")
            request.send(b"x" * 33)

    server.files["/f"] = late

    assert fetch(store, f"{server.url}/f", pin=NO_SIZE).path.read_bytes() == DATA
    assert server.ranges == [len(DATA)] + [None] * (not good)


def test_n05_a_mirror_with_less_of_the_file(store, server):
    """A 416 that tells of another length is no reason to forget what is here."""
    server.files["/cut"], server.files["/f"] = Served(DATA[:100]), Served(DATA)
    put_partial(store, DATA[:CHUNK])

    assert fetch(store, f"{server.url}/cut", f"{server.url}/f").path.read_bytes() == DATA
    assert server.ranges == [CHUNK, CHUNK]


@pytest.mark.parametrize("header", ["ETag", "Last_Modified"])
@pytest.mark.parametrize("honest", [True, False], ids=["If-Range", "no If-Range"])
def test_n06_a_file_that_changes_meanwhile(store, server, header, honest):
    """Parts of two versions are never put together, whether the server looks at that or not."""
    old, new = os.urandom(len(DATA)), DATA

    def changing(request):
        start = request.asked.range or 0
        stated = {header: '"old"' if request.number == 1 else '"new"'}
        if request.number == 1:
            request.head(200, Content_Length=len(old), **stated)
            request.send(old[:CHUNK])
            request.reset()
        elif start and not (honest and "if-range" in request.asked.headers):
            span = f"bytes {start}-{len(new) - 1}/{len(new)}"
            request.status(206, new[start:], Content_Range=span, **stated)
        else:
            request.status(200, new, **stated)

    server.files["/f"] = changing

    assert fetch(store, f"{server.url}/f").path.read_bytes() == new
    assert server.ranges[:2] == [None, CHUNK]
    assert len(server.requests) <= 3


def test_n06_without_a_digest_nothing_is_put_together(store, server):
    """A server that sends a part of another version, though it was told the condition."""
    new = Served(DATA, etag='"new"')

    def careless(request):
        if request.number == 1:
            Served(bytes(len(DATA)), etag='"old"', cuts=(CHUNK,))(request)
        else:
            request.asked.headers.pop("if-range", None)
            new(request)

    server.files["/f"] = careless

    assert fetch(store, f"{server.url}/f", pin=Pin(())).path.read_bytes() == DATA
    assert server.ranges == [None, CHUNK, None]


def test_n07_the_same_etag_for_other_bytes(store, server):
    """The digest tells; what was patched together comes anew once, and is refused if it is wrong.

    An ETag of nginx is made of a second and a length.
    """
    old = os.urandom(len(DATA))
    server.files["/f"] = Served(DATA, etag='"same"')
    server.files["/wrong"] = Served(old, etag='"same"', cuts=(CHUNK,))
    put_partial(store, old[:CHUNK], Record(f"{server.url}/f", '"same"', None, len(DATA)))

    assert fetch(store, f"{server.url}/f").path.read_bytes() == DATA
    assert server.ranges == [CHUNK, None]
    server.requests.clear()
    with pytest.raises(IntegrityError) as caught:
        fetch(Store(store.root / "other"), f"{server.url}/wrong")

    assert server.ranges == [None, CHUNK, None]
    assert "not the file that was pinned" in caught.value.problem
    assert (left(Store(store.root / "other")), caught.value.code) == ({}, 76)


@pytest.mark.parametrize("etag", ['W/"weak"', ""])
@pytest.mark.parametrize("pinned", [True, False])
def test_n08_no_validator_to_rely_on(store, server, etag, pinned):
    """Without a strong one only a digest allows to go on; ``If-Range`` is not sent."""
    file = Served(DATA, etag="x", cuts=(CHUNK,))
    file.etag = etag
    server.files["/f"] = file

    fetched = fetch(store, f"{server.url}/f", pin=PIN if pinned else Pin((), None))

    assert fetched.path.read_bytes() == DATA
    assert server.ranges == [None, CHUNK if pinned else None]
    assert not any("if-range" in asked.headers for asked in server.requests)


def test_n08_a_strong_validator_is_enough(store, server):
    """A file without a digest is gone on with where the server can judge it."""
    server.files["/f"] = Served(DATA, cuts=(CHUNK,))

    assert fetch(store, f"{server.url}/f", pin=Pin((), None)).path.read_bytes() == DATA
    assert server.ranges == [None, CHUNK]


def test_n09_a_body_shorter_than_its_length(store, server):
    """What is missing is asked for."""
    good = Served(DATA)

    def short(request):
        if request.asked.range is not None:
            good(request)
            return
        request.head(200, Content_Length=len(DATA), ETag=good.etag)
        request.send(DATA[:CHUNK])
        request.close_connection = True

    server.files["/f"] = short

    assert fetch(store, f"{server.url}/f").path.read_bytes() == DATA
    assert server.ranges == [None, CHUNK]


@pytest.mark.parametrize("pin", [PIN, NO_SIZE], ids=["size known", "size unknown"])
def test_n10_a_short_body_without_a_length(store, server, pin):
    """The size of the registry tells, or the digest: nothing short is ever published."""
    good = Served(DATA)

    def short(request):
        if request.asked.range is not None:
            good(request)
            return
        request.head(200, Connection="close", ETag=good.etag)
        request.send(DATA[:CHUNK])
        request.close_connection = True

    server.files["/f"] = short

    if pin is PIN:
        assert fetch(store, f"{server.url}/f", pin=pin).path.read_bytes() == DATA
        assert server.ranges == [None, CHUNK]
    else:
        with pytest.raises(IntegrityError):
            fetch(store, f"{server.url}/f", pin=pin)
        assert (published(store), left(store)) == ([], {})


@pytest.mark.parametrize("chunked", [True, False])
def test_n11_a_body_without_end(store, server, chunked):
    """No more than the size is taken, and the connection is closed."""
    stopped = threading.Event()

    def endless(request):
        encoding = "chunked" if chunked else None
        request.head(200, Connection="close", Transfer_Encoding=encoding)
        piece = b"x" * 65536
        try:
            while True:
                request.send(b"10000\r\n" + piece + b"\r\n" if chunked else piece)
        finally:
            stopped.set()

    server.files["/f"] = endless

    with pytest.raises(IntegrityError, match="not the file") as caught:
        fetch(store, f"{server.url}/f")

    assert f"more than {len(DATA)} bytes" in caught.value.found
    assert stopped.wait(5)
    assert (published(store), left(store)) == ([], {})


def test_n11_a_length_that_is_another(store, server):
    """Bytes that cannot be the pinned ones are not even fetched."""
    server.files["/f"] = Served(DATA + b"more" * 10_000_000)

    with pytest.raises(IntegrityError) as caught:
        fetch(store, f"{server.url}/f")

    assert caught.value.found == f"{len(DATA) + 40_000_000} bytes"
    assert server.sent < len(DATA) + 10_000_000


@pytest.mark.parametrize("within", [True, False], ids=["in a chunk", "between chunks"])
def test_n12_chunks_that_break_off(store, server, within):
    """The end of the connection is not the end of the file."""
    good = Served(DATA)

    def cut(request):
        if request.asked.range is not None:
            good(request)
            return
        request.head(200, Transfer_Encoding="chunked", ETag=good.etag)
        request.send(f"{CHUNK:x}\r\n".encode() + DATA[:CHUNK] + b"\r\n")
        if within:
            request.send(b"10000\r\n" + DATA[CHUNK : CHUNK + 100])
        request.close_connection = True

    server.files["/f"] = cut

    assert fetch(store, f"{server.url}/f").path.read_bytes() == DATA
    assert server.ranges == [None, CHUNK + 100 * within]


def test_n13_an_encoding_nobody_asked_for(store, server):
    """The bytes are hashed as they were sent, and the error names the encoding."""
    packed = gzip.compress(DATA)
    server.files["/f"] = Served(packed, headers={"Content-Encoding": "gzip"})
    as_sent = Pin((("sha256", hashlib.sha256(packed).hexdigest()),), len(packed))

    with pytest.raises(IntegrityError) as caught:
        fetch(store, f"{server.url}/f", pin=NO_SIZE)

    assert "gzip" in caught.value.found
    assert server.requests[0].headers["accept-encoding"] == "identity"
    assert fetch(store, f"{server.url}/f", pin=as_sent).path.read_bytes() == packed


def test_n14_a_bomb_in_the_transfer(store, server):
    """Nothing is unpacked, so that nothing grows."""
    bomb = gzip.compress(gzip.compress(bytes(50_000_000)))
    server.files["/f"] = Served(bomb, headers={"Content-Encoding": "gzip, gzip"})
    pin = Pin((("sha256", hashlib.sha256(bomb).hexdigest()),))

    assert fetch(store, f"{server.url}/f", pin=pin).size == len(bomb)


@pytest.mark.parametrize("what", ["header", "body"])
def test_n15_a_slow_drip(store, server, what):
    """A byte now and then is as good as none: the next mirror is asked."""
    stop = threading.Event()

    def drip(request):
        if what == "body":
            request.head(200, Content_Length=len(DATA))
        while not stop.wait(0.02):
            request.wfile.write(b"H")

    server.files["/slow"] = drip
    server.files["/f"] = Served(DATA)

    fetched = fetch(store, f"{server.url}/slow", f"{server.url}/f",
                    header=0.3, window=0.2, least=1000, silence=5, attempts=2)  # fmt: skip
    stop.set()

    assert fetched.path.read_bytes() == DATA
    assert server.counts["/slow"] == 2


def test_n15_a_time_for_all_of_it(store, server):
    """Who has only so much time is told when it is over; what came is kept."""
    stop = threading.Event()

    def slow(request):
        request.head(200, Content_Length=len(DATA))
        while not stop.wait(0.01):
            request.wfile.write(DATA[:1000])

    server.files["/f"] = slow

    with pytest.raises(FetchError, match="took too long") as caught:
        fetch(store, f"{server.url}/f", total=0.3)
    stop.set()

    assert "0.3 seconds" in caught.value.found
    assert sum(left(store).values()) > 1000


@pytest.mark.parametrize("status", [429, 503])
def test_n16_a_server_that_asks_to_wait(store, server, status):
    """Its seconds are waited, and counted down; too many of them are not."""
    good, slept, waits = Served(DATA), [], Waits()

    def busy(request):
        if request.number == 1:
            request.status(status, Retry_After=3)
        else:
            good(request)

    server.files["/f"] = busy
    server.files["/never"] = lambda request: request.status(status, Retry_After=7200)

    fetch(store, f"{server.url}/f", sleep=slept.append, watch=waits)
    with pytest.raises(FetchError) as caught:
        fetch(Store(store.root / "other"), f"{server.url}/never", sleep=slept.append)

    assert sum(slept) == 3
    assert [seconds for seconds, _ in waits.seen] == [3, 2, 1]
    assert "7200 seconds" in caught.value.found
    assert server.counts["/never"] == 1


@pytest.mark.parametrize("status", [401, 403])
def test_n17_credentials_that_are_wrong(store, server, status, monkeypatch):
    """It is not tried again, and said which variable was used."""
    server.files["/f"] = lambda request: request.status(status)

    with pytest.raises(RefusedError) as without:
        fetch(store, f"{server.url}/f")
    monkeypatch.setenv("ZOO_TOKEN", f"{server.url}=secret")
    with pytest.raises(RefusedError) as caught:
        fetch(store, f"{server.url}/f")

    assert server.counts["/f"] == 2
    assert caught.value.code == 77
    assert "ZOO_TOKEN" in caught.value.found
    assert "without credentials" in without.value.found
    assert "secret" not in str(caught.value)


def test_n18_nothing_is_there(store, server):
    """The next mirror is asked; if none has it, that is an exit code of its own."""
    server.files["/f"] = Served(DATA)
    other = Store(store.root / "other")

    assert fetch(store, f"{server.url}/gone", f"{server.url}/f").path.read_bytes() == DATA
    with pytest.raises(MissingError) as one:
        fetch(other, f"{server.url}/gone")
    with pytest.raises(MissingError) as all_of_them:
        fetch(other, f"{server.url}/gone", f"{server.url}/lost")

    assert one.value.code == all_of_them.value.code == 66
    assert "/gone" in all_of_them.value.found
    assert "/lost" in all_of_them.value.found


@pytest.mark.parametrize("here", [0, CHUNK])
@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("pin", [PIN, NO_SIZE], ids=["size known", "size unknown"])
def test_n19_a_page_in_the_place_of_a_model(store, server, here, length, pin):
    """A network that wants a login says so as a page; what is here already stays."""
    page = Served(
        b"<html>log in</html>", length=length, ranges=False, headers={"Content-Type": "text/html"}
    )
    server.files["/f"] = page
    put_partial(store, DATA[:here], Record(f"{server.url}/f", '"e"', None, len(DATA)))

    with pytest.raises(FetchError) as caught:
        fetch(store, f"{server.url}/f", pin=pin)

    assert "text/html" in caught.value.found
    assert published(store) == []
    if here and not (length and pin is NO_SIZE):
        assert list(left(store).values()) == [here]


def test_n20_redirects_without_end(store, server):
    """Ten are followed."""
    server.files["/f"] = lambda request: request.status(302, Location="/f")

    with pytest.raises(FetchError, match="without end"):
        fetch(store, f"{server.url}/f")

    assert len(server.requests) == 10


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://h/f", "gopher://h/f", "data:,x"])
def test_n22_redirects_to_other_schemes(store, server, target):
    """Only what is asked over HTTP is asked."""
    server.files["/f"] = lambda request: request.status(302, Location=target)

    with pytest.raises(Exception, match="redirects to what is not asked") as caught:
        fetch(store, f"{server.url}/f")

    assert target.partition(":")[0] in caught.value.found
    assert published(store) == []


def test_n22_redirects_to_what_is_no_address(store, server):
    """A host that cannot be one is an error of ours."""
    server.files["/f"] = lambda request: request.status(302, Location="http://[::1/f")

    with pytest.raises(UnsupportedError, match="is no address"):
        fetch(store, f"{server.url}/f")


def test_n20_a_redirect_with_a_body_without_end(store, server):
    """Where it leads its headers say: of its body nothing is read."""
    sent = [0]

    def endless(request):
        request.head(302, Connection="close", Location="/g")
        while sent[0] < 64 << 20:
            request.send(b"x" * 65536)
            sent[0] += 65536

    server.files["/f"], server.files["/g"] = endless, Served(DATA)

    assert fetch(store, f"{server.url}/f").path.read_bytes() == DATA
    assert sent[0] < 32 << 20


def test_n26_a_signature_that_is_over(store, server):
    """The address that was redirected is asked again, and the partial is gone on with."""
    good = Served(DATA, cuts=(CHUNK,))
    valid = ["1"]

    def signed(request):
        if request.path.endswith(valid[0]):
            good(request)
            valid[0] = "2"
        else:
            request.status(403)

    def redirecting(request):
        late = {3: "1"}.get(request.number, valid[0])
        request.status(302, Location=f"/signed?signature={late}")

    server.files["/f"], server.files["/signed"] = redirecting, signed

    assert fetch(store, f"{server.url}/f").path.read_bytes() == DATA
    assert [asked.range for asked in server.requests if "signed" in asked.path] == [None, CHUNK]


def test_n26_a_signature_that_was_never_valid(store, server):
    """It is not tried for ever, and ends as what it is."""
    server.files["/f"] = lambda request: request.status(302, Location="/signed?signature=1")
    server.files["/signed"] = lambda request: request.status(403)

    with pytest.raises(RefusedError) as caught:
        fetch(store, f"{server.url}/f")

    assert server.counts["/signed"] == 4
    assert "signature=1" not in str(caught.value)


def test_n27_a_mirror_with_other_bytes(store, server):
    """The digest decides; the next mirror is asked, and the bad one told."""
    server.files["/bad"] = Served(DATA[:-1] + b"x")
    server.files["/good"] = Served(DATA)

    assert fetch(store, f"{server.url}/bad", f"{server.url}/good").path.read_bytes() == DATA
    with pytest.raises(FetchError) as caught:
        fetch(Store(store.root / "other"), f"{server.url}/bad", f"{server.url}/gone")

    assert "/bad is not the file that was pinned" in caught.value.found


def test_n27_the_next_mirror_goes_on(store, server):
    """What one mirror gave is not fetched again from the next one, whatever its validator is."""
    server.files["/one"] = Served(DATA, etag='"one"', cuts=(CHUNK, 0, 0, 0, 0))
    server.files["/two"] = Served(DATA, etag='"two"')

    assert fetch(store, f"{server.url}/one", f"{server.url}/two").path.read_bytes() == DATA
    assert server.requests[-1].range == CHUNK
    assert "if-range" not in server.requests[-1].headers
    assert server.sent == len(DATA)


def test_n31_places_are_numbers_of_any_size():
    """Beyond 2**31 and 2**32 as before."""
    here = 2**33 + 1

    headers = {"Content-Range": f"bytes {here}-{here + 9}/{here + 10}"}
    answer = SimpleNamespace(url="http://h/f", headers=headers)

    assert resuming.question("http://h/f", here, None, None) == {"Range": f"bytes={here}-"}
    assert resuming.span(answer) == (here, here + 10, here + 10)


@pytest.mark.slow
def test_n31_a_file_of_more_than_4_gb(store, server):
    """The end of a sparse file is fetched, and put where it belongs."""
    size, end = 2**32 + 5_000_000, os.urandom(1000)
    put_partial(store, b"", key="0" * 64)
    digest = hashlib.sha256()
    hole = bytes(1 << 24)
    for start in range(0, size, len(hole)):
        digest.update(hole[: min(len(hole), size - start)])
    digest.update(end)
    sha = digest.hexdigest()
    put_partial(store, b"x", key=sha)
    path = next((store.root / "partial").glob(f"{sha}-*"))
    os.truncate(path, 0)
    os.truncate(path, size)

    def tail(request):
        span = f"bytes {size}-{size + len(end) - 1}/{size + len(end)}"
        request.status(206, end, Content_Range=span)

    server.files["/f"] = tail
    pin = Pin((("sha256", sha),), size + len(end))

    fetched = fetch(store, f"{server.url}/f", pin=pin)

    assert server.ranges == [size]
    with fetched.path.open("rb") as file:
        file.seek(size)
        assert file.read() == end


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("size", [0, None])
@pytest.mark.parametrize("connections", [1, 4])
def test_n32_an_empty_file(store, server, length, size, connections):
    """Nothing is a file too."""
    server.files["/f"] = Served(b"", length=length)
    sha = hashlib.sha256(b"").hexdigest()

    fetched = fetch(
        store, f"{server.url}/f", pin=Pin((("sha256", sha),), size), connections=connections
    )

    assert (fetched.path.name, fetched.path.read_bytes()) == (sha, b"")
