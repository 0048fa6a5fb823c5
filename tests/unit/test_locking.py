"""zoo.lock pins models: exactly these bytes come, or none; and what was seen first is known."""

import hashlib
import json
import shutil
import subprocess
import sys

import pytest

from zoo import known, lockfile, locking
from zoo.cli import run
from zoo.errors import FetchError, IntegrityError, RegistryError, UnknownNameError, UsageError
from zoo.library import Library
from zoo.lockfile import Lock, Locked, LockedFile
from zoo.names import Reference

LOCK = lockfile.Path("zoo.lock")


def entry_of(path, data, **others):
    """Write `data` to `path` and return a tag's lines for it, its digest being a sha256."""
    path.write_bytes(data)
    stated = others or {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    lines = [f"        {key}: {value}\n" for key, value in stated.items()]
    return f"        format: frozen\n        urls: ['file:{path.name}']\n" + "".join(lines)


def registry(folder, *tags):
    """Write a registry with the model ``net``, which has these tags, and return its path."""
    body = "".join(f"      {tag}:\n{lines}" for tag, lines in tags)
    text = f"version: 1\nmodels:\n  net:\n    summary: A net\n    weights:\n{body}"
    (folder / "r.yaml").write_text(text)
    return folder / "r.yaml"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Stand in a folder with a registry of one model."""
    monkeypatch.chdir(tmp_path)
    registry(tmp_path, ("one", entry_of(tmp_path / "one.pb", b"first")))
    return tmp_path


def library(**named):
    return Library("r.yaml", **named)


def test_a_lock_says_tag_digest_size_and_sources(project):
    """All that is needed to have exactly this again, in lines that merge."""
    locking.lock(library(), ["net"], LOCK)

    digest = hashlib.sha256(b"first").hexdigest()
    assert json.loads(LOCK.read_text()) == {
        "version": 1,
        "models": {
            "net:one": {
                "default": True,
                "format": "frozen",
                "sha256": digest,
                "size": 5,
                "urls": ["file:one.pb"],
            }
        },
    }


def test_a_sync_needs_no_registry(project, home):
    """What is pinned comes from the addresses in the lock."""
    locking.lock(library(), ["net"], LOCK)
    (project / "r.yaml").unlink()

    ((locked, fetched),) = locking.sync(Library(), LOCK)

    assert str(locked.name) == "net:one"
    assert fetched.path.read_bytes() == b"first"
    assert locking.sync(Library(), LOCK)[0][1].from_cache


def test_a_sync_takes_nothing_else(project):
    """Bytes that changed at their source are refused with both digests, and not kept."""
    locking.lock(library(), ["net"], LOCK)
    (project / "one.pb").write_bytes(b"other")

    with pytest.raises(IntegrityError) as caught:
        locking.sync(Library(), LOCK)

    assert hashlib.sha256(b"first").hexdigest()[:16] in caught.value.hint
    assert hashlib.sha256(b"other").hexdigest()[:16] in caught.value.found


def republish(project):
    """Have the registry say other bytes under the same name and tag."""
    registry(project, ("one", entry_of(project / "one.pb", b"second!")))


def test_m20_a_model_that_was_published_again_is_an_error(project):
    """Whoever asks for it in this folder is told, with both digests; the lock stays as it was."""
    locking.lock(library(), ["net"], LOCK)
    before = LOCK.read_text()
    republish(project)

    for ask in (
        lambda: library().fetch("net"),
        lambda: library().open("net:one"),
        lambda: locking.lock(library(), [], LOCK),
        lambda: locking.lock(library(), ["net"], LOCK),
    ):
        with pytest.raises(IntegrityError, match="published again") as caught:
            ask()
        assert hashlib.sha256(b"second!").hexdigest() in caught.value.found
        assert hashlib.sha256(b"first").hexdigest() in caught.value.hint
    assert LOCK.read_text() == before


def test_m20_a_change_that_is_meant_is_said(project):
    """``--update`` pins anew what the registry has now."""
    locking.lock(library(), ["net"], LOCK)
    republish(project)

    (change,) = locking.lock(library(), [], LOCK, update=True)

    assert change.before.sha256 == hashlib.sha256(b"first").hexdigest()
    assert change.now.sha256 == hashlib.sha256(b"second!").hexdigest()
    assert library().fetch("net")[1].path.read_bytes() == b"second!"


def test_m20_another_md5_is_another_model(project):
    """Where upstream states only an md5, its change is noticed though the sha256 is not stated."""
    md5 = hashlib.md5(b"first", usedforsecurity=False).hexdigest()
    registry(project, ("one", entry_of(project / "one.pb", b"first", md5=md5)))
    with pytest.warns(UserWarning, match="states only the md5"):
        locking.lock(library(), ["net"], LOCK)
    other = hashlib.md5(b"second!", usedforsecurity=False).hexdigest()
    registry(project, ("one", entry_of(project / "one.pb", b"second!", md5=other)))

    with pytest.raises(IntegrityError, match="published again") as caught:
        library().fetch("net")

    assert md5 in caught.value.hint
    assert other in caught.value.found


def test_another_folder_is_another_project(project, tmp_path_factory, monkeypatch):
    """A lock counts where one stands, and nowhere else."""
    locking.lock(library(), ["net"], LOCK)
    republish(project)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    assert Library(project / "r.yaml").fetch("net")[1].path.read_bytes() == b"second!"


def test_the_default_tag_is_pinned_too(project):
    """A registry that puts another tag first does not change what the name alone means here."""
    locking.lock(library(), ["net"], LOCK)
    two = ("two", entry_of(project / "two.pb", b"two"))
    registry(project, two, ("one", entry_of(project / "one.pb", b"first")))

    assert str(library().fetch("net")[0]) == "net:one"
    assert str(library().fetch("net:two")[0]) == "net:two"
    locking.lock(library(), ["net"], LOCK)
    assert [(str(m.name), m.default) for m in lockfile.here().models] == [("net:one", True)]

    locking.lock(library(), ["net"], LOCK, update=True)
    assert [(str(m.name), m.default) for m in lockfile.here().models] == [
        ("net:one", False),
        ("net:two", True),
    ]


def test_a_lock_goes_with_its_folder(project, tmp_path_factory):
    """Files beside it are found beside it, wherever it is; others by their absolute address."""
    inner = project / "inner"
    inner.mkdir()
    locking.lock(library(), ["net"], LOCK)
    locking.lock(library(), ["net"], inner / "zoo.lock")
    moved = tmp_path_factory.mktemp("moved") / "project"
    shutil.move(project / "one.pb", project / "kept")
    shutil.copytree(project, moved)
    shutil.move(moved / "kept", moved / "one.pb")

    assert locking.sync(Library(), moved / "zoo.lock")[0][1].size == 5
    (urls,) = [m.files[0].urls for m in lockfile.here(inner / "zoo.lock").models]
    assert urls == ((project / "one.pb").as_uri(),)


def test_a_pin_is_taken_out(project):
    """What was pinned in error goes without the others."""
    two = ("two", entry_of(project / "two.pb", b"two"))
    registry(project, ("one", entry_of(project / "one.pb", b"first")), two)
    locking.lock(library(), ["net", "net:two"], LOCK)

    assert [str(m.name) for m in locking.remove(["net:two"], LOCK)] == ["net:two"]

    assert [str(m.name) for m in lockfile.here().models] == ["net:one"]
    with pytest.raises(UnknownNameError):
        locking.remove(["net:two"], LOCK)


def test_a_name_is_needed_the_first_time(project):
    """An empty lock checks nothing; a URL has no name to be pinned by."""
    with pytest.raises(UsageError, match="pins nothing yet"):
        locking.lock(library(), [], LOCK)
    with pytest.raises(UnknownNameError, match=r"there is no zoo\.lock"):
        locking.sync(Library(), LOCK)


def locked(path="", **others):
    digest = hashlib.sha256(path.encode()).hexdigest()
    return LockedFile(("https://example.org/net.pb",), digest, 4, path, **others)


def test_what_is_written_is_read():
    """One file or several, with and without a member, a default, other digests."""
    name = Reference("net", "two")
    models = (
        Locked(Reference("net", "one"), True, "frozen", (locked(),), stated=(("md5", "0" * 32),)),
        Locked(name, False, "checkpoint", (locked("a/b"), locked("c")), member="a"),
    )

    lockfile.write(Lock(LOCK, models))

    assert lockfile.here() == Lock(LOCK, models)
    LOCK.unlink()


SHA = "0" * 64
PINNED = {"format": "f", "sha256": SHA, "size": 1, "urls": ["file:x"]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"version": 2, "models": {}}',
        '{"version": 1}',
        '{"version": 1, "models": []}',
        '{"version": 1, "version": 1, "models": {}}',
        *(
            json.dumps({"version": 1, "models": {key: {**PINNED, **wrong}}})
            for key, wrong in [
                ("net", {}),
                ("../x:a", {}),
                ("net:a", {"sha256": "../../x"}),
                ("net:a", {"size": -1}),
                ("net:a", {"size": True}),
                ("net:a", {"size": 1e999}),
                ("net:a", {"urls": []}),
                ("net:a", {"urls": "file:x"}),
                ("net:a", {"member": "../x"}),
                ("net:a", {"files": [{**PINNED, "path": "../x"}]}),
                ("net:a", {"files": [{**PINNED, "path": "x"}]}),
                ("net:a", {"format": 3}),
            ]
        ),
    ],
)
def test_a_lock_that_is_none_is_an_error(text, tmp_path):
    """A broken lock pins nothing, so nothing is fetched past it."""
    (tmp_path / "zoo.lock").write_text(text)

    with pytest.raises(RegistryError):
        lockfile.here(tmp_path / "zoo.lock")


def test_a_broken_lock_stops_who_asks_for_a_name(project):
    """It is not passed over: what it pinned is not known any more."""
    LOCK.write_text("<<<<<<< ours\n{}\n")

    with pytest.raises(RegistryError, match=r"zoo\.lock is not sound"):
        library().fetch("net")


def test_k05_a_lock_is_replaced_in_one_step(project, monkeypatch):
    """Dying before the last step leaves the old lock, and nothing beside it."""
    locking.lock(library(), ["net"], LOCK)
    before = LOCK.read_text()
    republish(project)
    assert library().catalogue.entry("net")  # compiled, which replaces files too

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", die)
    with pytest.raises(KeyboardInterrupt):
        locking.lock(library(), [], LOCK, update=True)

    assert LOCK.read_text() == before
    assert not [path for path in project.iterdir() if path.name.startswith(".zoo.lock")]


@pytest.mark.long
def test_c06_locks_beside_each_other_lose_no_pin(project):
    """Six processes that each pin a tag of their own: all six are pinned."""
    tags = [(f"t{n}", entry_of(project / f"{n}.pb", b"%d" % n)) for n in range(6)]
    registry(project, *tags)
    command = [sys.executable, "-m", "zoo", "lock", "--registry", "r.yaml", "-q"]

    running = [
        subprocess.Popen([*command, f"net:{tag}"], stdout=subprocess.DEVNULL) for tag, _ in tags
    ]

    assert [process.wait() for process in running] == [0] * len(tags)
    assert [str(m.name.tag) for m in lockfile.here().models] == [tag for tag, _ in tags]


@pytest.mark.parametrize("kind", ["md5", "sha384"])
def test_upstreams_digest_is_checked_and_ours_recorded_aloud(project, kind):
    """The first fetch holds it against what upstream states, and says what it will be held to."""
    digest = hashlib.new(kind, b"first").hexdigest()
    registry(project, ("one", entry_of(project / "one.pb", b"first", **{kind: digest})))

    with pytest.warns(UserWarning, match=f"only the {kind} of net:one; from now on .*sha256"):
        library().fetch("net")

    line = f"{hashlib.sha256(b'first').hexdigest()} 5 {kind}:{digest}"
    assert line in known.path().read_text().splitlines()
    assert library(offline=True).fetch("net")[1].from_cache


def test_what_was_recorded_is_what_must_come(project, home):
    """A file that has the md5 that upstream states, but is another, does not pass."""
    md5 = hashlib.md5(b"first", usedforsecurity=False).hexdigest()
    registry(project, ("one", entry_of(project / "one.pb", b"first", md5=md5)))
    other = hashlib.sha256(b"what it was").hexdigest()
    known.record(f"md5:{md5}", known.Seen(other, 5))

    with pytest.raises(IntegrityError) as caught:
        library().fetch("net")

    assert str(known.path()) in caught.value.hint
    assert other in caught.value.hint


def test_a_wrong_digest_of_upstream_records_nothing(project):
    """Bytes that are not upstream's are neither kept nor known."""
    registry(project, ("one", entry_of(project / "one.pb", b"first", md5="0" * 32)))

    with pytest.raises(IntegrityError):
        library().fetch("net")

    assert not known.path().exists()


def test_a_bare_url_is_trusted_the_first_time_only(project, home):
    """``--trust-first`` takes what comes; from then on the address means these bytes."""
    with pytest.raises(UsageError, match="not pinned") as caught:
        Library().fetch("file:one.pb")
    assert "--trust-first" in caught.value.hint
    with pytest.warns(UserWarning, match="stated no digest; from now on"):
        Library(trust_first=True).fetch("file:one.pb")

    assert Library().fetch("file:one.pb")[1].from_cache
    shutil.rmtree(home / "sha256")
    (project / "one.pb").write_bytes(b"other")
    for trusting in (False, True):
        with pytest.raises(IntegrityError) as caught:
            Library(trust_first=trusting).fetch("file:one.pb")
        assert "seen first" in caught.value.hint


def test_a_relative_address_is_another_file_in_each_folder(project, monkeypatch):
    """What ``file:one.pb`` was here says nothing of another folder."""
    with pytest.warns(UserWarning, match="from now on"):
        Library(trust_first=True).fetch("file:one.pb")
    (project / "sub").mkdir()
    (project / "sub" / "one.pb").write_bytes(b"other")
    monkeypatch.chdir(project / "sub")

    with pytest.raises(UsageError, match="not pinned"):
        Library().fetch("file:one.pb")


@pytest.mark.parametrize("fragment", ["sha256=00", "md5=" + "0" * 32, "x", "sha256=" + "G" * 64])
def test_a_fragment_that_is_no_digest_is_not_trusted(project, fragment):
    """A slip in the digest is not taken for the wish to have none."""
    with pytest.raises(UsageError, match="not pinned"):
        Library(trust_first=True).fetch(f"file:one.pb#{fragment}")


def test_records_hold_no_secret():
    """Of an address with a query its digest is kept, and no password."""
    key = known.key_of_address("https://me:secret@example.org/net.pb?token=hidden")

    assert "secret" not in key
    assert "hidden" not in key
    assert key != known.key_of_address("https://example.org/net.pb?token=other")
    assert key == known.key_of_address("https://you@example.org/net.pb?token=hidden")


def test_a_broken_record_trusts_nothing_anew(project, home):
    """A line that nobody wrote is an error, with its number."""
    known.record("md5:00", known.Seen("0" * 64, 1))
    with known.path().open("a") as file:
        file.write("torn li")

    with pytest.raises(RegistryError, match=r"known\.lock:3: "):
        Library(trust_first=True).fetch("file:one.pb")


def test_n29_what_is_missing_is_listed_exactly(project, capsys):
    """All models at once, each file with its size and digest; what is here is not listed."""
    for n in (1, 2):
        (project / f"r{n}.yaml").write_text(
            f"version: 1\nmodels:\n  net{n}:\n    summary: s\n    weights:\n      a:\n"
            f"        format: f\n        urls: ['https://example.org/{n}.pb?key=secret']\n"
            f"        sha256: {str(n) * 64}\n        size: {n}000\n"
        )
    texts = [(project / f"r{n}.yaml").read_text() for n in (1, 2)]
    (project / "both.yaml").write_text(texts[0] + texts[1].split("models:\n")[1])

    code = run(["fetch", "net1", "toy-adder", "net2", "--registry", "both.yaml", "--offline"])

    said = capsys.readouterr().err
    assert code == 69
    assert "2 files are not on this machine" in said
    assert f"net1:a: https://example.org/1.pb?... (1,000 bytes, sha256 {'1' * 64})" in said
    assert f"net2:a: https://example.org/2.pb?... (2,000 bytes, sha256 {'2' * 64})" in said
    assert "toy-adder" not in said
    assert "secret" not in said


def test_n29_a_sync_lists_what_is_missing(project):
    """Offline, before anything is copied."""
    models = [
        Locked(Reference(name, "a"), True, "f", (LockedFile((f"https://x.org/{name}",), SHA, 7),))
        for name in ("one", "two")
    ]
    lockfile.write(Lock(LOCK, tuple(models)))

    with pytest.raises(FetchError, match="2 files are not") as caught:
        locking.sync(Library(offline=True), LOCK)

    assert "one:a" in caught.value.found
    assert "two:a" in caught.value.found


def test_the_commands_say_what_they_did(project, capsys):
    """Lock, sync and both as JSON."""
    assert run(["lock", "net", "--registry", "r.yaml"]) == 0
    assert "note: net:one: pinned\n" in capsys.readouterr().err
    assert run(["lock", "net", "--registry", "r.yaml", "--json"]) == 0
    printed = capsys.readouterr()
    assert "as it was" in printed.err
    assert json.loads(printed.out)["models"][0]["tag"] == "one"
    assert run(["sync", "--json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert (model["name"], model["bytes"], model["from_cache"]) == ("net", 5, False)
    assert run(["lock", "--remove", "net"]) == 0
    assert "pins nothing" in capsys.readouterr().out
    assert run(["lock", "--remove"]) == 2
