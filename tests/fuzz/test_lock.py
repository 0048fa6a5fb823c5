"""Lock files: JSON that people merge, and others write."""

import json

from tests.fuzz.edits import Specimen, trees
from tests.fuzz.targets import Target
from zoo import lockfile

FILE = {"sha256": "ab" * 32, "size": 3, "urls": ["file:net.pb"]}
LOCK = {
    "version": 1,
    "models": {
        "net:one": {"default": True, "format": "frozen", **FILE, "md5": "0" * 32},
        "net:two": {"format": "saved_model", **FILE, "member": "a/b"},
    },
}
WORDS = (
    b"{", b"[", b'"', b":", b",", b"null", b"true", b"-1", b"1e999", b"NaN", b"../", b'"\\ud800"',
    b'"files": [{"path": "a"}],', b"9" * 40, b"[" * 90, b'{"a":' * 90, b"\xff", b'"default": 1,',
)  # fmt: skip


def look(folder):
    """Read the lock, and write it again."""
    lock = lockfile.here(folder / "zoo.lock")
    for locked in lock.models:
        assert lock.find(locked.name) is locked
        _ = locked.sha256, locked.size
    lockfile.write(lock)
    assert lockfile.here(folder / "zoo.lock") == lock


SPECIMENS = [Specimen({"zoo.lock": json.dumps(LOCK, indent=n).encode()}) for n in (None, 2)]
TARGETS = [Target("lock", trees(lambda: SPECIMENS, WORDS), look)]


def test_locks_are_read_or_refused():
    """And what is read is written as it was read."""
    read, refused = TARGETS[0].fuzz()

    assert read
    assert refused
