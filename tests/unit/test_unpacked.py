"""Unpacked archives in the store: whole or not there, whoever dies or runs beside it."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from tests.killed_conversions import doomed
from zoo import disk, unpacked
from zoo.digests import file_digest
from zoo.errors import DiskError, IntegrityError
from zoo.extracting import extract
from zoo.unpacked import FILES, MANIFEST, is_whole

CONTENT = {"saved_model.pb": b"graph" * 99, "variables/variables.index": b"", "a b/ä.txt": b"x"}
CHANGING = ("open", "mkdir", "write", "close", "fsync", "rename", "unlink", "rmdir", "chmod")
SCRIPT = Path(__file__).parents[1] / "killed_unpacking.py"
LONG = "/".join(["d" * 60] * 3)


@pytest.fixture
def archive(tmp_path):
    """Return an archive of three files."""
    path = tmp_path / "a.tgz"
    write_tree(tmp_path / "tree", CONTENT)
    with tarfile.open(path, "w:gz") as whole:
        whole.add(tmp_path / "tree", "m")
    return path


def write_tree(folder, content):
    """Write files below `folder`: bytes by path."""
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def tree(folder):
    """Return the bytes of the files below `folder` by their paths there."""
    files = [p for p in folder.rglob("*") if p.is_file() and p.name != "CACHEDIR.TAG"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def brought(home, archive, **options):
    """Return the folder to which `archive` is unpacked in the store at `home`."""
    return unpacked.unpacked(home, archive, file_digest(archive), **options)


WHOLE = {f"m/{name}": data for name, data in CONTENT.items()}


def test_an_archive_becomes_a_folder_once(archive, home):
    """The second time nothing is unpacked; the archive need not even be there."""
    folder, digest = brought(home, archive), file_digest(archive)
    archive.unlink()

    assert unpacked.unpacked(home, archive, digest) == folder
    assert folder == home / "unpacked" / digest / FILES
    assert tree(folder) == WHOLE
    assert [*(home / "drafts").iterdir()] == []


@pytest.mark.parametrize("gone", ["m/saved_model.pb", "m/variables", "../manifest"])
def test_d14_what_somebody_deleted_comes_back(archive, home, gone):
    """A file, a folder, or what says which files there are."""
    folder = brought(home, archive)
    path = folder / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    assert tree(brought(home, archive)) == WHOLE


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"{}", b"[]", b'{"version": 1, "files": 3}'])
def test_d12_a_manifest_that_lost_its_bytes_counts_for_nothing(archive, home, content):
    """As a power cut leaves files that nobody brought to the disk."""
    folder = brought(home, archive)
    (folder.parent / MANIFEST).write_bytes(content)
    (folder / "m" / "saved_model.pb").write_bytes(b"evil" * 99)

    assert tree(brought(home, archive)) == WHOLE


def test_d12_a_manifest_that_lost_a_line_counts_for_nothing(archive, home):
    """The file of that line may be gone too."""
    folder = brought(home, archive)
    manifest = folder.parent / MANIFEST
    stated = json.loads(manifest.read_bytes())
    manifest.write_text(json.dumps({**stated, "files": stated["files"][1:]}))
    (folder / stated["files"][0][0]).unlink()

    assert tree(brought(home, archive)) == WHOLE


def test_d11_a_flipped_bit_is_found_when_it_is_looked_for(archive, home):
    """Lengths are compared each time, and the bytes where the caller says so."""
    folder = brought(home, archive)
    (folder / "m" / "saved_model.pb").write_bytes(b"Graph" * 99)

    assert tree(brought(home, archive)) != WHOLE
    assert not is_whole(folder.parent, rehash=True)
    assert tree(brought(home, archive, rehash=True)) == WHOLE


def test_d14_a_link_in_the_place_of_a_file_is_not_followed(archive, home, tmp_path):
    """What it leads to may change, or be anybody's."""
    folder = brought(home, archive)
    (tmp_path / "other").write_bytes(CONTENT["saved_model.pb"])
    (folder / "m" / "saved_model.pb").unlink()
    (folder / "m" / "saved_model.pb").symlink_to(tmp_path / "other")

    assert not (brought(home, archive) / "m" / "saved_model.pb").is_symlink()


def test_d04_a_cache_that_cannot_be_written_is_read(archive, home, monkeypatch):
    """What was unpacked before needs no room to write in."""
    folder = brought(home, archive)
    monkeypatch.setattr(os, "mkdir", None)

    assert brought(home, archive) == folder


def test_k04_an_archive_that_was_damaged_since_is_not_unpacked(archive, home):
    """What it unpacks to would lie under the digest of another."""
    digest = file_digest(archive)
    with tarfile.open(archive, "w:gz") as whole:
        whole.addfile(tarfile.TarInfo("other"))

    with pytest.raises(IntegrityError):
        unpacked.unpacked(home, archive, digest)
    assert not (home / "unpacked").exists()

    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(IntegrityError):
        unpacked.unpacked(home, archive, digest)


def test_a_full_disk_leaves_nothing(archive, home, monkeypatch):
    """Neither a folder nor a draft of it; that this process reads there is no part of it."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DiskError):
        brought(home, archive)

    assert {path for path in tree(home) if not path.startswith("leases/")} == set()


def killed(work, step):
    """Let a child do `work`, and end at its call number `step` that changes files; its code."""
    child = os.fork()
    if child == 0:
        doomed(CHANGING, step)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.long
@pytest.mark.parametrize("before", ["nothing", pytest.param("damaged", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_k03_k04_a_kill_at_any_step(archive, home, before):
    """No folder or the whole one; the next one makes it from the archive.

    Where there was a damaged one there always is one: the whole one takes its place.
    """
    digest, step, code = file_digest(archive), 0, 99
    while code == 99:
        step += 1
        root = home / str(step)
        if before == "damaged":
            (brought(root, archive) / "m" / "saved_model.pb").unlink()
        code = killed(lambda root=root: unpacked.unpacked(root, archive, digest), step)
        place = root / "unpacked" / digest
        whole = is_whole(place, rehash=True)
        assert whole or place.exists() == (before == "damaged"), step
        assert whole or code == 99
        assert tree(brought(root, archive)) == WHOLE
        assert len([*(root / "unpacked").iterdir()]) == 1
    assert step > 30


def test_a11_after_an_interruption_a_second_one_begins_anew(archive, home, monkeypatch):
    """Nothing of the first is taken over."""
    root, began = home / "root", []

    def interrupted(*arguments):
        began.append(extract(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(unpacked, "extract", interrupted)
    with pytest.raises(KeyboardInterrupt):
        brought(root, archive)
    assert (len(began[0]), tree(root)) == (3, {})

    monkeypatch.setattr(unpacked, "extract", extract)
    assert tree(brought(root, archive)) == WHOLE


def test_c01_what_another_published_meanwhile_stays(archive, home, monkeypatch):
    """Who reads it already finds it in its place, on disks too where two names cannot change."""

    def slower(*arguments):
        monkeypatch.setattr(unpacked, "extract", extract)
        published.append(brought(home, archive).parent.stat().st_ino)
        return extract(*arguments)

    published = []
    monkeypatch.setattr(disk, "exchange", lambda *_: False)
    monkeypatch.setattr(unpacked, "extract", slower)

    assert brought(home, archive).parent.stat().st_ino == published[0]


@pytest.mark.parametrize("locks", [True, False])
@pytest.mark.parametrize("before", ["nothing", "damaged"])
def test_c01_c02_many_at_once(archive, home, monkeypatch, locks, before):
    """Each gets the same whole folder, with and without locks that work."""
    if not locks:
        monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    if before == "damaged":
        (brought(home, archive) / "m" / "saved_model.pb").unlink()
    found, start = [], threading.Barrier(8)

    def work():
        start.wait()
        found.append(tree(brought(home, archive)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [WHOLE] * 8


def test_a_damaged_folder_is_replaced_where_two_names_cannot_change_places(
    archive, home, monkeypatch
):
    """Not every file system can; then there is a moment without the folder."""
    (brought(home, archive) / "m" / "saved_model.pb").unlink()
    monkeypatch.setattr(disk, "exchange", lambda *_: False)

    assert tree(brought(home, archive)) == WHOLE


def packed(tmp_path, how):
    """Return an archive of a tree that the program `how` made, with its options."""
    program, *options = how.split()
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    deep = "d" if how.endswith("v7") else LONG
    write_tree(tmp_path / "tree", {**CONTENT, f"{deep}/deep.bin": os.urandom(99_999)})
    (tmp_path / "tree" / "empty").mkdir()
    (tmp_path / "tree" / "saved_model.pb").chmod(0o777)
    path = tmp_path / "packed.zip"
    name = ["-q", "-r", path] if program == "zip" else ["-cf", path]
    command = [program, *options, *name, "."]
    subprocess.run(command, cwd=tmp_path / "tree", check=True)
    return path


GNU = [f"tar --format={name}" for name in ("v7", "ustar", "oldgnu", "gnu", "posix")]
BSD = [f"bsdtar --format={name}" for name in ("v7", "ustar", "gnutar", "pax", "zip")]
SQUEEZED = ["tar -z", "tar -j", "tar -J", "bsdtar -z", "bsdtar -J"]


@pytest.mark.parametrize("how", [*GNU, *BSD, *SQUEEZED, "zip -0", "zip -9", "zip -fz"])
def test_a07_what_other_programs_pack_is_what_is_unpacked(tmp_path, home, how):
    """GNU tar, bsdtar and Info-ZIP, in each of their formats."""
    extract(packed(tmp_path, how), home)

    assert tree(home) == tree(tmp_path / "tree")
    assert (home / "empty").is_dir()


@pytest.mark.parametrize("how", ["tar", "stream", "zip"])
def test_a07_what_python_packs_is_what_is_unpacked(tmp_path, home, how):
    """Through a pipe too, where sums and sizes of a zip archive stand behind the bytes."""
    write_tree(tmp_path / "tree", {**CONTENT, f"{LONG}/deep.bin": os.urandom(99_999)})
    path = tmp_path / "packed"
    if how == "tar":
        with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as whole:
            whole.add(tmp_path / "tree", ".")
    else:
        with (
            path.open("wb") as file,
            zipfile.ZipFile(Pipe(file) if how == "stream" else file, "w") as whole,
        ):
            for name in tree(tmp_path / "tree"):
                whole.write(tmp_path / "tree" / name, name, zipfile.ZIP_DEFLATED)
            whole.close()

    extract(path, home)

    assert tree(home) == tree(tmp_path / "tree")


class Pipe:
    """A file in which nothing can be gone back to."""

    def __init__(self, file):
        self.write, self.flush = file.write, file.flush


@pytest.mark.slow
def test_k03_k04_a_kill_at_any_system_call(archive, tmp_path):
    """As above, by strace, which kills the process where the system sees it."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not there, which kills processes at their system calls")
    folder = tmp_path / "killed"
    folder.mkdir()
    done = subprocess.run([sys.executable, SCRIPT, archive, folder], capture_output=True, text=True)
    if "ptrace" in done.stderr:
        pytest.skip(f"processes may not be traced here: {done.stderr.strip()}")
    ends, digest = json.loads(done.stdout), file_digest(archive)
    assert [*ends.values()].count(-9) >= max(100, 0.95 * len(ends)), done.stderr

    states = set()
    for step in ends:
        place = folder / step / "unpacked" / digest
        states.add(place.exists())
        assert is_whole(place, rehash=True) == place.exists(), step
        assert tree(brought(folder / step, archive)) == WHOLE
    assert states == {True, False}
