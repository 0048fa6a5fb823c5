"""Nothing is kept that is not what was pinned."""

import hashlib

import pytest

from zoo import fetching, pinning, sources
from zoo.errors import FetchError, IntegrityError, UnsupportedError, UsageError, WriteError
from zoo.fetching import Wanted
from zoo.store import Pin, Store

DATA = b"weights" * 1000
SHA = hashlib.sha256(DATA).hexdigest()
PIN = Pin((("sha256", SHA),), len(DATA))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def files(store):
    found = [str(p.relative_to(store.root)) for p in store.root.rglob("*") if p.is_file()]
    return sorted(name for name in found if not name.startswith("leases"))


def test_what_is_pinned_is_kept_under_its_digest(store):
    """The path is the digest; the store is marked as a cache; no draft is left."""
    kept = store.put([DATA[:10], DATA[10:]], PIN, "here")

    assert kept.path.read_bytes() == DATA
    assert store.find(PIN) == kept
    assert files(store) == ["CACHEDIR.TAG", f"sha256/{SHA[:2]}/{SHA}", f"used/{SHA}"]
    assert store.has(SHA)


@pytest.mark.parametrize(
    ("chunks", "pin"),
    [
        ([DATA[:-1]], PIN),
        ([DATA, b"more"], PIN),
        ([DATA[:-1] + b"x"], PIN),
        ([DATA], Pin((("sha256", SHA), ("md5", "0" * 32)), len(DATA))),
        ([DATA], Pin((("sha256", SHA),), len(DATA) - 1)),
        ([DATA], Pin((("sha256", SHA),), len(DATA) + 1)),
    ],
    ids=["short", "long", "other", "one of two digests", "larger", "smaller"],
)
def test_what_differs_is_not_kept(store, chunks, pin):
    """Too short, too long, other bytes: nothing is there afterwards, and the source is named."""
    with pytest.raises(IntegrityError) as caught:
        store.put(chunks, pin, "file:net.pb")

    assert "file:net.pb" in caught.value.problem
    assert (caught.value.code, files(store)) == (76, ["CACHEDIR.TAG"])


def test_endless_bytes_are_stopped(store):
    """No more is read than was pinned."""
    read = []

    def endless():
        while True:
            read.append(1)
            yield DATA

    with pytest.raises(IntegrityError, match="endless"):
        store.put(endless(), PIN, "endless")

    assert len(read) == 2


def test_other_digests_are_checked_too(store):
    """An upstream that states only an md5 is held to that; the sha256 is computed."""
    pin = Pin((("md5", hashlib.md5(DATA, usedforsecurity=False).hexdigest()),))

    assert store.put([DATA], pin, "here").sha256 == SHA
    assert store.find(pin) is None


def test_a_file_of_the_wrong_length_is_not_found(store):
    """What was cut off in the store, by a power cut say, is fetched again."""
    kept = store.put([DATA], PIN, "here")
    kept.path.chmod(0o644)
    kept.path.write_bytes(b"")

    with pytest.warns(UserWarning, match="damaged"):
        assert store.find(PIN) is None
    assert store.put([DATA], PIN, "here").path.read_bytes() == DATA


def wanted(tmp_path, **contents):
    """Return files to fetch with these contents, each behind a URL of its own."""
    found = []
    for path, data in contents.items():
        (tmp_path / path).write_bytes(data)
        pin = Pin((("sha256", hashlib.sha256(data).hexdigest()),), len(data))
        found.append(Wanted((f"file:{path}",), pin, f"net/{path}"))
    return found


def test_several_files_become_a_folder(store, tmp_path):
    """A model of several files has a digest of its own, and is fetched once."""
    parts = wanted(tmp_path, index=b"i", data=b"d")

    first = fetching.fetch(parts, store, tmp_path)
    second = fetching.fetch(parts, store, tmp_path)

    assert {p.name: p.read_bytes() for p in (first.path / "net").iterdir()} == {
        "index": b"i",
        "data": b"d",
    }
    assert (first.size, first.from_cache, second.from_cache) == (2, False, True)
    assert first.path.name == first.sha256
    assert store.has(first.sha256)


def test_addresses_are_tried_in_order(store, tmp_path):
    """One that lies or is gone is passed over; if none is good, each is told."""
    (tmp_path / "good").write_bytes(DATA)
    (tmp_path / "bad").write_bytes(b"bad")

    kept = fetching.fetch([Wanted(("file:gone", "file:bad", "file:good"), PIN)], store, tmp_path)
    with pytest.raises(FetchError) as caught:
        fetching.fetch(
            [Wanted(("file:gone", "https://example.org/x"), Pin((("sha256", "0" * 64),)))],
            store,
            tmp_path,
        )

    assert kept.path.read_bytes() == DATA
    assert "file:gone" in caught.value.found
    assert "https://example.org/x" in caught.value.found


def test_if_all_lie_it_is_an_integrity_error(store, tmp_path):
    """Bytes that are not the pinned ones are another matter than none."""
    (tmp_path / "bad").write_bytes(b"bad")

    with pytest.raises(IntegrityError):
        fetching.fetch([Wanted(("file:bad", "file:bad"), PIN)], store, tmp_path)


def test_offline_asks_only_this_machine(store, tmp_path):
    """A file of this machine is fetched, the network is not asked."""
    (tmp_path / "good").write_bytes(DATA)

    kept = fetching.fetch(
        [Wanted(("https://example.org/x", "file:good"), PIN)], store, tmp_path, offline=True
    )

    assert kept.sha256 == SHA


def test_a_model_is_copied_where_it_is_wanted(store, tmp_path):
    """A copy is the user's own: writable, under a name that people can read."""
    fetched = fetching.fetch(wanted(tmp_path, index=b"i"), store, tmp_path)

    path = fetching.copy_into(fetched, tmp_path / "out", "net")
    (path / "net" / "index").write_bytes(b"mine")

    assert (fetched.path / "net" / "index").read_bytes() == b"i"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("file:../outside", FetchError),
        ("file://elsewhere/x", FetchError),
        ("file:gone", FetchError),
        ("package:no_such_package/x", FetchError),
        ("package:zoo/../README.md", FetchError),
        ("package:os.path/x", FetchError),
        ("ftp://example.org/x", UnsupportedError),
    ],
)
def test_addresses_that_lead_nowhere(tmp_path, url, kind):
    """Each says why, and none leaves its folder or package."""
    (tmp_path / "outside").touch()
    (tmp_path / "inside").mkdir()

    with pytest.raises(kind):
        list(sources.opened(url, tmp_path / "inside"))


def test_files_and_packages_are_read(tmp_path):
    """Relative to the registry, absolute, and out of an installed package."""
    (tmp_path / "a b").write_bytes(DATA)

    assert b"".join(sources.opened("file:a%20b", tmp_path)) == DATA
    assert b"".join(sources.opened((tmp_path / "a b").as_uri(), tmp_path / "other")) == DATA
    assert b"ArgMax" in b"".join(sources.opened("package:zoo/ops.txt", tmp_path))


@pytest.mark.parametrize("url", ["file:x", "file:x#md5=1", f"file:x#sha256={SHA[:-1]}"])
def test_a_bare_url_must_be_pinned(url):
    """Bytes from anywhere need their digest."""
    with pytest.raises(UsageError, match="not pinned"):
        pinning.of_url(url)
    assert pinning.of_url(f"file:x#sha256={SHA}").pin.sha256 == SHA


def test_a_damaged_folder_is_made_again(store, tmp_path):
    """A part that was cut off is fetched anew, and the folder with it."""
    parts = wanted(tmp_path, index=b"i", data=b"data")
    first = fetching.fetch(parts, store, tmp_path)
    damaged = first.path / "net" / "data"
    damaged.chmod(0o644)
    damaged.write_bytes(b"d")

    with pytest.warns(UserWarning, match="damaged"):
        again = fetching.fetch(parts, store, tmp_path)

    assert (again.path, again.from_cache) == (first.path, False)
    assert (again.path / "net" / "data").read_bytes() == b"data"


def test_a_copy_replaces_nothing(store, tmp_path):
    """Whatever is called like the model in that folder is somebody's."""
    fetched = fetching.fetch(wanted(tmp_path, index=b"i", data=b"d"), store, tmp_path)
    (tmp_path / "into" / "net").mkdir(parents=True)
    (tmp_path / "into" / "net" / "thesis").touch()

    with pytest.raises(WriteError, match="exists"):
        fetching.copy_into(fetched, tmp_path / "into", "net")
    assert (tmp_path / "into" / "net" / "thesis").exists()

    path = fetching.copy_into(fetched, tmp_path / "into", "net", force=True)
    assert (path / "net" / "data").read_bytes() == b"d"


@pytest.mark.parametrize("place", ["/dev/zero", "."])
def test_what_is_no_file_is_not_read(tmp_path, place):
    """A device has no end, and a pipe may have no beginning."""
    with pytest.raises(FetchError, match="cannot be read"):
        next(sources.opened(f"file:{place}", tmp_path))
