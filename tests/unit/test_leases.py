"""Who uses a file of the store keeps it, on a file system with locks and on one without."""

import errno
import fcntl
import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from zoo import fetching, inventory, leases, owners, pruning, removal, rooms, usage
from zoo.fetching import Wanted
from zoo.store import Pin, Store

pytestmark = pytest.mark.long  # processes are started and waited for

DATA = b"weights" * 1000
SHA = hashlib.sha256(DATA).hexdigest()
PIN = Pin((("sha256", SHA),), len(DATA))
READER = f"""
import fcntl, sys, time
from pathlib import Path
if "no locks" in sys.argv:
    fcntl.flock = lambda *_: None
from zoo.store import Pin, Store
kept = Store(Path(sys.argv[1])).find(Pin((("sha256", "{SHA}"),)))
print(kept.path if kept else "nothing", flush=True)
sys.stdin.read()
print(kept.path.read_bytes() == b"weights" * 1000)
"""


@pytest.fixture
def root(tmp_path):
    """Return a cache with one file that was put there by a process that has ended."""
    code = f"Store(Path(sys.argv[1])).put([b'weights' * 1000], Pin((('sha256', '{SHA}'),)), 'x')"
    program = f"import sys\nfrom pathlib import Path\nfrom zoo.store import Pin, Store\n{code}"
    subprocess.run([sys.executable, "-c", program, tmp_path / "store"], check=True)
    return tmp_path / "store"


class Reader:
    """A process that uses the file."""

    def __init__(self, root, *options):
        command = [sys.executable, "-c", READER, root, *options]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert SHA in self.process.stdout.readline()

    def ends(self):
        """Let it read the file by its name and end; return what it says."""
        return self.process.communicate("")[0]

    def dies(self):
        """Kill it."""
        self.process.kill()
        self.process.communicate()


def everything(root):
    """Prune all there is."""
    return pruning.prune(root, pruning.Limits(size=0))


@pytest.mark.parametrize("locks", ["locks", "no locks"])
def test_c03_a_model_in_use_is_not_pruned(root, monkeypatch, locks):
    """It is skipped, and said to be in use; it goes when the reader has ended."""
    if locks == "no locks":
        monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    reader = Reader(root, locks)

    done = everything(root)

    assert [item.key for item in done.busy] == [SHA]
    assert done.busy[0].users == (f"process {reader.process.pid}",)
    assert done.left == len(DATA)
    assert reader.ends() == "True\n"
    assert [item.key for item in everything(root).gone] == [SHA]


def test_c03_who_looks_while_it_is_deleted_waits(root):
    """And then sees that it is gone: no path is given out that leads to nothing."""
    found = []
    with leases.going(root, SHA, []) as free:
        assert free
        thread = threading.Thread(target=lambda: found.append(Store(root).find(PIN)))
        thread.start()
        time.sleep(0.1)
        assert found == []
        Store(root).path(SHA).unlink()
    thread.join(20)

    assert found == [None]


def test_c03_who_comes_first_keeps_it(root):
    """A lease that is written after the items were listed counts all the same."""
    items = inventory.items(root)
    assert items[0].users == ()
    reader = Reader(root)

    assert not removal.remove(root, items[0])
    assert reader.ends() == "True\n"
    assert removal.remove(root, items[0])


def test_c03_a_part_on_its_way_into_another_model(tmp_path):
    """Files of a model that goes stay if somebody else has just found one of them."""
    root = tmp_path / "store"
    code = (
        "import sys\nfrom pathlib import Path\nfrom zoo import fetching\n"
        "from zoo.store import Pin, Store\n"
        f"pin = Pin((('sha256', '{SHA}'),), {len(DATA)})\n"
        "one = fetching.Wanted(('file:data',), pin, 'net/a')\n"
        "fetching.fetch([one], Store(Path(sys.argv[1])), Path(sys.argv[2]))\n"
    )
    (tmp_path / "data").write_bytes(DATA)
    subprocess.run([sys.executable, "-c", code, root, tmp_path], check=True)
    (item,) = inventory.items(root)
    assert len(item.paths) == 2
    reader = Reader(root)

    assert removal.remove(root, item)

    assert not item.paths[0].exists()
    assert reader.ends() == "True\n"


@pytest.mark.parametrize("locks", ["locks", "no locks"])
def test_k09_a_lease_ends_with_its_process(root, monkeypatch, locks):
    """A reader that is killed holds nothing, from that moment on."""
    if locks == "no locks":
        monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    reader = Reader(root, locks)
    assert len([*(root / "leases").iterdir()]) == 1

    reader.dies()

    assert [item.key for item in everything(root).gone] == [SHA]
    assert [*(root / "leases").iterdir()] == []


def test_c04_two_versions_of_one_name(tmp_path):
    """Both are in the store, each under its digest."""
    store, other = Store(tmp_path / "store"), b"retrained"
    for data in (DATA, other):
        (tmp_path / "net").write_bytes(data)
        pin = Pin((("sha256", hashlib.sha256(data).hexdigest()),), len(data))
        kept = fetching.fetch([Wanted(("file:net",), pin)], store, tmp_path)
        usage.called(store.root, kept.sha256, "net:best")

    items = inventory.items(store.root)
    assert [item.names for item in items] == [("net:best",), ("net:best",)]
    assert {item.paths[0].read_bytes() for item in items} == {DATA, other}


@pytest.mark.parametrize("number", [errno.EBADF, errno.ENOLCK, errno.ENOSYS])
def test_c07_a_file_system_that_refuses_locks(root, monkeypatch, number):
    """It is gone on without: names and process numbers say who lives."""

    def refused(*_):
        raise OSError(number, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refused)
    reader = Reader(root)

    assert [item.key for item in everything(root).busy] == [SHA]
    reader.dies()
    assert [item.key for item in everything(root).gone] == [SHA]
    assert Store(root).put([DATA], PIN, "here").path.is_file()
    assert leases.in_use(root) == {SHA: [f"process {os.getpid()}"]}


def test_c07_leases_are_opened_to_be_written(root, monkeypatch):
    """NFS gives the exclusive lock of a file only to who may write to it."""
    flags = []
    real = fcntl.flock

    def watched(descriptor, operation):
        flags.append((fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE, operation))
        return real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", watched)
    Store(root).find(PIN)

    assert flags == [(os.O_RDWR, fcntl.LOCK_EX | fcntl.LOCK_NB)]


@pytest.mark.parametrize("age", [0, 2 * 86_400])
def test_c08_who_died_on_another_machine(root, monkeypatch, age):
    """An announcement of its is waited for, but not for ever; after a day it means nothing."""
    monkeypatch.setattr(leases, "_PATIENCE", 0.3)
    name = "00000000-00000000-0-1-1-00000000"
    left = root / "going" / f"{SHA}.{name}"
    left.parent.mkdir(exist_ok=True)
    left.touch()
    os.utime(left, (time.time() - age,) * 2)

    start = time.monotonic()
    found = Store(root).find(PIN)

    assert found.path.is_file()
    assert 0.3 * (age == 0) <= time.monotonic() - start < 0.3 + 5
    assert owners.lives(left) is (age == 0)
    assert owners.process(left) == "process 1 of another machine or container"


def test_c08_a_lease_of_another_machine(root):
    """It counts for a day after it was written to, and as long as it is locked."""
    lease = root / "leases" / "00000000-00000000-0-1-1-00000000"
    lease.parent.mkdir(exist_ok=True)
    lease.write_text(f"{SHA}\n")
    assert SHA in leases.in_use(root)

    os.utime(lease, (time.time() - 2 * 86_400,) * 2)
    with lease.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert SHA in leases.in_use(root)
    assert leases.in_use(root) == {}
    assert not lease.exists()


def _held(root, ready, go):
    """Find the file, in a process that was forked or spawned, and wait."""
    ready.put(Store(root).find(PIN) is not None)
    go.get()


@pytest.mark.parametrize("how", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_c09_children_have_leases_of_their_own(root, how):
    """Each is its process's, and ends with that: a parent's end takes nothing from a child."""
    context = multiprocessing.get_context(how)
    ready, go = context.Queue(), context.Queue()
    Store(root).find(PIN)
    child = context.Process(target=_held, args=(root, ready, go))
    child.start()
    assert ready.get(timeout=30)

    numbers = {path.name.split("-")[3] for path in (root / "leases").iterdir()}
    assert numbers == {str(os.getpid()), str(child.pid)}

    leases._give_back()
    assert set(leases.in_use(root)) == {SHA}
    go.put(1)
    child.join(30)
    assert leases.in_use(root) == {}


def test_c09_a_child_that_never_asked(root):
    """What its parent holds when it is forked it holds too, though the parent is killed."""
    code = f"""
import os, sys, time
from pathlib import Path
from zoo.store import Pin, Store
Store(Path(sys.argv[1])).find(Pin((("sha256", "{SHA}"),)))
child = os.fork()
if child == 0:
    os.close(1)
    time.sleep(60)
    os._exit(0)
print(child, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, root], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    child = int(done.stdout)
    try:
        deadline = time.monotonic() + 20
        while not any(str(child) in n for n in leases.in_use(root).get(SHA, [])):
            assert time.monotonic() < deadline
        assert [item.key for item in everything(root).busy] == [SHA]
    finally:
        os.kill(child, signal.SIGKILL)


def test_d04_a_reader_of_a_cache_that_it_may_only_read(root, monkeypatch):
    """It has no lease; the file itself is locked, and not deleted by who may."""

    def refused(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(leases, "_new", refused)
    kept = Store(root).find(PIN)
    monkeypatch.undo()

    assert leases.in_use(root) == {}
    assert [item.key for item in everything(root).busy] == [SHA]
    os.close(leases._locked_down.pop(kept.path))
    assert [item.key for item in everything(root).gone] == [SHA]


def test_d15_a_lease_in_a_cache_that_was_deleted(root):
    """It is written anew with the next file: what is not there protects nothing."""
    store = Store(root)
    store.find(PIN)
    (lease,) = (root / "leases").iterdir()
    lease.unlink()

    store.find(PIN)

    assert set(leases.in_use(root)) == {SHA}


def test_names_say_whose_something_is(tmp_path):
    """A living process's, a dead one's, one's that has the same number as a dead one had."""
    mine = owners.name()
    head, number, start, end = mine.rsplit("-", 3)
    assert owners.lives(tmp_path / mine)
    assert owners.process(tmp_path / mine) == f"process {os.getpid()}"
    assert not owners.lives(tmp_path / f"{head}-{number}-{int(start) + 1}-{end}")
    assert not owners.lives(tmp_path / f"{head}-{2**22 + 1}-{start}-{end}")
    machine, _, space = head.split("-")
    assert not owners.lives(tmp_path / f"{machine}-00000000-{space}-{number}-{start}-{end}")
    assert not owners.lives(tmp_path / "no such name, and not there")


def test_rooms_of_other_machines_stay_for_a_day(tmp_path):
    """Nobody can tell whether their processes live."""
    left = tmp_path / "drafts" / "00000000-00000000-0-1-1-00000000"
    left.mkdir(parents=True)
    with rooms.room(tmp_path / "drafts", tmp_path) as room:
        assert room.is_dir()
    assert left.is_dir()

    os.utime(left, (time.time() - 2 * 86_400,) * 2)
    assert rooms.sweep(tmp_path / "drafts") == 1
    assert [*(tmp_path / "drafts").iterdir()] == []
