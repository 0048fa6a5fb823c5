"""Who works on a partial: rows C1, C2, K1, K10, D1 and D2 of the fault matrix."""

import fcntl
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.faulty_server import FaultyServer, Served
from zoo import claims, downloads, fetching, partials
from zoo.errors import DiskError
from zoo.fetching import Wanted
from zoo.mapped import CHUNK
from zoo.patience import Manner, Patience
from zoo.store import Pin, Store

pytestmark = pytest.mark.long  # processes are started and waited for

CHILDREN = Path(__file__).parents[1] / "fetching_children.py"
DATA = os.urandom(8 * CHUNK)
SHA = hashlib.sha256(DATA).hexdigest()
PIN = Pin((("sha256", SHA),), len(DATA))


@pytest.fixture
def server():
    """Return a server that has the file, as slowly as a file of some size is."""
    with FaultyServer() as running:
        running.files["/f"] = Served(DATA)
        yield running


@pytest.fixture
def store(tmp_path):
    """Return an empty store."""
    return Store(tmp_path / "store")


def fetch(store, url, pin=PIN, connections=1, lock=30.0):
    """Fetch a file and return its path."""
    patience = Patience(sleep=lambda _: None, lock=lock)
    manner = Manner(connections=connections, patience=patience)
    return fetching.fetch([Wanted((url,), pin)], store, store.root, manner=manner).path


def partial_files(store):
    """Return the sizes of the files of partials by their names."""
    return {path.name: path.stat().st_size for path in (store.root / "partial").glob("*")}


def claimed(store, key=SHA, patience=0.0, copies=False):
    """Claim a partial of the store."""
    return claims.claimed(store.root / "partial", key, patience, lambda: False, copies=copies)


def held(server, event):
    """Return a file that is served in two halves, the second after `event`."""

    def answer(request):
        request.head(200, Content_Length=len(DATA), ETag='"e"')
        request.send(DATA[:CHUNK])
        event.wait(10)
        request.send(DATA[CHUNK:])

    server.files["/f"] = answer


@pytest.mark.parametrize("digest", ["sha256", "md5", "none"])
def test_c01_many_at_once_make_one_transfer(server, store, digest):
    """Processes and threads wait for the first, and find what it brought."""
    if digest == "sha256":
        command = [sys.executable, CHILDREN, "locks", f"{server.url}/f", SHA, len(DATA), store.root,
                   16]  # fmt: skip
        done = subprocess.run([*map(str, command)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        paths = done.stdout.split()
        assert len(paths) == 32
    else:
        pin = Pin((("md5", hashlib.md5(DATA, usedforsecurity=False).hexdigest()),))
        pin = pin if digest == "md5" else Pin(())
        paths, event = [], threading.Event()
        held(server, event)
        threads = [
            threading.Thread(target=lambda: paths.append(fetch(store, f"{server.url}/f", pin)))
            for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        event.set()
        for thread in threads:
            thread.join()
        assert len(paths) == 20

    assert {Path(path).name for path in paths} == {SHA}
    assert Path(paths[0]).read_bytes() == DATA
    assert len(server.requests) == 1


def test_c02_many_at_once_where_locks_keep_nobody_out(server, store):
    """Each fetches into a file of its own; what is published is right, and no error is seen."""
    command = [sys.executable, CHILDREN, "no-locks", f"{server.url}/f", SHA, len(DATA), store.root,
               8]  # fmt: skip

    done = subprocess.run([*map(str, command)], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert {Path(path).name for path in done.stdout.split()} == {SHA}
    kept = store.find(PIN).path
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == SHA
    assert not any(partial_files(store).values())


def test_c02_who_works_without_locks_is_not_disturbed(server, store, monkeypatch):
    """A second one copies what the first has, and writes into a file of its own."""
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)

    with claimed(store) as first, claimed(store) as second:
        first.append(b"one")
        second.append(b"two")
        with claimed(store, copies=True) as third:
            third.append(b"more")
            assert len({first.path, second.path, third.path}) == 3
            assert third.path.read_bytes() in (b"onemore", b"twomore")

        assert (first.path.read_bytes(), second.path.read_bytes()) == (b"one", b"two")


def test_c02_a_lock_that_the_disk_does_not_have(store, monkeypatch):
    """An error of the lock is no error of the fetch."""

    def none(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", none)
    start = time.monotonic()

    with claimed(store, patience=5) as first, claimed(store, patience=5) as second:
        assert first.path != second.path
    assert time.monotonic() - start < 3


def test_c01_what_came_just_before_the_lock_is_seen(store):
    """Who held it before may have been through: the store is looked at once more."""
    answers = iter([False, True])

    with claims.claimed(store.root, SHA, 5, lambda: next(answers), copies=False) as partial:
        assert partial is None


def test_c02_what_another_machine_left_is_copied(store, monkeypatch):
    """Nobody here can tell whether that machine still writes into it."""
    with claimed(store) as there:
        there.append(b"there")
    monkeypatch.setattr(claims, "_here", lambda: "another")

    with claimed(store, copies=True) as here:
        here.append(b"!")
        assert (there.path.read_bytes(), here.path.read_bytes()) == (b"there", b"there!")


def test_who_waits_too_long_goes_on_alone(server, store):
    """The wait is bounded: a process that hangs stops nobody."""
    with claimed(store) as hanging:
        hanging.append(b"wrong")
        path = fetch(store, f"{server.url}/f", lock=0.2)

        assert path.read_bytes() == DATA
        assert hanging.path.read_bytes() == b"wrong"


def test_who_waits_finds_the_lock_free_when_its_holder_died(server, store):
    """The system takes the lock from who dies."""
    ready, done = os.pipe()
    child = os.fork()
    if child == 0:
        with claimed(store) as partial:
            partial.append(DATA[:CHUNK])
            os.write(done, b"r")
            time.sleep(30)
    os.read(ready, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

    assert fetch(store, f"{server.url}/f").read_bytes() == DATA
    assert server.ranges == [CHUNK]


def test_a_link_in_the_place_of_a_partial_is_not_followed(store, tmp_path):
    """In a store that others may write to, a link could lead to any file of ours."""
    with claimed(store) as partial:
        path = partial.path
        partial.append(b"x")
    path.unlink()
    (tmp_path / "mine").write_text("mine")
    path.symlink_to(tmp_path / "mine")

    with pytest.raises(Exception, match="could not be written"), claimed(store):
        pass

    assert (tmp_path / "mine").read_text() == "mine"


def test_k01_a_partial_is_gone_on_with(server, store):
    """What a process left that died is kept, and its condition with it."""
    with claimed(store) as partial:
        partial.append(DATA[:CHUNK])
        partial.note(
            partials.Record(f"{server.url}/f?...", server.files["/f"].etag, None, len(DATA))
        )

    assert fetch(store, f"{server.url}/f?signature=new").read_bytes() == DATA
    assert server.ranges == [CHUNK]
    assert server.requests[0].headers["if-range"] == server.files["/f"].etag
    assert server.sent == len(DATA) - CHUNK
    assert partial_files(store) == {}


@pytest.mark.parametrize("connections", [1, 4])
def test_k01_pieces_are_gone_on_with(server, store, connections):
    """What parallel connections brought from further behind is not fetched again."""
    with claimed(store) as partial:
        partial.append(DATA[:CHUNK])
        for start, end in ((2, 3), (5, 7)):
            partial.piece(start * CHUNK).write_bytes(DATA[start * CHUNK : end * CHUNK])
        partial.piece(CHUNK // 2).write_bytes(DATA[CHUNK // 2 : CHUNK])
        partial.piece(4 * CHUNK).touch()

    assert fetch(store, f"{server.url}/f", connections=connections).read_bytes() == DATA
    assert server.sent == len(DATA) - 4 * CHUNK
    assert partial_files(store) == {}


def test_k01_a_torn_record_does_no_harm(server, store):
    """It is written in one step; and where it is torn nevertheless, the digest tells."""
    with claimed(store) as partial:
        partial.append(DATA[:CHUNK])
        partial.path.with_name(partial.path.name + ".json").write_text('{"url": "ht')

    assert fetch(store, f"{server.url}/f").read_bytes() == DATA
    assert server.ranges == [CHUNK]


def test_k01_what_a_power_cut_left_comes_anew(server, store):
    """Zeros of the right length are found by the digest; then all is fetched once more."""
    with claimed(store) as partial:
        partial.append(bytes(CHUNK))

    assert fetch(store, f"{server.url}/f").read_bytes() == DATA
    assert server.ranges == [CHUNK, None]


def test_what_is_published_leaves_nothing_behind(server, store):
    """No partial, no record; old ones of other machines go too, young ones stay."""
    for name, age in (("old", 7200), ("young", 0)):
        path = store.root / "partial" / f"{SHA}-{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        os.utime(path, (time.time() - age,) * 2)

    fetch(store, f"{server.url}/f")

    assert [*partial_files(store)] == [f"{SHA}-young"]


def test_d01_a_full_disk_keeps_what_came(server, store):
    """The error says what is kept and what is free; afterwards it goes on from there."""
    code = os.fork()
    if code == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3 * CHUNK, 3 * CHUNK))
        try:
            fetch(store, f"{server.url}/f")
        except DiskError as error:
            told = f"{3 * CHUNK} bytes are kept" in error.hint and "are free" in error.found
            os._exit(error.code if told else 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(code, 0)[1]) == 74
    assert max(partial_files(store).values()) == 3 * CHUNK
    assert store.find(PIN) is None

    assert fetch(store, f"{server.url}/f").read_bytes() == DATA
    assert server.ranges == [None, 3 * CHUNK]


def test_d02_no_room_is_said_before_the_first_byte(server, store, monkeypatch):
    """What is missing and what is free; what is here already counts."""
    free = shutil.disk_usage(store.root.parent)._replace(free=len(DATA) - CHUNK - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)

    with pytest.raises(DiskError, match="no room") as caught:
        fetch(store, f"{server.url}/f")
    assert str(len(DATA) - CHUNK - 1) in caught.value.found
    assert not any(partial_files(store).values())

    with claimed(store) as partial:
        partial.append(DATA[: CHUNK + 1])
    assert fetch(store, f"{server.url}/f").read_bytes() == DATA


@pytest.mark.parametrize(
    ("number", "code", "connections"),
    [
        (signal.SIGINT, 130, 1),
        (signal.SIGTERM, 143, 4),
        pytest.param(signal.SIGINT, 130, 4, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 143, 1, marks=pytest.mark.slow),
    ],
)
def test_k10_an_interruption_keeps_what_came(server, store, number, code, connections, tmp_path):
    """The exit code says what ended it, no thread holds it up, and the next fetch goes on."""
    event = threading.Event()
    served = server.files["/f"]

    def slow(request):
        if not event.is_set():
            start, end = served.part(request) or (0, len(DATA))
            request.head(206 if request.asked.range is not None else 200,
                         Content_Length=end - start, ETag=served.etag,
                         Content_Range=f"bytes {start}-{end - 1}/{len(DATA)}")  # fmt: skip
            request.send(DATA[start : start + CHUNK])
            event.wait(20)
        else:
            served(request)

    server.files["/f"] = slow
    registry = tmp_path / "registry.yaml"
    registry.write_text(f"""
version: 1
models:
  net:
    summary: a net
    weights:
      t: {{format: frozen, urls: ["{server.url}/f"], sha256: {SHA}, size: {len(DATA)}}}
""")
    command = [sys.executable, "-m", "zoo", "fetch", "net", "--registry", registry, "-q",
               "--connections", str(connections)]  # fmt: skip
    env = {**os.environ, "ZOO_HOME": str(store.root)}
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while sum(partial_files(store).values()) < CHUNK and time.monotonic() < deadline:
        time.sleep(0.02)

    start = time.monotonic()
    process.send_signal(number)
    error = process.communicate(timeout=20)[1]

    assert (process.returncode, "Traceback" in error) == (code, False)
    assert time.monotonic() - start < 5
    assert sum(partial_files(store).values()) >= CHUNK
    event.set()
    server.requests.clear()
    assert fetch(store, f"{server.url}/f").read_bytes() == DATA
    assert server.sent <= len(DATA) - CHUNK


def test_a_download_imports_requests_and_a_cached_one_does_not():
    """What is in the store already costs no import."""
    program = "import sys, zoo.fetching; sys.exit('requests' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
    assert downloads.Transfer
