"""Archives are listed without being unpacked."""

import io
import tarfile
import zipfile

import numpy as np
import pytest

import zoo
from zoo import archives


def tar(path, *names, mode="w", **changes):
    with tarfile.open(path, mode) as whole:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 3
            for key, value in changes.items():
                setattr(info, key, value)
            whole.addfile(info, io.BytesIO(b"abc"))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_archives_however_compressed(tmp_path, mode):
    """Recognised by contents; the names of what looks like models are told."""
    names = ["m/saved_model.pb", "m/variables/variables.index", "c/model.index", "net.h5"]
    path = tar(tmp_path / "download", *names, mode=mode)

    document = zoo.inspect(path)

    assert document["format"] == "archive"
    assert [one["name"] for one in document["files"]] == sorted(names)
    held = ["it holds c/model (checkpoint)", "it holds m (SavedModel)", "it holds net.h5 (Keras)"]
    assert document["notes"] == held


@pytest.mark.parametrize(
    ("name", "changes", "fault"),
    [
        ("../../evil", {}, "lies outside of the folder"),
        ("/etc/evil", {}, "lies outside of the folder, or has no name"),
        ("..\\evil", {}, "lies outside of the folder, or has no name"),
        ("link", {"type": tarfile.SYMTYPE, "size": 0}, "is a symbolic link"),
    ],
)
def test_members_that_are_not_unpacked_are_named(tmp_path, name, changes, fault):
    """Absolute, upwards, or a link to somewhere: inspecting says so, with the reason."""
    document = zoo.inspect(tar(tmp_path / "a.tar", name, **changes))

    assert document["notes"] == [f"it is not unpacked: it has {name!r}, which {fault}"]


def test_arrays_are_no_archive(tmp_path):
    """What NumPy saves is a zip, and weights."""
    np.savez(tmp_path / "a.npz", x=np.ones(3))

    document = zoo.inspect(tmp_path / "a.npz")

    assert not archives.recognises(tmp_path / "a.npz")
    assert (document["format"], document["parameters"]) == ("npz", 3)


def test_too_many_members_are_not_all_listed(tmp_path, monkeypatch):
    """A list has an end."""
    monkeypatch.setattr(archives, "MOST", 5)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as whole:
        for number in range(20):
            whole.writestr(f"{number}", "")

    assert len(archives.members(tmp_path / "a.zip")) == 5
