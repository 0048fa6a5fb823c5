"""``zoo cache`` and ``zoo verify``, as users call them."""

import json
import os
import subprocess
import sys
import time

import pytest

import zoo as python
from zoo import inventory, leases, usage
from zoo.cli import run
from zoo.commands.cache import cache
from zoo.digests import file_digest, folder_digest
from zoo.library import Library
from zoo.store import Pin


@pytest.fixture
def zoo(capsys):
    """Return a function that runs ``zoo`` and returns code, standard output and error."""

    def call(*arguments):
        code = run([*map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def cached(home, zoo):
    """Return a cache with two models, whose leases are given back."""
    zoo("fetch", "toy-adder", "vgg-digits")
    given_back(home)
    return home


def given_back(root):
    lease = leases._held.pop(root, None)
    if lease is not None:
        os.close(lease.descriptor)
        lease.path.unlink(missing_ok=True)


def flipped(path, at=-1):
    facts, data = path.stat(), bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.mark.parametrize("name", sorted(cache.commands))
def test_each_has_help_and_a_document(zoo, name):
    """As every command that prints facts."""
    code, out, _ = zoo("cache", name, "--help")

    assert (code, "--json" in out) == (0, True)


def test_where_it_is(zoo, home):
    """A path that a script can use."""
    assert zoo("cache", "dir") == (0, f"{home}\n", "")
    assert json.loads(zoo("cache", "dir", "--json")[1])["path"] == str(home)


def test_what_is_there(zoo, cached):
    """Names, sizes, last use, sources; a document has all."""
    code, out, err = zoo("cache", "ls")
    assert code == 0
    assert out.splitlines()[0].split()[:5] == [
        "vgg-digits:uci",
        "118.3",
        "kB",
        "now",
        "c4f442e2000f",
    ]
    assert "things, 138.9 kB in" in err or "things, " in err

    document = json.loads(zoo("cache", "ls", "--kind", "model", "--sort", "name", "--json")[1])
    assert [item["names"] for item in document["items"]] == [
        ["toy-adder:tutorial"],
        ["vgg-digits:uci"],
    ]
    assert document["bytes"] == 124 + 118_307
    assert document["items"][0]["source"].startswith("package:zoo_architectures/toy-adder.")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["toy*"], ["toy-adder"]),
        (["vgg-digits:uci"], ["vgg-digits"]),
        (["c4f442e2"], ["vgg-digits"]),
        (["nothing*"], []),
        (["--kind", "model", "--larger", "1kB"], ["vgg-digits"]),
        (["--unused-for", "1d"], ["vgg-digits"]),
        (["--kind", "model", "--sort", "size"], ["vgg-digits", "toy-adder"]),
        (["--kind", "model", "--sort", "used"], ["toy-adder", "vgg-digits"]),
    ],
)
def test_some_of_it(zoo, cached, options, names):
    """By name, digest, kind, size and age, in three orders."""
    for item in inventory.items(cached):
        if "vgg-digits:uci" in item.names:
            os.utime(cached / usage.FOLDER / item.key, (time.time() - 200_000,) * 2)

    lines = zoo("cache", "ls", *options)[1].splitlines()

    assert [line.split(":")[0] for line in lines] == (names or ["nothing is there"])
    if names == ["vgg-digits"]:
        assert "2 d ago" in lines[0]


def test_take_out(zoo, cached):
    """By name, glob or digest; a name that nothing has is an error."""
    assert zoo("cache", "rm", "toy-adder", "-n")[1] == "toy-adder:tutorial  124 bytes\n"
    assert zoo("cache", "rm", "toy-adder")[0] == 0
    assert json.loads(zoo("list", "--cached", "--json")[1])["models"][0]["name"] == "vgg-digits"
    code, _, err = zoo("cache", "rm", "toy-adder")
    assert code == 66
    assert "nothing called 'toy-adder'" in err
    assert zoo("cache", "rm", "vgg*")[0] == 0
    assert zoo("list", "--cached")[1] == "no model matches '*'\n"


def test_what_is_in_use_is_not_taken_out(zoo, cached):
    """The error says by whom."""
    python.fetch("toy-adder")

    code, _, err = zoo("cache", "rm", "toy-adder", "vgg-digits")

    assert code == 75
    assert f"process {os.getpid()}" in err
    assert [i.name for i in inventory.items(cached) if i.kind == "model"] == ["toy-adder:tutorial"]


def test_pins(zoo, cached):
    """What is pinned is pruned by nobody, and taken out only by force."""
    assert zoo("cache", "pin", "toy-adder")[1] == "toy-adder:tutorial stays\n"
    assert zoo("cache", "prune", "--max-size", "0", "--json")[0] == 0
    assert [i.name for i in inventory.items(cached) if i.kind == "model"] == ["toy-adder:tutorial"]
    code, _, err = zoo("cache", "rm", "toy-adder")
    assert (code, "stays" in err) == (2, True)
    assert zoo("cache", "unpin", "toy-adder")[1] == "toy-adder:tutorial may go\n"
    zoo("cache", "pin", "toy-adder")
    assert zoo("cache", "rm", "--force", "toy-adder")[0] == 0
    assert [*(cached / "pinned").iterdir()] == []


def test_prune(zoo, cached, monkeypatch):
    """By time, by size, by the budget of the environment; `-n` only says it."""
    assert zoo("cache", "prune")[1] == ""
    assert zoo("cache", "prune", "--keep-within", "1h")[1] == ""
    out = zoo("cache", "prune", "--max-size", "1kB", "--keep", "toy-adder", "-n", "--json")[1]
    document = json.loads(out)
    assert [one["names"] for one in document["deleted"]] == [["vgg-digits:uci"]]
    assert (document["dry_run"], document["bytes"]) == (True, 118_307)
    assert zoo("cache", "prune", "--max-size", "lots")[0] == 2

    monkeypatch.setenv("ZOO_CACHE_MAX_SIZE", "0")
    zoo("cache", "prune")
    assert [item.kind for item in inventory.items(cached)] == ["registry"]
    zoo("cache", "prune", "--keep-within", "0s")
    assert inventory.items(cached) == []


def test_what_is_sound_is_said_to_be(zoo, cached, monkeypatch):
    """Each thing is read; a folder as a whole, and a file that has two names once."""
    read = []
    monkeypatch.setattr(
        "zoo.rehashing.file_digest", lambda path: [read.append(path), file_digest(path)][1]
    )
    assert zoo("verify", "--all")[:2] == (0, "2 things, 118.4 kB: none damaged\n")
    assert len(read) == len({path.stat().st_ino for path in (cached / "sha256").glob("*/*")})
    assert zoo("cache", "verify")[0] == 0
    assert zoo("verify", "toy-adder")[1] == "1 thing, 124 bytes: none damaged\n"
    assert zoo("verify")[0] == 2
    assert zoo("verify", "--all", "toy-adder")[0] == 2
    assert zoo("verify", "no-such")[0] == 66


@pytest.mark.parametrize("at", [0, 60, -1])
@pytest.mark.parametrize("place", ["sha256", "folders"])
def test_d11_a_flipped_bit_anywhere_is_found(zoo, cached, at, place):
    """In a file or in the folder of a model; it is set aside and fetched anew."""
    files = [p for p in (cached / place).rglob("*") if p.is_file() and p.stat().st_size > 60]
    for path in files:
        before = path.read_bytes()
        flipped(path, at)
        bad = path.read_bytes()

        code, out, _ = zoo("verify", "--all", "--json")

        assert code == 0
        (item,) = [one for one in json.loads(out)["items"] if one["state"] != "sound"]
        assert item["state"] == "replaced"
        assert path.read_bytes() == before
        aside = [p for p in (cached / "corrupt").rglob("*") if p.is_file()]
        assert bad in [p.read_bytes() for p in aside]


def test_d11_what_cannot_be_replaced(zoo, cached, tmp_path):
    """It is gone from the store all the same, and the command ends with 1."""
    kept = Library().store.put([b"mine"], Pin(()), "file:mine.pb")
    flipped(kept.path)

    code, out, _ = zoo("verify", "--all")

    assert code == 1
    assert out.startswith("mine.pb: damaged (no registry has it)\n")
    assert not kept.path.exists()
    assert zoo("verify", "--all")[0] == 0


def test_d11_an_unpacked_archive(zoo, cached):
    """It is compared with its manifest, and set aside; it is made anew of the archive."""
    place = cached / "unpacked" / ("0" * 64)
    (place / "files").mkdir(parents=True)
    (place / "files" / "net").write_bytes(b"net" * 100)
    lines = [["net", 300, file_digest(place / "files" / "net")]]
    manifest = {"version": 1, "files": lines, "digest": folder_digest(map(tuple, lines))}
    (place / "manifest").write_text(json.dumps(manifest))
    assert zoo("verify", "--all")[0] == 0

    flipped(place / "files" / "net", 7)

    assert zoo("verify", "--all")[0] == 1
    assert not place.exists()


def test_d11_compiled_registries_are_made_again(zoo, cached):
    """Nothing says what their bytes should be."""
    (index,) = (cached / "registries").glob("*.sqlite")
    flipped(index, 5000)

    assert zoo("verify", "--all")[0] == 0
    assert not index.exists()
    assert zoo("list")[0] == 0


@pytest.mark.filterwarnings("default")
def test_d11_rehash_is_an_option_of_what_loads(zoo, cached, tmp_path, monkeypatch):
    """Of commands, and by the environment of Python programs."""
    good = (python.fetch("toy-adder") / "toy-adder.index").read_bytes()
    (blob,) = [p for p in (cached / "sha256").glob("*/*") if p.read_bytes() == good]
    calls = [
        ["fetch", "toy-adder"],
        ["inspect", "toy-adder"],
        ["convert", "toy-adder", tmp_path / "m.pb", "--to", "frozen"],
        ["diff", "toy-adder", "toy-adder"],
    ]
    for call in calls:
        flipped(blob)
        assert zoo(*call, "--rehash")[0] == 0
        assert blob.read_bytes() == good
    flipped(blob)
    monkeypatch.setenv("ZOO_REHASH", "1")
    python.load("toy-adder")
    assert blob.read_bytes() == good


def test_looking_at_the_cache_is_fast(cached):
    """Neither TensorFlow nor numpy, pydantic, YAML or requests."""
    program = (
        "import sys; from zoo.cli import run; run(['cache', 'ls']); "
        "print([n for n in ('tensorflow', 'numpy', 'requests', 'rich') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
