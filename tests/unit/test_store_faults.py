"""Disks that fail, files that were changed, folders of others: rows D and C12 of the faults."""

import errno
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import pytest

from zoo import disk, fetching, folders, home, pruning, usage
from zoo.errors import AccessError, DiskError, WriteError, ZooError
from zoo.fetching import Wanted
from zoo.library import Library
from zoo.store import Pin, Store

DATA = b"weights" * 1000
SHA = hashlib.sha256(DATA).hexdigest()
PIN = Pin((("sha256", SHA),), len(DATA))
_NOT_RUN = 127
"""What a program that the system cannot start is said to end with."""
UNPINNED = Pin((("sha256", SHA),))
PUT = f"""
import sys
from pathlib import Path
from zoo.errors import ZooError
from zoo.store import Pin, Store
store = Store(Path(sys.argv[1]))
pin = Pin((("sha256", "{SHA}"),))
try:
    kept = store.find(pin) or store.put([b"weights" * 1000], pin, "here")
    print(kept.path.read_bytes() == b"weights" * 1000)
except ZooError as error:
    print(error.code, error)
"""


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def published(store):
    """Return the files that have a name in the store."""
    return sorted(path.name for path in (store.root / "sha256").glob("*/*"))


def several(folder, **files):
    """Return what to fetch of files that are written into `folder`."""
    wanted = []
    for name, data in files.items():
        (folder / name).write_bytes(data)
        pin = Pin((("sha256", hashlib.sha256(data).hexdigest()),), len(data))
        wanted.append(Wanted((f"file:{name}",), pin, f"net/{name}"))
    return wanted


def edited(path, data):
    """Change the file at `path` in place, as a user would who means another one."""
    path.chmod(0o644)
    path.write_bytes(data)


def flipped(path, at=3):
    """Flip one bit of the file at `path`, as a disk does: its time stays the same."""
    facts, data = path.stat(), bytearray(path.read_bytes())
    data[at] ^= 1
    edited(path, bytes(data))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("name", ["write", "fsync", "close"])
def test_d03_what_was_not_written_is_not_published(store, monkeypatch, name, number):
    """A write, a sync or a close that fails once is an error, though the next one may succeed."""
    real, faults = getattr(os, name), [number]
    writing = []

    def failing(descriptor, *rest):
        done = real(descriptor, *rest)
        if writing and faults:
            raise OSError(faults.pop(), "failed")
        return done

    def chunks():
        yield DATA
        writing.append(True)
        if name == "write":
            yield b""
        monkeypatch.setattr(os, name, failing)

    with pytest.raises(DiskError):
        store.put(chunks(), PIN, "here")

    assert faults == []
    assert published(store) == []
    assert store.put([DATA], PIN, "here").path.read_bytes() == DATA


def as_user(number, *arguments, group=None):
    """Return what a process of another user prints, who is of a group of his own or of `group`."""
    if os.geteuid() != 0:
        pytest.skip("only root may run a process as another user")
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is not there, which runs a process as another user")
    user = [setpriv, f"--reuid={number}", "--clear-groups", f"--regid={group or number}"]
    command = [*user, sys.executable, "-c", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    begun = done.returncode != _NOT_RUN and not done.stderr.startswith("setpriv:")
    if not begun or "ModuleNotFoundError" in done.stderr:
        pytest.skip(f"another user cannot use this Python: {done.stderr.strip()[-200:]}")
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


@pytest.fixture
def public():
    """Return a store in a folder to which other users come; they do not to pytest's."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Store(Path(folder) / "store")


def test_d04_a_cache_that_may_only_be_read(public):
    """What is in it is used; what is not is an error that says so."""
    store = public
    store.root.mkdir(0o755)
    kept = store.put([DATA], PIN, "here")
    (store.root / usage.FOLDER / SHA).unlink()
    before = sorted(store.root.rglob("*"))

    assert as_user(65534, PUT, store.root) == "True\n"
    assert sorted(store.root.rglob("*")) == before

    kept.path.unlink()
    assert as_user(65534, PUT, store.root).startswith("73 ")


def in_tmpfs(options, *commands):
    """Return what `commands` print in a namespace with a small file system at ``$DISK``."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not there, which makes a file system of our own")
    script = f'set -e; mount -t tmpfs -o {options} none "$DISK"; {"; ".join(commands)}'
    done = subprocess.run([unshare, "-rm", "sh", "-c", script], capture_output=True, text=True)
    if done.returncode and "Traceback" not in done.stderr:
        pytest.skip(f"file systems cannot be made here: {done.stderr.strip()}")
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Return a folder for a file system, and how Python runs a program there."""
    place = tmp_path / "disk"
    place.mkdir()
    monkeypatch.setenv("DISK", str(place))
    (tmp_path / "put.py").write_text(PUT)
    return f'"{sys.executable}" "{tmp_path / "put.py"}" "$DISK/store"'


def test_d04_a_file_system_that_may_only_be_read(mounted):
    """As the cache that comes with an image of a container."""
    printed = in_tmpfs("size=4m", mounted, 'mount -o remount,ro "$DISK"', mounted)

    assert printed == "True\nTrue\n"


@pytest.mark.parametrize("options", ["size=4k", "size=1m,nr_inodes=6"])
def test_d16_a_disk_without_space_or_inodes(mounted, options):
    """One error with code 74; nothing is left, and with space it works."""
    again = 'mount -o remount,size=4m,nr_inodes=100 "$DISK"'
    listed = 'find "$DISK/store" -path "*sha256/*/*"'

    printed = in_tmpfs(options, mounted, listed, again, mounted)

    assert printed.startswith("74 ")
    assert printed.endswith("True\n")
    assert SHA not in printed


def test_d05_temporary_files_lie_beside_their_target(store, tmp_path, monkeypatch):
    """No temporary folder of the system is used, which may be on another disk."""
    renamed = []
    real = Path.replace
    monkeypatch.setenv("TMPDIR", str(tmp_path / "there-is-none"))
    monkeypatch.setattr(
        Path, "replace", lambda path, target: [renamed.append((path, target)), real(path, target)]
    )

    kept = store.put([DATA], PIN, "here")

    assert (renamed[1][1], renamed[1][0].is_relative_to(store.root)) == (kept.path, True)


def test_d05_a_part_of_the_cache_on_another_disk(store, monkeypatch):
    """A link from `sha256` to a larger disk is usual; the file is copied beside its target then."""
    real = Path.replace

    def refused(path, target):
        if path.parts[-2] == target.parts[-2] or "drafts" not in path.parts[-3:-1]:
            return real(path, target)
        if path.is_relative_to(store.root / "drafts"):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return real(path, target)

    monkeypatch.setattr(Path, "replace", refused)

    kept = store.put([DATA], PIN, "here")

    assert kept.path.read_bytes() == DATA
    assert [*(store.root / "sha256" / "drafts").iterdir()] == []


def test_d06_a_disk_without_links(store, tmp_path, monkeypatch):
    """Files are copied, which is said once; what was changed in a copy is found too."""

    def refused(*_, **__):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", refused)
    wanted = several(tmp_path, index=b"i", data=DATA)

    with pytest.warns(UserWarning, match="cannot be linked") as said:
        first = fetching.fetch(wanted, store, tmp_path)
    assert len(said) == 1
    assert (first.path / "net" / "data").stat().st_nlink == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fetching.fetch(wanted, store, tmp_path).from_cache

    edited(first.path / "net" / "data", DATA[::-1])
    with pytest.warns(UserWarning, match="cannot be linked"):
        fetching.fetch(wanted, store, tmp_path)
    assert (first.path / "net" / "data").read_bytes() == DATA

    flipped(first.path / "net" / "data")
    with pytest.warns(UserWarning, match="cannot be linked"):
        fetching.fetch(wanted, Store(store.root, rehash=True), tmp_path)
    assert (first.path / "net" / "data").read_bytes() == DATA


def test_d11_a_flipped_bit_is_not_used_by_a_run_that_looks(store, tmp_path):
    """It goes into quarantine, and is fetched anew, once; without --rehash nobody looks."""
    (tmp_path / "good").write_bytes(DATA)
    wanted = [Wanted(("file:good",), PIN)]
    path = fetching.fetch(wanted, store, tmp_path).path
    flipped(path)
    bad = path.read_bytes()

    assert fetching.fetch(wanted, store, tmp_path).from_cache
    with pytest.warns(UserWarning, match="damaged"):
        again = fetching.fetch(wanted, Store(store.root, rehash=True), tmp_path)

    assert (again.path.read_bytes(), again.from_cache) == (DATA, False)
    assert [p.read_bytes() for p in (store.root / "corrupt").iterdir()] == [bad]
    assert fetching.fetch(wanted, Store(store.root, rehash=True), tmp_path).from_cache


def test_d11_what_was_edited_is_found_without_looking_closer(store, tmp_path):
    """Its time is another than when it was hashed; also in a folder, where it is a link."""
    wanted = several(tmp_path, index=b"i", data=DATA)
    first = fetching.fetch(wanted, store, tmp_path)
    edited(first.path / "net" / "data", DATA[::-1])

    with pytest.warns(UserWarning, match="damaged"):
        again = fetching.fetch(wanted, store, tmp_path)

    assert not again.from_cache
    assert (again.path / "net" / "data").read_bytes() == DATA


def test_d11_a_sector_that_cannot_be_read(store, tmp_path, monkeypatch):
    """Bytes that the disk does not give are damaged ones."""
    kept = store.put([DATA], PIN, "here")

    def failing(*_):
        raise OSError(errno.EIO, "Input/output error", str(kept.path))

    monkeypatch.setattr("zoo.store.file_digest", failing)
    with pytest.warns(UserWarning, match="damaged"):
        assert Store(store.root, rehash=True).find(PIN) is None
    assert not kept.path.exists()


def test_d12_bytes_are_on_the_disk_before_their_name(store, monkeypatch):
    """The file is synced before it is renamed, and its folder after that."""
    steps = []
    sync, folder, replace = disk.sync, disk.sync_folder, Path.replace
    monkeypatch.setattr(disk, "sync", lambda path: [steps.append("file"), sync(path)])
    monkeypatch.setattr(disk, "sync_folder", lambda path: [steps.append(path.name), folder(path)])

    def renamed(path, target):
        if target.parent.name == SHA[:2]:
            steps.append("rename")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", renamed)

    store.put([DATA], PIN, "here")

    assert steps == ["file", "rename", SHA[:2]]


@pytest.mark.parametrize("pin", [PIN, UNPINNED], ids=["size", "no size"])
def test_d12_a_file_that_is_empty_after_a_power_cut(store, pin):
    """No bytes are never what a digest means, whether the size is pinned or not."""
    kept = store.put([DATA], PIN, "here")
    edited(kept.path, b"")

    with pytest.warns(UserWarning, match="damaged"):
        assert store.find(pin) is None


def test_d13_what_a_dead_process_left_goes(store):
    """At once, with the next fetch; what a living one writes stays."""
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from zoo.store import Pin, Store\n"
        "def chunks():\n"
        "    yield b'part'\n"
        "    os._exit(9)\n"
        f"Store(Path(sys.argv[1])).put(chunks(), Pin((('sha256', '{SHA}'),)), 'here')"
    )
    subprocess.run([sys.executable, "-c", code, store.root])
    (litter,) = (store.root / "drafts").iterdir()

    def chunks():
        (mine,) = (store.root / "drafts").iterdir()
        assert mine != litter
        other = Store(store.root)
        other.put([b"other"], Pin((("sha256", hashlib.sha256(b"other").hexdigest()),)), "here")
        assert mine.is_dir()
        yield DATA

    store.put(chunks(), PIN, "here")

    assert [*(store.root / "drafts").iterdir()] == []


@pytest.mark.parametrize("how", ["deleted", "cut off", "replaced", "the folder is a file"])
def test_d14_a_model_whose_files_were_touched(store, tmp_path, how):
    """The folder is made again of the files of the store, without a fetch."""
    wanted = several(tmp_path, index=b"i", data=DATA)
    path = fetching.fetch(wanted, store, tmp_path).path
    data = path / "net" / "data"
    data.unlink()
    if how == "cut off":
        data.write_bytes(DATA[:10])
    elif how == "replaced":
        data.write_bytes(DATA[::-1])
    elif how != "deleted":
        shutil.rmtree(path)
        path.touch()

    again = fetching.fetch(wanted, store, tmp_path)

    assert again.from_cache
    assert (again.path / "net" / "data").read_bytes() == DATA


@pytest.mark.parametrize("when", ["before", "while it is written"])
def test_d15_a_cache_that_is_deleted_meanwhile(store, when):
    """A clean error at worst, and the next fetch makes it anew."""
    store.put([DATA], PIN, "here")

    def chunks():
        shutil.rmtree(store.root)
        yield DATA

    if when == "before":
        shutil.rmtree(store.root)
    else:
        with pytest.raises(ZooError) as caught:
            store.put(chunks(), PIN, "here")
        assert isinstance(caught.value, WriteError | DiskError)

    assert store.find(PIN) is None
    assert store.put([DATA], PIN, "here").path.read_bytes() == DATA
    assert len([*(store.root / "leases").iterdir()]) == 1


@pytest.mark.parametrize("mask", [0o077, 0o022, 0o002])
def test_d17_a_cache_of_a_group(store, tmp_path, mask):
    """Everything in it has the permissions of its folder, whatever the umask of a user is."""
    store.root.mkdir()
    store.root.chmod(0o2770)
    before = os.umask(mask)
    try:
        fetching.fetch(several(tmp_path, index=b"i", data=DATA), store, tmp_path)
    finally:
        os.umask(before)

    for path in store.root.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o2770, path
        else:
            assert mode & 0o447 == 0o440, path


def test_d17_two_users_of_a_group(public):
    """One uses what the other fetched, and that is noted as its last use."""
    store = public
    store.root.mkdir()
    shutil.chown(store.root, group=60_000)
    store.root.chmod(0o2770)
    assert as_user(60_001, PUT, store.root, group=60_000) == "True\n"
    record = store.root / usage.FOLDER / SHA
    os.utime(record, (0, 0))

    assert as_user(60_002, PUT, store.root, group=60_000) == "True\n"

    assert record.stat().st_mtime > 0
    assert as_user(60_003, PUT, store.root).startswith("77 ")


def test_c12_a_new_cache_is_its_owners_alone(store):
    """Nobody else can put a link there between a check and an open."""
    store.put([DATA], PIN, "here")

    for path in [store.root, *store.root.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_c12_a_link_in_the_place_of_a_file(store, tmp_path):
    """It is not followed, neither to read nor to write."""
    kept = store.put([DATA], PIN, "here")
    (tmp_path / "theirs").write_bytes(DATA)
    kept.path.unlink()
    kept.path.symlink_to(tmp_path / "theirs")

    assert store.find(PIN) is None
    store.put([DATA], PIN, "here")

    assert not kept.path.is_symlink()
    assert stat.S_IMODE((tmp_path / "theirs").stat().st_mode) != 0o400


def test_c12_a_cache_that_somebody_planted(tmp_path, monkeypatch):
    """Where anybody may make folders, one of another user is no cache of ours."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a folder of another user")
    (tmp_path / "public" / "zoo").mkdir(parents=True)
    (tmp_path / "public").chmod(0o1777)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "public" / "zoo"))
    assert home.cache() == tmp_path / "public" / "zoo"

    os.chown(tmp_path / "public" / "zoo", 65534, 65534)
    with pytest.raises(AccessError, match="not trusted"):
        Library().fetch("toy-adder")


@pytest.mark.parametrize("time", [2**33, 0, 946_684_801])
def test_d19_times_mean_nothing(store, time):
    """A file is known by its bytes: times in the future, at zero, or rounded only cost a look."""
    kept = store.put([DATA], PIN, "here")
    os.utime(kept.path, (time, time))
    os.utime(store.root / usage.FOLDER / SHA, (time, time))

    assert store.find(PIN) == kept
    assert usage.of(store.root, SHA).stamps == (("", usage.stamp(kept.path)),)
    assert pruning.prune(store.root, pruning.Limits(within=60)).gone == ()


def test_the_mark_of_a_cache_is_whole_or_not_there(tmp_path, monkeypatch):
    """Back-ups that find half a mark would save gigabytes."""
    monkeypatch.setattr(Path, "replace", lambda *_: os.kill(os.getpid(), 0))

    home.mark(tmp_path)

    assert [*tmp_path.iterdir()] == []


def test_folders_are_made_by_several_at_once(store, tmp_path, monkeypatch):
    """Who comes second has the same folder; a reader of the first keeps its path."""
    wanted = several(tmp_path, index=b"i", data=DATA)
    monkeypatch.setattr(folders, "is_whole", lambda *_, **__: False)
    first = fetching.fetch(wanted, store, tmp_path).path

    assert fetching.fetch(wanted, store, tmp_path).path == first
    monkeypatch.setattr(disk, "exchange", lambda *_: False)
    assert fetching.fetch(wanted, store, tmp_path).path == first
    assert (first / "net" / "data").read_bytes() == DATA


def test_d04_a_store_that_one_may_not_even_look_into(public):
    """That is said, and with which folder."""
    store = public
    store.put([DATA], PIN, "here")

    printed = as_user(65534, PUT, store.root)

    assert printed.startswith("77 ")
    assert "cannot be read" in printed
