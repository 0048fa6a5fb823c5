"""The user's own file of trusted models: whose it is, what it says, who writes it."""

import hashlib
import json
import os
import stat
import subprocess
import sys

import pytest

from zoo import trusted
from zoo.digests import folder_digest
from zoo.errors import AccessError, RegistryError
from zoo.trusted import Trusted

ONE = Trusted("1" * 64, "/a/net.pb", "2026-11-21T10:00:00Z", ("io",))
TWO = Trusted("2" * 64, "vgg:imagenet", "2026-11-22T10:00:00Z")


def test_what_was_trusted_is_found_again(home):
    """By its digest, with all that is known of it; what was taken out is not."""
    assert trusted.add(ONE) == home / "trusted.json"
    trusted.add(TWO)

    assert trusted.find("1" * 64) == ONE
    assert trusted.listed() == [ONE, TWO]
    trusted.remove([ONE.sha256])
    assert trusted.listed() == [TWO]
    assert trusted.find("1" * 64) is None


def test_s03_the_file_is_its_owners_alone(home, monkeypatch):
    """Whatever the umask is, and whatever its permissions were."""
    old = os.umask(0)
    try:
        trusted.add(ONE)
        assert stat.S_IMODE((home / "trusted.json").stat().st_mode) == 0o600
        (home / "trusted.json").chmod(0o644)
        with pytest.warns(UserWarning, match="others can read"):
            trusted.add(TWO)
    finally:
        os.umask(old)

    assert stat.S_IMODE((home / "trusted.json").stat().st_mode) == 0o600
    assert len(trusted.listed()) == 2


def test_s03_what_others_can_write_counts_for_nothing(home):
    """Nobody gives trust in another's name; nor is the file taken over as it is."""
    trusted.add(ONE)
    (home / "trusted.json").chmod(0o666)

    with pytest.warns(UserWarning, match="passed over: others can write it"):
        assert trusted.find(ONE.sha256) is None
    with pytest.raises(AccessError, match="others can write it"):
        trusted.add(TWO)
    (home / "trusted.json").chmod(0o600)
    assert trusted.listed() == [ONE]


def test_s03_a_file_of_another_user(home, monkeypatch):
    """One that somebody else put there."""
    trusted.add(ONE)
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    if (home / "trusted.json").stat().st_uid == 0:
        assert trusted.find(ONE.sha256) == ONE  # the administrator's word counts
        os.chown(home / "trusted.json", 54321, 54321)

    with pytest.warns(UserWarning, match="passed over"):
        assert trusted.find(ONE.sha256) is None


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"version": 2, "models": {}}',
        '{"models": {}}',
        '{"version": 1, "models": {"short": {"name": "n", "date": "d", "levels": []}}}',
        '{"version": 1, "models": {"%s": {"name": 5, "date": "d", "levels": []}}}' % ("1" * 64),
        '{"version": 1, "models": {"%s": {"date": "d", "levels": []}}}' % ("1" * 64),
        "[" * 100_000,
    ],
)
def test_a_damaged_file_trusts_nothing(home, text):
    """It is said, and nothing is written over it."""
    (home / "trusted.json").write_text(text)
    (home / "trusted.json").chmod(0o600)

    for asked in (lambda: trusted.find("1" * 64), lambda: trusted.add(ONE)):
        with pytest.raises(RegistryError, match="nothing is trusted by it"):
            asked()
    assert (home / "trusted.json").read_text() == text


def test_processes_at_once_lose_nothing(home):
    """Each reads, adds and writes alone."""
    program = (
        "import sys; from zoo import trusted\n"
        "for n in range(8):\n"
        "    trusted.add(trusted.Trusted.now(sys.argv[1] + f'{n:063x}', 'net', ['io']))"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program, str(number)]) for number in range(4)
    ]

    assert [child.wait(60) for child in children] == [0] * 4
    assert len(trusted.listed()) == 32
    assert [path.name for path in home.iterdir()] == ["trusted.json"]


def test_a_write_that_dies_leaves_the_old_file(home, monkeypatch):
    """The new one takes its place in one step."""
    trusted.add(ONE)

    def dies(*_):
        raise OSError(28, "no space")

    monkeypatch.setattr("os.replace", dies)
    with pytest.raises(Exception, match="could not be written"):
        trusted.add(TWO)

    assert trusted.listed() == [ONE]


def test_the_digest_of_one_file_is_its_sha256(tmp_path):
    """As `sha256sum` gives it, through links, too."""
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("a")

    want = hashlib.sha256(b"abc").hexdigest()
    assert trusted.digest([("a", tmp_path / "a")]) == want
    assert trusted.digest([("a", tmp_path / "link")]) == want
    assert trusted.digest([]) == ""


def test_the_digest_of_several_is_that_of_their_lines(tmp_path):
    """Path, size and sha256 of each, sorted: as a registry pins a model of several files."""
    for name in "ba":
        (tmp_path / name).write_text(name)
    parts = [(name, tmp_path / name) for name in "ba"]

    lines = [(name, 1, hashlib.sha256(name.encode()).hexdigest()) for name in "ab"]
    assert trusted.digest(parts) == folder_digest(lines)
    assert trusted.digest(parts) != trusted.digest([("c", tmp_path / "a"), parts[0]])


def test_levels_are_kept_in_the_order_of_their_gravity():
    """And the moment in universal time."""
    now = Trusted.now("0" * 64, "net", {"network", "io"})

    assert now.levels == ("io", "network")
    assert now.date.endswith("Z")


def test_the_file_is_json_that_people_can_read(home):
    """A model on lines of its own, under its digest."""
    trusted.add(ONE)

    document = json.loads((home / "trusted.json").read_text())
    assert document == {
        "version": 1,
        "models": {
            "1" * 64: {"name": "/a/net.pb", "date": "2026-11-21T10:00:00Z", "levels": ["io"]}
        },
    }
