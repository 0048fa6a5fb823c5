"""What is in the cache, what goes first, and what stays."""

import hashlib
import os
import shutil
import time
from pathlib import Path

import pytest

from zoo import amounts, fetching, inventory, leases, pruning, removal, usage
from zoo.errors import UsageError
from zoo.fetching import Wanted
from zoo.library import Library
from zoo.pruning import Limits
from zoo.store import Pin, Store

DAY = 86_400.0


def digest(data):
    return hashlib.sha256(data).hexdigest()


def given_back(root):
    """End the leases of this process on the cache `root`, as if it had ended."""
    lease = leases._held.pop(root, None)
    if lease is not None:
        os.close(lease.descriptor)
        lease.path.unlink(missing_ok=True)


@pytest.fixture
def root(tmp_path):
    """Return a cache with four files of 1000 bytes each, used one to four days ago."""
    store = Store(tmp_path / "store")
    for days in range(1, 5):
        data = bytes([days]) * 1000
        pin = Pin((("sha256", digest(data)),), len(data))
        store.put([data], pin, f"https://me:secret@example.org/net{days}.pb?key=secret")
        usage.called(store.root, digest(data), f"net{days}:best")
        used(store.root, digest(data), days)
    given_back(store.root)
    return store.root


def used(root, key, days):
    at = time.time() - days * DAY
    os.utime(root / "used" / key, (at, at))


def names(items):
    return [item.name for item in items]


def test_a_thing_has_its_names_its_source_and_its_last_use(root):
    """The least recently used is first; what is secret in an address is not kept."""
    items = inventory.items(root)

    assert names(items) == ["net4:best", "net3:best", "net2:best", "net1:best"]
    assert {item.size for item in items} == {1000}
    assert items[0].source == "https://example.org/net4.pb?..."
    assert items[0].used == pytest.approx(time.time() - 4 * DAY, abs=60)
    assert "secret" not in "".join(path.read_text() for path in (root / "used").iterdir())


@pytest.mark.parametrize(
    ("limits", "gone"),
    [
        (Limits(), []),
        (Limits(within=2.5 * DAY), ["net4", "net3"]),
        (Limits(size=2500), ["net4", "net3"]),
        (Limits(size=4000), []),
        (Limits(size=0), ["net4", "net3", "net2", "net1"]),
        (Limits(within=2.5 * DAY, size=3000), ["net4"]),
        (Limits(within=2.5 * DAY, size=0), ["net4", "net3"]),
        (Limits(size=2500, keep=("net4",)), ["net3", "net2"]),
        (Limits(size=0, keep=("net[12]",)), ["net4", "net3"]),
    ],
)
@pytest.mark.parametrize("dry", [True, False])
def test_the_least_recently_used_goes_first(root, limits, gone, dry):
    """Until what is left is small enough; what was used within the time stays in any case."""
    done = pruning.prune(root, limits, dry=dry)

    assert [name.removesuffix(":best") for name in names(done.gone)] == gone
    assert done.left == 4000 - 1000 * len(gone)
    assert len(inventory.items(root)) == (4 if dry else 4 - len(gone))
    assert done.busy == ()


def test_what_was_used_again_stays(root):
    """A use is noted when the file is found."""
    data = b"\4" * 1000
    assert Store(root).find(Pin((("sha256", digest(data)),), 1000))
    given_back(root)

    assert names(pruning.prune(root, Limits(size=3000)).gone) == ["net3:best"]


def test_what_is_pinned_stays(root, tmp_path, monkeypatch):
    """By a command, or by a lock file in the folder one stands in."""
    monkeypatch.chdir(tmp_path)
    inventory.pin(root, digest(b"\4" * 1000), pinned=True)
    (tmp_path / "zoo.lock").write_text(f'{{"models": [{{"sha256": "{digest(b"3" * 0)}"}}]}}')
    (tmp_path / "zoo.lock").write_text(f'sha256 = "{digest(bytes([3]) * 1000)}"\n')

    done = pruning.prune(root, Limits(size=0))

    assert names(done.gone) == ["net2:best", "net1:best"]
    inventory.pin(root, digest(b"\4" * 1000), pinned=False)
    assert names(pruning.prune(root, Limits(size=0)).gone) == ["net4:best"]


def test_a_model_of_several_files_is_one_thing(tmp_path):
    """Its files go with it, but for those that are another model's too."""
    store = Store(tmp_path / "store")
    for name, files in (("one", "ab"), ("two", "bc")):
        wanted = []
        for letter in files:
            (tmp_path / letter).write_bytes(letter.encode() * 1000)
            pin = Pin((("sha256", digest(letter.encode() * 1000)),), 1000)
            wanted.append(Wanted((f"file:{letter}",), pin, letter))
        fetched = fetching.fetch(wanted, store, tmp_path)
        usage.called(store.root, fetched.sha256, name)
        used(store.root, fetched.sha256, 2 if name == "one" else 1)
    given_back(store.root)

    items = inventory.items(store.root)
    assert names(items) == ["one", "two"]
    assert inventory.total(items) == 3000

    done = pruning.prune(store.root, Limits(size=2500))
    assert (names(done.gone), done.left) == (["one"], 2000)
    two = Path(inventory.items(store.root)[0].paths[0])
    assert [path.read_bytes()[:1] for path in sorted(two.iterdir())] == [b"b", b"c"]

    pruning.prune(store.root, Limits(size=0))
    assert [p for p in store.root.rglob("*") if p.is_file() and p.name != "CACHEDIR.TAG"] == []


def test_other_things_count_too(root):
    """Unpacked archives, features, partial downloads, damaged files; each by its own rule."""
    data = b"\1" * 1000
    unpacked = root / "unpacked" / digest(data) / "files"
    unpacked.mkdir(parents=True)
    (unpacked / "net.ckpt").write_bytes(b"n" * 500)
    for name in ("features/0123.npy", "partial/4567", "partial/4567.json", "corrupt/89ab.0000"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"x" * 100)

    items = {item.kind: item for item in inventory.items(root)}

    assert {kind: item.size for kind, item in items.items()} == {
        "model": 1500,
        "features": 100,
        "partial": 200,
        "damaged": 100,
    }
    done = pruning.prune(root, Limits(size=0))
    assert {item.kind for item in done.gone} == {"model", "features", "damaged"}
    assert done.left == 200  # it may be on its way

    for name in ("partial/4567", "partial/4567.json"):
        os.utime(root / name, (time.time() - 31 * DAY,) * 2)
    assert [item.kind for item in pruning.prune(root, Limits()).gone] == ["partial"]


def test_damaged_files_go_after_a_week(root):
    """Whoever wants to look at one has time; nobody has to think of it."""
    (root / "corrupt").mkdir()
    (root / "corrupt" / "0123.0000").write_bytes(b"x")
    assert pruning.prune(root, Limits()).gone == ()

    os.utime(root / "corrupt" / "0123.0000", (time.time() - 8 * DAY,) * 2)
    assert [item.kind for item in pruning.prune(root, Limits()).gone] == ["damaged"]


def test_k06_what_a_dead_process_was_deleting_goes(root):
    """With its announcement, and the records of what is not there."""
    for name in ("trash", "going", "drafts", "leases"):
        (root / name).mkdir(exist_ok=True)
        dead = root / name / "00000000-00000000-0-1-1-00000000"
        dead.mkdir() if name in ("trash", "drafts") else dead.touch()
        os.utime(dead, (time.time() - 2 * DAY,) * 2)
    (root / "used" / ("0" * 64)).write_text("{}")

    pruning.prune(root, Limits())

    for name in ("trash", "going", "drafts", "leases"):
        assert [*(root / name).iterdir()] == [], name
    left = [path.relative_to(root).parts[0] for path in root.rglob("*") if path.is_file()]
    assert sorted(left) == ["CACHEDIR.TAG"] + ["sha256"] * 4 + ["used"] * 4


def test_d01_pruning_works_on_a_full_disk(root, monkeypatch):
    """Nothing can be written, neither an announcement nor a place for what goes."""

    def full(path, *_, **__):
        raise OSError(28, "No space left on device", str(path))

    for name in ("mkdir", "touch", "rename", "write_text"):
        monkeypatch.setattr(Path, name, full)

    assert len(pruning.prune(root, Limits(size=0)).gone) == 4


def test_k06_layers_of_a_container(tmp_path, monkeypatch):
    """Where a folder cannot be renamed it is deleted as it lies."""
    folder = tmp_path / "folders" / ("0" * 64)
    folder.mkdir(parents=True)
    (folder / "data").write_bytes(b"x")

    def refused(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "rename", refused)

    assert removal.remove(tmp_path, inventory.items(tmp_path)[0])
    assert not folder.exists()


def test_a_budget_is_kept_with_each_fetch(home, monkeypatch):
    """The least recently used makes room; what was just fetched stays, and a word is said."""
    library = Library()
    library.fetch("vgg-digits")
    given_back(home)
    monkeypatch.setenv("ZOO_CACHE_MAX_SIZE", "100kB")

    library.fetch("toy-adder")

    kinds = {item.name.partition(":")[0]: item for item in inventory.items(home)}
    assert "toy-adder" in kinds
    assert "vgg-digits" not in kinds

    monkeypatch.setenv("ZOO_CACHE_MAX_SIZE", "1kB")
    with pytest.warns(UserWarning, match="larger than ZOO_CACHE_MAX_SIZE=1kB"):
        assert library.fetch("vgg-digits")[1].path.is_dir()
    assert library.fetch("vgg-digits")[1].from_cache


def test_a_budget_that_is_no_size_is_said_before_a_fetch(home, monkeypatch):
    """Not after the megabytes came."""
    monkeypatch.setenv("ZOO_CACHE_MAX_SIZE", "much")

    with pytest.raises(UsageError, match="no size"):
        Library().fetch("toy-adder")
    assert not (home / "sha256").exists()


@pytest.mark.parametrize("text", ["", "GB", "20 XB", "-1", "1e3"])
def test_amounts_that_are_none(text):
    """Each says how to write one."""
    with pytest.raises(UsageError):
        amounts.size(text)
    with pytest.raises(UsageError):
        amounts.duration(text)


def test_k05_a_record_that_is_torn(root):
    """It is as if there was none: the bytes are read, and a new one is written."""
    key = digest(b"\1" * 1000)
    for torn in (b"", b"{", b"[]", b'{"stamps": 3}', b'{"stamps": [["", [1]]]}', b"\xff"):
        (root / "used" / key).write_bytes(torn)
        assert usage.of(root, key).source == ""
        assert Store(root).find(Pin((("sha256", key),), 1000))
        assert len(usage.of(root, key).stamps) == 1


def test_k05_a_record_is_written_whole_or_not_at_all(root, monkeypatch):
    """A process that dies while it writes one leaves the old one."""
    key = digest(b"\1" * 1000)
    before = (root / "used" / key).read_bytes()

    def dies(path, _):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        usage.called(root, key, "another")

    assert (root / "used" / key).read_bytes() == before
    assert [p.name for p in (root / "used").iterdir() if p.name.startswith(".")] == []


def test_n30_a_clock_that_was_wrong(root):
    """What was used in the future was used now: nothing goes of it, and no age is negative."""
    key = digest(b"\4" * 1000)
    used(root, key, -4000)

    assert pruning.prune(root, Limits(within=5 * DAY)).gone == ()
    assert amounts.ago(-4000 * DAY) == "now"


def test_nothing_is_there(tmp_path):
    """A cache that nobody used has nothing, and is not made by looking."""
    assert inventory.items(tmp_path / "none") == []
    assert pruning.prune(tmp_path / "none", Limits(size=0)).left == 0
    assert not (tmp_path / "none").exists()
    shutil.rmtree(tmp_path)
